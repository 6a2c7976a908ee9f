// ustack finds callers by unwinding tables where a traced program keeps no frame pointers, unless the user chose.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { info, lacks, lines, pause, run, sameEverywhere, Tracer, trace } from "../support/run.js";
import { python } from "../support/workload.js";

const frameless = fixture("elf", "unwind");
const framed = fixture("elf", "framed");
const runs = process.arch === "x64" && spawnSync(frameless, ["chain"]).status === 0;
const skip = lacks("uprobe") || (runs ? false : "test/fixtures/elf/unwind does not run here");
const hasTables = info().features["bpfLoop"] === "yes";

const config = "show_debug_info = false";
const own = ["leaf", "sized", "aligned", "large", "chain", "run", "repeat", "main"];

interface Result {
  /** Functions of the stacks that are keys of the map, innermost first. */
  readonly stacks: readonly (readonly string[])[];
  /** What -v says of the choice. */
  readonly choice: string | undefined;
  readonly err: string;
}

const stacksIn = (out: string): Result["stacks"] =>
  out
    .split(/^@\[/m)
    .slice(1)
    .map((text) => [...text.matchAll(/^ +(\S+)\+\d+$/gm)].map(([, name = ""]) => name));

async function stacksOf(script: string, ...args: readonly string[]): Promise<Result> {
  const { out, err, status } = await run("-v", ...args, "-e", script);
  assert.equal(status, 0, err);
  return { stacks: stacksIn(out), choice: /^ustack goes by (.*)$/m.exec(err)?.[1], err };
}

const script = (stack = "ustack", settings = config): string =>
  `config = { ${settings} } uprobe:${frameless}:leaf { @[${stack}] = count(); } interval:s:1 { exit(); }`;
const command = ["-c", `${frameless} chain 20`];

/** The whole chain, to the first function of the program. */
function assertWhole(stacks: Result["stacks"]): void {
  assert.equal(stacks.length, 1, JSON.stringify(stacks));
  assert.deepEqual(stacks[0]!.slice(0, own.length), own);
  assert.equal(stacks[0]!.at(-1), "_start");
}

test("-c: a program without frame pointers", { skip: skip || !hasTables }, async () => {
  const { stacks, choice } = await stacksOf(script(), ...command);
  assertWhole(stacks);
  assert.match(choice ?? "", /^tables: .*\/unwind keeps no frame pointers \(\d+ of \d+ functions do\)$/);
});

for (const option of ["-p", "--tree"])
  test(`${option}: one that runs already`, { skip: skip || !hasTables }, async () => {
    const child = spawn(frameless, ["chain", "3000"], { stdio: "ignore" });
    try {
      assertWhole((await stacksOf(script(), option, String(child.pid))).stacks);
    } finally {
      child.kill("SIGKILL");
    }
  });

test("callers whose return addresses uretprobes have replaced", { skip: skip || !hasTables }, async () => {
  for (const probes of [
    "uretprobe:FILE:chain {}",
    "uretprobe:FILE:large {} uretprobe:FILE:run {} uretprobe:FILE:repeat {}",
  ]) {
    const { stacks, err } = await stacksOf(`${script()} ${probes.replaceAll("FILE", frameless)}`, ...command);
    assertWhole(stacks);
    assert.doesNotMatch(err, /stacks are cut/);
  }
  // When the function returns its caller goes on, and its own callers' addresses are replaced still.
  const text = `config = { ${config} } uretprobe:${frameless}:run {} uretprobe:${frameless}:large { @[ustack] = count(); }`;
  const [names = []] = (await stacksOf(text, ...command)).stacks;
  assert.deepEqual([names.slice(0, 4), names.at(-1)], [["chain", "run", "repeat", "main"], "_start"]);
});

test("modes, limits and printf", { skip: skip || sameEverywhere || !hasTables }, async () => {
  const probe = `uprobe:${frameless}:leaf`;
  const text = `config = { ${config} } ${probe} { printf("%s|%s|%d|%s", ustack(2), ustack(perf), len(ustack), ustack(raw, 3)); exit(); }`;
  const { out } = await run("-q", "-e", text, ...command);
  const [limited = "", perf = "", length, raw = ""] = out.split("|");
  assert.equal(limited, "\n        leaf+0\n        sized+46\n");
  const named = lines(perf).map((line) => line.trim().split(/[ +]/)[1]);
  assert.deepEqual([named.slice(0, 8), named.at(-1)], [own, "_start"]);
  assert.deepEqual([Number(length), lines(raw).length], [named.length, 3]);
});

test("frame pointers by choice: the stack is cut", { skip: skip || sameEverywhere }, async () => {
  const { stacks, choice } = await stacksOf(script("ustack", `${config}; ustack_by = "frame_pointers"`), ...command);
  assert.ok(!stacks.flat().includes("chain"), JSON.stringify(stacks));
  assert.equal(choice, "frame pointers: ustack_by says so");
  const tracer = new Tracer(["-q", "-e", script(), ...command], { BPFTRACE_USTACK_BY: "frame_pointers" });
  assert.doesNotMatch((await tracer.end()).out, /chain/);
});

const framedScript = (settings: string): string =>
  `config = { ${settings} } uprobe:${framed}:leaf { @[ustack] = count(); } interval:s:1 { exit(); }`;

test("a program with frame pointers is left alone", { skip: skip || sameEverywhere }, async () => {
  const { stacks, choice } = await stacksOf(framedScript(config), "-c", framed);
  // Kernels before 6.12 leave out the caller of a function that has not yet begun.
  const [names = []] = stacks;
  assert.deepEqual(
    names.filter((name) => name !== "middle"),
    ["leaf", "chain", "_start"],
  );
  if (hasTables) assert.equal(choice, "frame pointers: the program keeps them");
});

test("tables by choice", { skip: skip || !hasTables || sameEverywhere }, async () => {
  const { stacks, choice } = await stacksOf(framedScript(`${config}; ustack_by = "tables"`), "-c", framed);
  assert.deepEqual(stacks, [["leaf", "middle", "chain", "_start"]]);
  assert.equal(choice, "tables: ustack_by says so");
});

/** What the C library keeps decides where nobody is named; Debian's keeps none. */
const system = `config = { ${config} } uprobe:${frameless}:leaf { @[ustack] = count(); }`;

test("nobody is named: programs that begin before and after the trace", { skip: skip || !hasTables }, async (t) => {
  const before = spawn(frameless, ["chain", "3000"], { stdio: "ignore" });
  try {
    const { out, err } = await trace(["-v", "-e", system], async () => {
      for (let i = 0; i < 5; i++) assert.equal(spawnSync(frameless, ["chain", "1"]).status, 0);
    });
    const choice = /^ustack goes by (.*)$/m.exec(err)?.[1] ?? "";
    if (choice.startsWith("frame pointers: no process is named, and ")) return t.skip(choice);
    assert.match(choice, /^tables: \/.*libc.* keeps no frame pointers \(\d+ of \d+ functions do\)$/);
    const stacks = stacksIn(out);
    // One for each process: their addresses differ.
    assert.ok(stacks.length >= 1 && stacks.length <= 6, out);
    for (const stack of stacks) assertWhole([stack]);
    assert.doesNotMatch(err, /stacks (?:went|are)/);
  } finally {
    before.kill("SIGKILL");
  }
});

test("nobody is named: samples of a program that is busy already", {
  skip: skip || sameEverywhere || !hasTables,
}, async () => {
  const source = "def a():\n while True: sorted(range(1000), key=lambda n: -n)\nprint(1, flush=True)\na()";
  const child = spawn(python, ["-c", source], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await new Promise((done, failed) => child.once("error", failed).stdout.once("data", done));
    const text = `config = { ${config}; ustack_by = "tables" } profile:hz:99 /pid == ${child.pid}/ { @[ustack] = count(); }`;
    const { out, err } = await trace(["-e", text], () => pause(2000));
    let [all, whole] = [0, 0];
    for (const [stack, count] of out.matchAll(/(?:^ +\S+\n)+\]: (\d+)$/gm)) {
      all += Number(count);
      if (/ _start\+\d+\n\]/.test(stack)) whole += Number(count);
    }
    // Those that are not were taken before the tables of its files were there; each is counted.
    const cut = [...err.matchAll(/(\d+) user stacks are cut/g)].reduce((sum, [, count]) => sum + Number(count), 0);
    assert.ok(whole > 20 && all - whole <= cut, `${whole} of ${all} whole, ${cut} cut: ${err}`);
  } finally {
    child.kill("SIGKILL");
  }
});

test("processes beside the named one", { skip: skip || sameEverywhere || !hasTables }, async () => {
  const child = spawn(framed, { stdio: "ignore" });
  try {
    const { stacks, choice, err } = await stacksOf(framedScript(config), "--dwarf-pid", String(process.pid));
    assert.match(choice ?? "", /^tables: /);
    assert.deepEqual(stacks, [["leaf", "middle", "chain", "_start"]]);
    assert.doesNotMatch(err, /stacks went by frame pointers/);
  } finally {
    child.kill("SIGKILL");
  }
});

test("on a kernel that cannot unwind: frame pointers, and -v says why", { skip: skip || hasTables }, async () => {
  const { choice } = await stacksOf(script(), ...command);
  assert.equal(
    choice,
    "frame pointers: unwinding by tables needs the helpers bpf_loop and bpf_find_vma, which kernels have since Linux 5.17",
  );
});
