// Probes that a program's authors have marked; the values are in test/fixtures/elf/probes.c.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { test } from "node:test";
import { Elf } from "../../src/formats/elf.js";
import { fixture } from "../fixtures/path.js";
import { lacks, lines, pause, run, sameEverywhere, trace } from "../support/run.js";

const skip = process.arch === "x64" ? lacks("uprobe") : "the fixtures are programs for x86-64";
const program = fixture("elf", "probes");

/** What a script prints while the program runs once. */
async function shown(file: string, script: string, ...more: string[]): Promise<readonly string[]> {
  const { out, err, status } = await run("-q", "-e", script.replaceAll("BIN", file), "-c", file, ...more);
  assert.equal(status, 0, err);
  return lines(out);
}

/** The program, firing its probes again and again until it is killed. */
async function withLoop(work: (pid: number) => Promise<void>): Promise<void> {
  const loop: ChildProcess = spawn(program, ["again"], { stdio: "ignore" });
  try {
    await work(loop.pid ?? -1);
  } finally {
    loop.kill("SIGKILL");
  }
}

for (const name of ["probes", "probes.pie"]) {
  test(`${name}: arguments of every kind`, { skip }, async () => {
    const script = `
usdt:BIN:widths { print((arg0, arg1, arg2, arg3, arg4, arg5)); print((arg6, arg7, arg8, arg9, arg10, arg11)); }
usdt:BIN:memory { print((arg0, arg1, arg2, arg3, arg4, arg5)); }
usdt:BIN:symbols { print((arg0, arg1, str(arg2), arg3 & 0xff)); }
usdt:BIN:constants { print((arg0, arg1, arg2, arg3, arg4)); }
usdt:BIN:odd { print(arg1); }`;
    assert.deepEqual(await shown(fixture("elf", name), script), [
      "(-579005069656919568, -579005069656919568, 4092785136, -202182160, 61936, -3600)",
      "(240, -16, 241, -15, 4092785136, -16)",
      "(11, -22, 33, -22, 4294967274, 33)",
      "(4711, -22, a text, 97)",
      "(4092785136, -202182160, 61936, -16, 5)",
      "9",
    ]);
  });

  test(`${name}: a probe at two places is one, with the arguments of each`, {
    skip: skip || sameEverywhere,
  }, async () => {
    const file = fixture("elf", name);
    const { out } = await run("-f", "json", "-e", `usdt:${file}:twice { @[probe, arg0] = count(); }`, "-c", file);
    const events = lines(out).map((line) => JSON.parse(line) as { type: string; data: unknown });
    assert.deepEqual(
      events.map(({ type, data }) => [type, data]),
      [
        ["attached_probes", { probes: 1 }],
        ["map", { "@": { [`usdt:${file}:first:twice,-5`]: 1, [`usdt:${file}:first:twice,7`]: 1 } }],
      ],
    );
  });
}

test("wildcards of file, provider and name; each probe by its full name", {
  skip: skip || sameEverywhere,
}, async () => {
  assert.deepEqual(
    await shown(program, `usdt:BIN:* { @[probe] = count(); }`),
    [
      ...["constants", "memory", "odd", "symbols"].map((name) => `@[usdt:${program}:second:${name}]: 1`),
      `@[usdt:${program}:first:widths]: 1`,
      `@[usdt:${program}:second:counted]: 1`,
      `@[usdt:${program}:first:twice]: 2`,
      `@[usdt:${program}:first:plain]: 3`,
    ].sort((a, b) => Number(a.slice(-1)) - Number(b.slice(-1)) || (a < b ? -1 : 1)),
  );
  const pattern = program.replace(/probes$/, "prob*");
  assert.deepEqual(await shown(program, `usdt:${pattern}:f*:pl?in { @ = count(); }`), ["@: 3"]);
  for (const target of ["usdt:*:first:plain", "usdt::plain", "U:plain", "usdt:*probes:first:plain"])
    assert.deepEqual(await shown(program, `${target} { @ = count(); }`), ["@: 3"], target);
});

test("a counter is raised while somebody traces, in processes that start later, too", { skip }, async () => {
  const counter = Number(Elf.parse(readFileSync(program), program).variable("counted_semaphore")!.address);
  const valueIn = (pid: number): number => {
    const memory = openSync(`/proc/${pid}/mem`, "r");
    const bytes = Buffer.alloc(2);
    readSync(memory, bytes, 0, 2, counter);
    closeSync(memory);
    return bytes.readUInt16LE();
  };
  assert.equal(spawnSync(program).status, 0);
  await withLoop(async (pid) => {
    assert.equal(valueIn(pid), 0);
    const { out } = await trace(
      ["-e", `usdt:${program}:counted { @[pid == ${pid}] = count(); @v = max(arg0); }`],
      () => {
        assert.equal(valueIn(pid), 1);
        for (let i = 0; i < 5; i++) assert.equal(spawnSync(program).status, 1);
      },
    );
    assert.match(out, /^@\[false\]: 5$/m);
    assert.match(out, /^@v: 1$/m);
    // What the kernel tidies up behind the end takes a moment.
    for (let i = 0; i < 200 && valueIn(pid) !== 0; i++) await pause(10);
    assert.equal(valueIn(pid), 0);
  });
});

