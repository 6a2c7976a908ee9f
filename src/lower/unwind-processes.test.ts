// What unwinding by tables brings along: maps, functions and programs of ours; test/kernel/dw-ustack.test.ts runs them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript } from "../../test/support/compile-script.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { recordAt, scratchSize } from "../language/builtins/unwind-memory.js";
import { mostPendingPages, pendingPages, pendingSize, processSize } from "../wire/unwind.js";

test("a script by frame pointers has nothing of it", () => {
  for (const [stack, kept] of [
    ["ustack", true],
    ["ustack(build_id)", false],
  ] as const) {
    const framePointers = () => ({ kept, why: "" });
    const script = `profile:hz:99 { @[${stack}] = count(); }`;
    const { object, trackers, unwinds } = compileScript(script, { pid: 1, framePointers });
    assert.deepEqual([trackers, unwinds, object.programs.length], [[], false, 1]);
    assert.ok(!object.maps.some(({ name }) => name.startsWith("unw")));
  }
});

test("ustack of processes without frame pointers is what dw_ustack is", () => {
  const framePointers = () => ({ kept: false, why: "libc.so.6 keeps none" });
  const maps = (stack: string): string[] =>
    compileScript(`profile:hz:99 { @[${stack}, ${stack}(perf, 3)] = count(); }`, {
      pid: 1,
      framePointers,
    }).object.maps.map(({ name }) => name);
  assert.deepEqual(maps("ustack"), maps("dw_ustack"));
});

test("files are looked at only for a script that has ustack", () => {
  const framePointers = () => assert.fail("nobody wants to know");
  for (const script of ["BEGIN { exit(); }", "profile:hz:99 { @[kstack] = count(); @d[dw_ustack] = count(); }"])
    compileScript(script, { pid: 1, framePointers });
});

for (const probe of [
  "profile:hz:99",
  "tracepoint:sched:sched_switch",
  "rawtracepoint:sched_switch",
  "kprobe:vfs_read",
  "fentry:vfs_read",
  "uprobe:/fixture/tiny:twice",
]) {
  test(`${probe}: maps of one table a file and of stacks of each depth, and the programs that keep them`, () => {
    const script = `${probe} { @[dw_ustack, dw_ustack(perf, 3)] = count(); }`;
    const { object, trackers } = compileScript(script, { pid: 1 });
    const names = object.maps.map(({ name }) => name).filter((name) => name.startsWith("unw"));
    assert.deepEqual(names.sort(), [
      ...[
        "unwind_empty",
        "unwind_file",
        "unwind_maps",
        "unwind_news",
        "unwind_pending",
        "unwind_tables",
        "unwind_wanted",
      ],
      ...["unwound127", "unwound3"],
    ]);
    assert.notEqual(object.maps.find(({ name }) => name === "unwind_tables")?.inner, undefined);
    assert.deepEqual(
      trackers.map(({ program, event }) => [program, event]),
      [
        ["unwind_birth", "task_newtask"],
        ["unwind_exec", "sched_process_exec"],
        ["unwind_free", "sched_process_free"],
      ],
    );
    const [own] = object.programs;
    // Of each room for frames a function for the stack, one for a frame, and two that fill records of unfinished ones; two
    // for mappings, two that look for what is sent.
    assert.equal(own?.functions.length, 1 + 2 * 4 + 2 + 2);
  });
}

test("stacks of whatever depth share the functions that unwind them, which the verifier looks at by themselves", () => {
  const stacks = Array.from({ length: 20 }, (_, i) => `dw_ustack(${2 * i + 1})`).join(", ");
  const { object } = compileScript(`profile:hz:99 { @[${stacks}] = count(); @again[dw_ustack(4)] = count(); }`, {
    pid: 1,
  });
  const functions = object.programs[0]?.functions.map(({ pointsTo }) => pointsTo) ?? [];
  const alone = functions.filter((pointsTo) => pointsTo !== undefined);
  const scratch = scratchSize(39);
  // What was found in the kernel, memory that the stack is in, and a number; what is sent, in two sizes.
  assert.deepEqual(alone, [
    [scratch, processSize, 0],
    [recordAt],
    [pendingSize(39, mostPendingPages), scratch, 0],
    [pendingSize(39, pendingPages), scratch, 0],
  ]);
  assert.equal(functions.length, alone.length + 5);
});

test("in a pid namespace of its own the tracer cannot follow children", () => {
  const kernel = new FixtureKernel({ pidNamespace: { device: 4n, inode: 4026532000n } });
  const { trackers, unwinds } = compileScript("profile:hz:99 { @[dw_ustack] = count(); }", { pid: 1, kernel });
  assert.deepEqual([trackers, unwinds], [[], true]);
});

test("processes that nobody has named are added where the trace is limited to some", () => {
  const calls = (filter: { readonly names?: readonly string[] }): number => {
    const { object } = compileScript("profile:hz:99 { @[dw_ustack] = count(); }", { pid: 1, filter });
    return object.programs[0]!.relocations.filter((each) => each.kind === "map" && each.map === "unwind_maps").length;
  };
  // Looked up; or looked up, added, and looked up again.
  assert.deepEqual([calls({}), calls({ names: ["init"] })], [1, 3]);
});
