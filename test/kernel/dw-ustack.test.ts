// Stacks by unwinding tables, of programs without frame pointers whose callers are known.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { lacks, lines, run, sameEverywhere } from "../support/run.js";
import { python } from "../support/workload.js";

const program = fixture("elf", "unwind");
// The fixture needs a C library of its machine; bpf_loop() and bpf_find_vma() came with Linux 5.17.
const runs = process.arch === "x64" && spawnSync(program, ["chain"]).status === 0;
const skip = lacks("uprobe") || (runs ? false : "test/fixtures/elf/unwind does not run here");

interface Stacks {
  /** Names of functions, innermost first, and how often. */
  readonly stacks: readonly (readonly [frames: readonly string[], count: number])[];
  readonly losses: ReadonlyMap<string, number>;
}

/** Stacks that are keys of the only map of a script. */
async function stacksOf(script: string, ...args: readonly string[]): Promise<Stacks> {
  const { out, err, status } = await run("-q", "-f", "json", ...args, "-e", script);
  assert.equal(status, 0, err);
  const stacks: [string[], number][] = [];
  const losses = new Map<string, number>();
  for (const line of lines(out + err)) {
    const { type, data, reason, count } = JSON.parse(line);
    if (type === "loss") losses.set(reason, count);
    if (type !== "map") continue;
    for (const [stack, times] of Object.entries<number>(data["@"] ?? {})) stacks.push([framesOf(stack), times]);
  }
  return { stacks, losses };
}

const framesOf = (text: string): string[] => lines(text).map((line) => line.trim().replace(/\+\d+$/, ""));

/** Names of what leads from main() to the start of the program; those of the C library are not known everywhere. */
function assertBegins(frames: readonly string[]): void {
  assert.equal(frames.at(-1), "_start", frames.join(" "));
  assert.ok(frames.includes("main"), frames.join(" "));
}

const config = "config = { show_debug_info = false }";
const count = `${config} uprobe:${program}:leaf { @[dw_ustack] = count(); }`;
const command = (how: string, times = 20): readonly string[] => ["-c", `${program} ${how} ${times}`];

test("every caller, whatever its frame looks like", { skip }, async () => {
  const { stacks, losses } = await stacksOf(count, ...command("chain"));
  assert.equal(stacks.length, 1);
  const [frames, times] = stacks[0]!;
  assert.deepEqual(frames.slice(0, 8), ["leaf", "sized", "aligned", "large", "chain", "run", "repeat", "main"]);
  assertBegins(frames);
  assert.deepEqual([times, losses.size], [20, 0]);
});

for (const [how, expected] of [
  ["sort", ["leaf", "compare", "sort", "run", "repeat", "main", "_start"]],
  ["signal", ["leaf", "handler", "interrupted", "on_signal", "run", "repeat", "main", "_start"]],
  ["altstack", ["leaf", "handler", "interrupted", "on_signal", "run", "repeat", "main", "_start"]],
  ["thread", ["leaf", "thread_main"]],
  ["framed", ["leaf", "through_framed", "run", "repeat", "main", "_start"]],
] as const) {
  test(`${how}: through code of the C library, or code without tables, to the first function`, { skip }, async () => {
    const { stacks, losses } = await stacksOf(count, ...command(how));
    assert.deepEqual([stacks.length, losses.size], [1, 0]);
    const own = new Set<string>(expected);
    const frames = stacks[0]![0];
    assert.deepEqual(
      frames.filter((name) => own.has(name)),
      expected,
    );
    // Of a thread the C library has the first functions.
    assert.ok(frames.length > expected.length, frames.join(" "));
  });
}

test("code that nobody knows the callers of: the stack is cut, and that is told", {
  skip: skip || sameEverywhere,
}, async () => {
  const { stacks, losses } = await stacksOf(count, ...command("bare"));
  assert.deepEqual(
    stacks.map(([frames, times]) => [frames[0], frames.length, times]),
    [["leaf", 2, 20]],
  );
  assert.deepEqual([...losses], [["unwind-no-rule", 20]]);
  const { err } = await run("-q", "-e", count, ...command("bare"));
  assert.match(err, /^20 user stacks are cut: no table says how a piece of their code is left/m);
});