test("-p is this process alone, its files need not be named", { skip }, async () => {
  await withLoop((other) =>
    withLoop(async (pid) => {
      const script =
        "usdt:first:plain { @[pid] = count(); } usdt:counted { @c[pid] = count(); } interval:ms:300 { exit(); }";
      const { out, err, status } = await run(
        "-q",
        "-p",
        String(pid),
        "-e",
        script.replace("usdt:first", "usdt::first"),
      );
      assert.equal(status, 0, err);
      assert.match(out, new RegExp(`^@\\[${pid}\\]: [1-9]`, "m"));
      assert.match(out, new RegExp(`^@c\\[${pid}\\]: [1-9]`, "m"));
      assert.ok(!out.includes(`[${other}]`), out);
      const listed = await run("-l", "-p", String(pid), "usdt:*:second:o*");
      assert.deepEqual(lines(listed.out), [`usdt:${program}:second:odd`]);
    }),
  );
});

test("-l shows probes, -lv their arguments", { skip: skip || sameEverywhere }, async () => {
  const list = async (...args: string[]): Promise<readonly string[]> => lines((await run(...args)).out);
  assert.equal((await list("-l", `usdt:${program}`)).length, 8);
  assert.deepEqual(await list("-l", `usdt:${program}:first:*`), await list("-l", `*:${program}:first:*`));
  assert.deepEqual(await list("-lv", `usdt:${program}:twice`), [`usdt:${program}:first:twice`, "    int32 arg0"]);
});

test("-l says why it finds nothing", { skip: skip || sameEverywhere }, async () => {
  const said = async (pattern: string): Promise<string> => (await run("-l", pattern)).err;
  assert.match(await said("usdt:/nonexistent:x"), /there is no program or library '\/nonexistent'/);
  assert.match(await said(`uprobe:${fixture("elf", "probes.c")}:x`), /is no ELF file/);
  assert.equal(await said(`uprobe:${program}:nothing`), `No probe matches 'uprobe:${program}:nothing'.\n`);
});

test("what cannot be traced says why", { skip: skip || sameEverywhere }, async () => {
  const error = async (script: string): Promise<string> => (await run("-e", script.replaceAll("BIN", program))).err;
  assert.match(await error("usdt:BIN:odd { print(arg0); }"), /arg0 of usdt:.*:odd is '8f@%xmm0', which cannot be read/);
  assert.match(await error("usdt:BIN:twice { print(arg1); }"), /has one argument, arg0: there is no arg1/);
  assert.match(await error("usdt:BIN:plan { }"), /has no USDT probe 'plan'[\s\S]*did you mean 'plain'/);
  assert.match(await error("usdt:BIN:third:* { }"), /has no USDT probe 'third:\*'/);
  assert.match(await error(`usdt:${fixture("elf", "tiny")}:x { }`), /no USDT probes at all/);
  assert.match(await error(`usdt:${fixture("elf", "probes.c")}:x { }`), /is no ELF file/);
  assert.match(await error("usdt:/nonexistent:x { }"), /there is no program or library/);
  assert.match(await error("usdt:x { }"), /names no probe of a file[\s\S]*usdt:FILE:PROVIDER:NAME/);
  assert.match(await error("usdt::x { }"), /names no file[\s\S]*-p PID/);
  assert.match(await error("usdt:BIN:plain { print(func); }"), /func cannot be used/);
  assert.match(await error("usdt:BIN:plain { print(args.x); }"), /have no names: use arg0/);
});

test("probes of a wildcard that lack an argument are told, and read 0", { skip: skip || sameEverywhere }, async () => {
  const script = `usdt:${program}:first:plain,usdt:${program}:first:t* { @[arg0] = count(); }`;
  assert.match((await run("-e", script)).err, /plain has no arguments: there is no arg0/);
  const both = await run("-q", "-e", `usdt:${program}:first:* { @[arg0] = count(); }`, "-c", program);
  assert.match(both.err, /WARNING: usdt:.*:plain has no arguments: there is no arg0/);
  assert.deepEqual(lines(both.out), ["@[-579005069656919568]: 1", "@[-5]: 1", "@[7]: 1", "@[0]: 3"]);
});
