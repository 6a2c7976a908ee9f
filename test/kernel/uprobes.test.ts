// Uprobes by patterns, in archives and in files that are damaged; test/fixtures/elf/probes.c is what runs.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Elf } from "../../src/formats/elf.js";
import { fixture } from "../fixtures/path.js";
import { zipArchive } from "../fixtures/zip.js";
import { lacks, lines, run, sameEverywhere, trace } from "../support/run.js";
import { python } from "../support/workload.js";

const skip = process.arch === "x64" ? lacks("uprobe") : "the fixtures are programs for x86-64";
const folder = mkdtempSync(join(tmpdir(), "beetrace-uprobes-"));
after(() => rmSync(folder, { recursive: true }));

const program = fixture("elf", "probes");
/** Copies of the program, and a link to one of them. */
for (const name of ["one", "two"]) copyFileSync(program, join(folder, name));
symlinkSync("one", join(folder, "link-to-one"));
const runs = (name: string, times: number): void => {
  for (let i = 0; i < times; i++) assert.equal(spawnSync(join(folder, name)).error, undefined);
};
const error = async (...args: string[]): Promise<string> => {
  const { err, status } = await run(...args);
  assert.equal(status, 1, err);
  return err;
};

test("a pattern of files: each once, whatever its names", { skip: skip || sameEverywhere }, async () => {
  const { out, err } = await trace(["-e", `uprobe:${folder}/*o*:fire { @[probe] = count(); }`], () => {
    runs("one", 3);
    runs("two", 5);
  });
  assert.match(out + err, /Attached 2 probes/);
  assert.deepEqual(
    lines(out).filter((line) => line.startsWith("@")),
    [`@[uprobe:${folder}/link-to-one:fire]: 3`, `@[uprobe:${folder}/two:fire]: 5`],
  );
});

test("an indirect function of libc is told to be one", { skip: skip || sameEverywhere }, async () => {
  const { err } = await run("-e", "BEGIN { exit(); } uprobe:libc:strlen { }");
  assert.match(err, /WARNING: strlen is indirect: a probe sees it choose the function/);
});

test("actions at one place run in the order of the script", { skip: skip || sameEverywhere }, async () => {
  for (const place of [`uprobe:${program}:fire`, `uretprobe:${program}:fire`, `usdt:${program}:memory`]) {
    const script = ["one", "two", "three"].map((word) => `${place} { printf("${word} "); }`).join(" ");
    const { out, err } = await run("-q", "-e", script, "-c", program);
    assert.equal(out.trim(), "one two three", `${place}: ${err}`);
  }
});

test("-p with a pattern alone is the files of the process", { skip }, async () => {
  const loop = spawn(join(folder, "two"), ["again"], { stdio: "ignore" });
  try {
    const pid = String(loop.pid);
    for (const place of ["uprobe:*:fire", "uprobe:fire", "uprobe:*two:fi?e"]) {
      const { out, err } = await run("-q", "-p", pid, "-e", `${place} { printf("%s %d\\n", probe, pid); exit(); }`);
      assert.deepEqual(lines(out), [`uprobe:${folder}/two:fire ${pid}`], err);
    }
    assert.deepEqual(lines((await run("-l", "-p", pid, "uprobe:fi?e")).out), [`uprobe:${folder}/two:fire`]);
  } finally {
    loop.kill("SIGKILL");
  }
});

test("a program in an archive is probed there", { skip: skip || sameEverywhere }, async () => {
  // The kernel maps whole pages: the program must begin at one, as zipalign(1) sees to.
  const bytes = readFileSync(program);
  const start = 30 + "bin/probes".length + 3;
  const pages = zipArchive({
    pad: { bytes: new Uint8Array(4096 - ((start + 30 + 3 + 3) % 4096)) },
    "bin/probes": { bytes },
  });
  const archive = join(folder, "archive.zip");
  writeFileSync(archive, pages);
  assert.equal(pages.indexOf(bytes) % 4096, 0);
  const listed = await run("-l", `uprobe:${archive}!/bin/probes:fi*`);
  assert.deepEqual(lines(listed.out), [`uprobe:${archive}!/bin/probes:fire`]);
  const { out, err } = await run("-e", `uprobe:"${archive}!/bin/probes":fire { } begin { exit(); }`);
  assert.match(out + err, /Attached 2 probes/);
  assert.match(await error("-e", `uprobe:"${archive}!/bin/other":fire { }`), /has no file 'bin\/other'/);
});