test("a library that is loaded while the program runs", { skip: skip || sameEverywhere }, async () => {
  const { stacks, losses } = await stacksOf(count, ...command("library", 40));
  // Those before its table was there have the same key as the others.
  assert.deepEqual(
    stacks.map(([frames, times]) => [frames.slice(0, 6), frames.at(-1), times]),
    [[["leaf", "call_back", "library", "run", "repeat", "main"], "_start", 40]],
  );
  assert.equal(losses.size, 0);
});

for (const how of ["fork", "exec"]) {
  test(`${how}: children of the traced program`, { skip }, async () => {
    const { stacks, losses } = await stacksOf(count, "--tree", ...command(how));
    assert.equal(stacks.length, 1);
    const [frames, times] = stacks[0]!;
    assert.deepEqual(frames.slice(0, 5), ["leaf", "sized", "aligned", "large", "chain"]);
    assertBegins(frames);
    assert.deepEqual([times, losses.size], [20, 0]);
  });
}

test("a process that runs already, from interrupts", { skip }, async () => {
  const source =
    "def a():\n while True: sorted(range(1000), key=lambda n: -n)\ndef b(): a()\nprint(1, flush=True)\nb()";
  const child = spawn(python, ["-c", source], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await new Promise((done, failed) => child.once("error", failed).stdout.once("data", done));
    const script = `${config} profile:hz:99 /pid == ${child.pid}/ { @[dw_ustack] = count(); } interval:s:2 { exit(); }`;
    const { stacks } = await stacksOf(script, "-p", String(child.pid));
    let [whole, all] = [0, 0];
    for (const [frames, times] of stacks) {
      all += times;
      if (frames.at(-1) === "_start") whole += times;
    }
    assert.ok(all > 20 && whole >= 0.95 * all, `${whole} of ${all} are whole`);
  } finally {
    child.kill("SIGKILL");
  }
});

test("a limit, and the form of perf", { skip: skip || sameEverywhere }, async () => {
  const script = `${config} uprobe:${program}:leaf { printf("%s|%s|", dw_ustack(2), dw_ustack(perf, 3)); exit(); }`;
  const { out } = await run("-q", "-e", script, ...command("chain"));
  const [limited, perf] = out.split("|");
  assert.equal(limited, "\n        leaf+0\n        sized+46\n");
  assert.deepEqual(
    lines(perf ?? "").map((line) => line.trim().split(/[ +]/)[1]),
    ["leaf", "sized", "aligned"],
  );
});

test("whose stack: targets only, and without one nothing is traced", { skip: skip || sameEverywhere }, async () => {
  const { status, err } = await run("-e", count);
  assert.equal(status, 1);
  assert.match(err, /ERROR: dw_ustack requires a target process\n(?:.*\n)*HINT: .*-p PID/);
  const child = spawn(program, ["chain", "3000"], { stdio: "ignore" });
  try {
    const script = `${count} interval:s:1 { exit(); }`;
    const other = await stacksOf(script, "--dwarf-pid", String(process.pid));
    assert.ok(!other.stacks.some(([frames]) => frames.includes("chain")));
    assert.deepEqual([...other.losses.keys()], ["unwind-no-process"]);
    const named = await stacksOf(script, "--dwarf-pid", String(child.pid));
    assert.deepEqual([named.stacks.length, named.losses.size], [1, 0]);
    // Processes that are chosen by other means are met one by one.
    const met = await stacksOf(script, "--comm", "unwind");
    assert.deepEqual(met.stacks.map(([frames]) => frames.at(-1)).includes("_start"), true);
  } finally {
    child.kill("SIGKILL");
  }
});
