// Names of addresses in processes that have long ended when their stacks are shown.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { isEmulated, lacks, lines, pause, run, sameEverywhere, trace } from "../support/run.js";

const skip = process.arch === "x64" ? lacks("uprobe") : "the fixtures are programs for x86-64";
const folder = mkdtempSync(join(tmpdir(), "beetrace-mappings-"));
after(() => rmSync(folder, { recursive: true }));

const times = isEmulated() ? 40 : 200;

/** Runs a program so often, each time in a process of its own that ends at once. */
function runs(file: string, count: number): void {
  const { status } = spawnSync("/bin/sh", ["-c", `i=0; while [ $i -lt ${count} ]; do ${file}; i=$((i+1)); done`]);
  assert.equal(status, 0);
}

/** Whether a process has a file open. */
const isOpenIn = (pid: number, path: string): boolean =>
  readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === path;
    } catch {
      // Closed meanwhile.
      return false;
    }
  });

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

/** The kernel keeps one stack of those that have the same hash; here each is another, as the programs lie anywhere. */
const collided = (err: string): number => Number(/Lost (\d+) stacks/.exec(err)?.[1] ?? 0);

for (const [name, func, offset] of [
  ["tiny", "twice", 0],
  ["probes.pie", "fire", 0],
] as const) {
  const program = join(folder, name);
  copyFileSync(fixture("elf", name), program);

  test(`${times} processes of ${name} that end at once, named when they were recorded`, { skip }, async () => {
    const script = `uprobe:${program}:${func} { printf("%s:%s\\n", usym(reg("ip")), ustack(1)); }`;
    const { out, err } = await trace(["-e", script], () => runs(program, times));
    assert.equal(count(out, new RegExp(`^${func}:$`, "gm")), count(out, /^\S+:$/gm), out.slice(0, 500));
    const stacks = count(out, new RegExp(`^ +${func}\\+${offset}$`, "gm"));
    assert.ok(stacks >= times - collided(err), `${stacks} stacks: ${err}${out.slice(0, 500)}`);
  });

  test(`${times} processes of ${name}, named at the end, when the file is gone, too`, { skip }, async () => {
    const copy = join(folder, `${name}-removed`);
    copyFileSync(program, copy);
    const script = `uprobe:${copy}:${func} { @[pid, ustack(1)] = count(); }`;
    const { out, err } = await trace(["-e", script], async (tracer) => {
      runs(copy, times);
      // On a slow machine it has been busy with other things until then.
      for (let i = 0; i < 1000 && !isOpenIn(tracer.pid, copy); i++) await pause(20);
      assert.ok(isOpenIn(tracer.pid, copy), "the tracer has not opened the program");
      rmSync(copy);
    });
    const lost = collided(err);
    const keys = count(out, /^@\[\d+, *$/gm);
    const named = count(out, new RegExp(`^ +${func}\\+${offset}$`, "gm"));
    assert.ok(keys >= times, out.slice(0, 500));
    assert.ok(named >= keys - lost, `${named} of ${keys} named, ${lost} collided: ${out.slice(0, 500)}`);
  });
}

test("what the shell's child had before its execve is not what the program has", { skip }, async () => {
  const program = join(folder, "tiny");
  const script = `tracepoint:syscalls:sys_enter_execve /comm == "sh"/ { @before[pid] = ustack(1); } uprobe:${program}:twice { @after[pid] = ustack(1); }`;
  const { out } = await trace(["-e", script], () => runs(program, 20));
  const before = [...out.matchAll(/^@before\[\d+\]: \n +(\S+)$/gm)].map(([, frame = ""]) => frame);
  assert.ok(before.length >= 20, out);
  // execve() of the C library, whatever it calls it.
  assert.deepEqual(
    before.filter((frame) => !/exec/.test(frame)),
    [],
  );
  assert.ok(count(out, /^@after\[\d+\]: \n +twice\+0$/gm) >= 20, out);
});

test("what the kernel has no room for is told", { skip: skip || sameEverywhere }, async () => {
  const script = `uprobe:${join(folder, "tiny")}:twice { printf("%s\\n", usym(reg("ip"))); }`;
  const { out, err } = await trace(["-e", script], async (tracer) => {
    // Nobody reads meanwhile: some 1,000 bytes each are more than the rings have.
    tracer.process.kill("SIGSTOP");
    runs("/bin/true", 3000);
    tracer.process.kill("SIGCONT");
    await pause(300);
    runs(join(folder, "tiny"), 20);
  });
  assert.match(err, /^Lost \d+ records of what processes map and run: /m);
  // What comes later has names again.
  assert.ok(count(out, /^twice$/gm) >= 20, out + err);
});

test("why addresses have no names: counted with -v, one by one in JSON", { skip: skip || sameEverywhere }, async () => {
  const program = join(folder, "tiny");
  const script = `uprobe:${program}:twice { print(usym(12)); print(usym(reg("ip"))); exit(); }`;
  const text = await run("-v", "-e", script, "-c", program);
  assert.match(text.err, /^addresses without a name: 1 unmapped$/m);
  const json = await run("-q", "-f", "json", "-e", script, "-c", program);
  assert.deepEqual(
    lines(json.out).map((line) => JSON.parse(line) as unknown),
    [
      { type: "value", data: "0xc", unnamed: { "0xc": { reason: "unmapped" } } },
      { type: "value", data: "twice" },
    ],
  );
});