test("no probe in the middle of an instruction, outside of a function, or where none is known", {
  skip: skip || sameEverywhere,
}, async () => {
  const elf = Elf.parse(readFileSync(program), program);
  const address = elf.function("fire")!.address;
  assert.match(await error("-e", `uprobe:${program}:fire+2 { }`), /into middle of instruction: fire\+2[\s\S]*--unsafe/);
  assert.match(await error("-e", `uprobe:${program}:${address + 2n} { }`), /into middle of instruction: fire\+2/);
  assert.match(await error("-e", `uprobe:${program}:fire+100000 { }`), /Offset outside the function bounds \('fire'/);
  assert.match(await error("-e", `uprobe:${program}:1 { }`), /Could not resolve address: .*probes:0x1/);
  const { out } = await run("-q", "-e", `uprobe:${program}:0x${address.toString(16)} { print(func); }`, "-c", program);
  assert.deepEqual(lines(out), ["fire"]);
});

test("places that the kernel refuses are left out of wildcards, and told", { skip }, async () => {
  // It looks at the instruction when a process maps it (prepare_uprobe(), kernel/events/uprobes.c).
  const loop = spawn(join(folder, "one"), ["again"], { stdio: "ignore" });
  try {
    const file = join(folder, "one");
    const { out, err } = await trace(["-e", `uprobe:${file}:f* /pid != ${loop.pid}/ { @[func] = count(); }`], () =>
      runs("one", 2),
    );
    assert.match(err, /1 attach point of a wildcard left out that the kernel refuses; uprobe:.*:forbidden:/);
    assert.match(out + err, /Attached 1 probe\n/);
    assert.match(out, /^@\[fire\]: 2$/m);
    assert.match(await error("-e", `uprobe:${file}:forbidden { }`), /Unable to attach probe: uprobe:.*:forbidden/);
  } finally {
    loop.kill("SIGKILL");
  }
});

test("files that are damaged, or for another machine, say so", { skip: skip || sameEverywhere }, async () => {
  const bytes = readFileSync(program);
  const write = (name: string, change: (copy: Buffer) => Buffer): string => {
    const file = join(folder, name);
    writeFileSync(file, change(Buffer.from(bytes)));
    chmodSync(file, 0o755);
    return file;
  };
  const notes = Elf.parse(bytes, program).section(".note.stapsdt")!;
  const cut = write("cut", (copy) => copy.subarray(0, 1000));
  assert.match(await error("-e", `uprobe:${cut}:fire { }`), /lie outside its 1000 bytes/);
  assert.match(await error("-e", `usdt:${cut}:plain { }`), /lie outside its 1000 bytes/);
  const arm = write("arm", (copy) => {
    copy.writeUInt16LE(183, 18);
    return copy;
  });
  for (const place of [`uprobe:${arm}:fire`, `usdt:${arm}:plain`])
    assert.match(await error("-e", `${place} { }`), /is for another machine \(e_machine 183\)/);
  const torn = write("torn", (copy) => {
    copy.writeUInt32LE(0xffff, notes.offset + 4);
    return copy;
  });
  assert.match(await error("-e", `usdt:${torn}:plain { }`), /notes: 65535 bytes at offset/);
  // Nothing is wrong with its functions.
  assert.deepEqual(lines((await run("-l", `uprobe:${torn}:fire`)).out), [`uprobe:${torn}:fire`]);
  const away = write("away", (copy) => {
    copy.writeBigUInt64LE(0xdead_0000n, notes.offset + 20);
    return copy;
  });
  assert.match(await error("-e", `usdt:${away}:plain { }`), /plain is at 0xdead0000, which is not in the file/);
  // Of many files those that are damaged do not matter.
  const { err } = await trace(["-e", `usdt:${folder}/*:plain { }`], () => undefined);
  assert.match(err, /Attached 2 probes/);
});

test("a process that has ended", { skip: skip || sameEverywhere }, async () => {
  const { pid } = spawnSync("true");
  assert.match(await error("-p", String(pid), "-e", "usdt::plain { }"), new RegExp(`there is no process ${pid}`));
  assert.match(await error("-l", "-p", String(pid)), new RegExp(`there is no process ${pid}`));
});

test("a function of libpthread is found in libc, where it is since glibc 2.34", {
  skip: skip || sameEverywhere,
}, async () => {
  const threads = `import threading
for i in range(7):
    thread = threading.Thread(target=len, args=("",))
    thread.start()
    thread.join()`;
  const code = join(folder, "threads.py");
  writeFileSync(code, threads);
  const script = "uprobe:libpthread:pthread_create { @ = count(); }";
  const { out, err } = await run("-e", script, "-c", `${python} ${code}`);
  assert.match(out, /^@: 7$/m, err);
  assert.match(err, /WARNING: libpthread has no function 'pthread_create': libc has it since glibc 2\.34/);
});
