// Stacks by tables from the first sample on: of what was not known before, too.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { compileC } from "../support/c-program.js";
import { info, lacks, lines, run, sameEverywhere } from "../support/run.js";
import { python } from "../support/workload.js";

const frameless = fixture("elf", "unwind");
const runs = process.arch === "x64" && spawnSync(frameless, ["chain"]).status === 0;
const hasTables = runs && info().features["bpfLoop"] === "yes";
const skip = lacks("uprobe") || sameEverywhere || !hasTables;

const config = 'config = { ustack_by = "tables"; max_map_keys = 100000; show_debug_info = false }';

interface Result {
  readonly stacks: ReadonlyMap<string, bigint>;
  /** Of stacks with frames. */
  readonly all: number;
  /** Stacks that are cut, for whatever reason. */
  readonly cut: number;
  readonly err: string;
}

async function stacksOf(script: string, ...args: readonly string[]): Promise<Result> {
  const { out, err, status } = await run("-q", "-f", "json", ...args, "-e", `${config} ${script}`);
  assert.equal(status, 0, err);
  let [all, cut] = [0, 0];
  const stacks = new Map<string, bigint>();
  for (const line of lines(out + err)) {
    const { type, data, reason, count } = JSON.parse(line);
    if (type === "loss" && String(reason).startsWith("unwind-")) cut += count;
    if (type !== "map") continue;
    for (const [stack, times] of Object.entries<number>(data["@"] ?? {})) {
      if (stack.trim() === "") continue;
      all += times;
      stacks.set(stack, BigInt(times));
    }
  }
  return { stacks, all, cut, err: err + out.slice(-500) };
}

/** A shell that runs a program so many times, one after the other. */
const often = (program: string, times: number): readonly string[] => [
  "-c",
  `/bin/sh -c 'i=0; while [ $i -lt ${times} ]; do ${program}; i=$((i+1)); done'`,
  "--tree",
];

function assertWhole({ all, cut, err }: Result, least: number): void {
  assert.ok(all >= least, `${all} stacks\n${err}`);
  assert.ok(cut <= all / 200, `${cut} of ${all} are cut\n${err}`);
}

test("a program that worked before anybody looked at it", { skip }, async () => {
  const source = "print(1, flush=True)\nwhile True: sorted(range(1000), key=lambda n: -n)";
  const child = spawn(python, ["-c", source], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await new Promise((done, failed) => child.once("error", failed).stdout.once("data", done));
    const script = `profile:hz:999 /pid == ${child.pid}/ { @[ustack] = count(); } interval:s:2 { exit(); }`;
    const found = await stacksOf(script);
    assertWhole(found, 300);
    let ended = 0n;
    for (const [stack, times] of found.stacks) if (/_start\+\d+\s*$/.test(stack)) ended += times;
    assert.ok(ended >= (995n * BigInt(found.all)) / 1000n, `${ended} of ${found.all} end with _start`);
  } finally {
    child.kill("SIGKILL");
  }
});

test("a script of 200 short processes, none of them known before", { skip }, async () => {
  assertWhole(await stacksOf("profile:hz:4999 { @[ustack] = count(); }", ...often("/bin/ls / >/dev/null", 200)), 300);
});

test("a frame larger than what is sent of a stack: its untouched pages are left out", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-hole-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hole = join(folder, "hole");
  const reason = compileC("hole", hole, "-O1", "-fomit-frame-pointer");
  if (reason !== false) return t.skip(String(reason));
  for (const others of ["", "uretprobe:libc:qsort_r {}"]) {
    // The key has the process: the text of these stacks is the same.
    const script = `tracepoint:syscalls:sys_enter_getppid /comm == "hole"/ { @[pid, ustack] = count(); } ${others}`;
    const result = await stacksOf(script, ...often(hole, 20));
    assert.deepEqual([result.all, result.cut], [20, 0], result.err);
    for (const stack of result.stacks.keys()) assert.match(stack, /inner.*hole.*compare.*qsort_r.*main.*_start/s);
  }
});

test("each of 200 processes has one whole stack", { skip }, async () => {
  const script = `${config} uprobe:${frameless}:leaf { @[ustack] = count(); }`;
  const { out, err, status } = await run("-q", ...often(`${frameless} chain 1`, 200), "-e", script);
  assert.equal(status, 0, err);
  const stacks = out.split(/^@\[/m).slice(1);
  assert.equal(stacks.length, 200);
  for (const stack of stacks) assert.match(stack, /^\s+leaf\+0\n[\s\S]*_start\+\d+\n\]: 1\s*$/);
  assert.doesNotMatch(err, /are cut/);
});

test("sums, extremes and steps of stacks that came late are those of all of them", { skip }, async () => {
  const { out, err, status } = await run(
    ...["-q", ...often("/bin/ls / >/dev/null", 50), "-e"],
    `${config} profile:hz:1999 { @n++; @c[ustack] = count(); @s[ustack] = sum(2); @i[ustack]++; @m[ustack] = max(7); }`,
  );
  assert.equal(status, 0, err);
  const values = (map: string): number[] =>
    [...out.matchAll(new RegExp(`^@${map}\\[[^\\]]*\\n\\]: (\\d+)$`, "gm"))].map(([, value]) => Number(value));
  const sum = (map: string): number => values(map).reduce((all, each) => all + each, 0);
  const events = Number(/^@n: (\d+)$/m.exec(out)?.[1]);
  assert.ok(events > 50);
  assert.deepEqual([sum("c"), sum("s"), sum("i")], [events, 2 * events, events]);
  assert.deepEqual([...new Set(values("m"))], [7]);
});

test("a stack that is printed is whole, too", { skip }, async () => {
  const { out, err, status } = await run(
    ...["-q", "-c", `${frameless} library 40`, "-e"],
    `${config} uprobe:${frameless}:leaf { printf("%s|", ustack()); }`,
  );
  assert.equal(status, 0, err);
  const printed = out.split("|").slice(0, -1);
  assert.equal(printed.length, 40);
  for (const stack of printed) assert.match(stack, /_start\+\d+\s*$/);
});
