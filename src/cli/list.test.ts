import assert from "node:assert/strict";
import { test } from "node:test";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { Diagnostics } from "../base/diagnostics.js";
import { listPatterns, listScript } from "./list.js";

const kernel = new FixtureKernel();
const list = (pattern: string): string[] => [...listPatterns(pattern, kernel, { verbose: false, pid: undefined })];

test("parts in front of the written ones match all, and nothing else does", () => {
  assert.deepEqual(list("t:sched_switch"), ["tracepoint:sched:sched_switch"]);
  assert.deepEqual(list("tracepoint:sched:*switch"), ["tracepoint:sched:sched_switch"]);
  assert.deepEqual(list("rawtracepoint:sched_switch"), ["rawtracepoint:vmlinux:sched_switch"]);
  assert.deepEqual(list("rt:vmlinux:sched_switch"), ["rawtracepoint:vmlinux:sched_switch"]);
  assert.deepEqual(list("software:cpu"), ["software:cpu:"]);
});

test("without a type all types are searched, sorted by type", () => {
  assert.deepEqual(list("sched_switch"), ["rawtracepoint:vmlinux:sched_switch", "tracepoint:sched:sched_switch"]);
  assert.deepEqual(list("*faults*"), list("*:*faults*"));
  const types = [...new Set(list("").map((name) => name.split(":")[0]))];
  assert.deepEqual(types, [...types].sort());
  assert.deepEqual(list(""), list("*"));
});

test("return probes and moments are listed by type only", () => {
  const types = new Set(list("*").map((name) => name.split(":")[0]));
  for (const type of ["begin", "end", "self", "kretprobe", "uretprobe"]) assert.ok(!types.has(type), type);
  assert.deepEqual(list("begin"), ["begin"]);
  assert.deepEqual(list("self:*"), ["self:signal:SIGUSR1"]);
  assert.deepEqual(list("kretprobe:vfs_read"), ["kretprobe:vfs_read"]);
});

test("what is incomplete means what it can: a type, a category, a part of a word", () => {
  assert.deepEqual(
    list("interval"),
    ["hz", "ms", "s", "us"].map((unit) => `interval:${unit}:`),
  );
  assert.deepEqual(
    list("tracepoint:raw_syscalls"),
    ["sys_enter", "sys_exit"].map((name) => `tracepoint:raw_syscalls:${name}`),
  );
  assert.deepEqual(list("raw_sysc*"), []);
  assert.ok(list("sched_swi").includes("tracepoint:sched:sched_switch"));
});

test("several patterns, types", () => {
  assert.deepEqual(list("software:cs, struct  path,struct file"), ["software:cs:", "struct path", "struct file"]);
});

test("what a script's attach points mean, each once, with counts", () => {
  const text =
    "begin { } software:cs:100, t:sched:sched_switch { } tracepoint:sched:sched_switch { } interval:s:5 { } end { }";
  const found = [...listScript({ name: "t", text }, kernel, { verbose: false, pid: undefined }, new Diagnostics())];
  assert.deepEqual(found, ["software:cs:", "tracepoint:sched:sched_switch", "interval:s:"]);
});

test("-lv shows arguments of raw tracepoints as C declares them", () => {
  const lines = [...listPatterns("rt:sched_switch", kernel, { verbose: true, pid: undefined })];
  assert.deepEqual(lines, [
    "rawtracepoint:vmlinux:sched_switch",
    "    bool preempt",
    "    struct task_struct * prev",
    "    struct task_struct * next",
    "    unsigned int prev_state",
  ]);
});
