import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript, compileWithErrors } from "../../test/support/compile-script.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { Simulation } from "../../test/support/simulation.js";

test("a predicate decides, with slashes inside or not", () => {
  for (const [predicate, fires] of [
    ["/arg0 > 5/", [false, true]],
    ['/arg0 > 5 && comm == "test"/', [false, true]],
    ["/arg0/2 > 2/", [false, true]],
    ["/!(arg0 % 2)/", [false, true]],
    ["/(arg0 / 6) == 1 || @never/", [false, true]],
    ['/comm == "other"/', [false, false]],
  ] as const) {
    const simulation = new Simulation(`kprobe:vfs_read ${predicate} { @++; @never = 0; }`);
    const fired = [5n, 6n].map((arg0) => {
      const before = simulation.scalar("@") ?? "0";
      simulation.fire({ registers: { arg0 } });
      return simulation.scalar("@") !== before && simulation.scalar("@") !== undefined;
    });
    assert.deepEqual(fired, fires, predicate);
  }
});

test("one program for several functions knows which one fired by its cookie", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read, kprobe:vfs_write { @[probe, func]++; if (probe == "kprobe:vfs_read") { @r++ } if (func != "vfs_read") { @w++ } }`,
  );
  assert.equal(simulation.compiled.object.programs.length, 1);
  for (const cookie of [0n, 1n, 1n]) {
    simulation.machine.environment.cookie = cookie;
    simulation.fire();
  }
  assert.deepEqual(simulation.map("@"), { "kprobe:vfs_read,vfs_read": "1", "kprobe:vfs_write,vfs_write": "2" });
  assert.deepEqual([simulation.scalar("@r"), simulation.scalar("@w")], ["1", "2"]);
});

test("registers: arguments, results, by name, on the stack", () => {
  const simulation = new Simulation(
    'kprobe:vfs_read { @ = (arg0, arg5, reg("ip"), reg("sp"), arg6); } kretprobe:vfs_read { @r = retval; @n = (int32)retval; }',
  );
  const stack = new Uint8Array(32);
  new DataView(stack.buffer).setBigUint64(8, 77n, true);
  const sp = simulation.put("kernel", stack);
  simulation.fire({ registers: { arg0: 1n, arg5: 6n, ip: 0x42n, sp } });
  simulation.fire({ registers: { ax: 0xffff_fffen } }, 1);
  assert.equal(simulation.scalar("@"), `(1,6,66,${sp},77)`);
  assert.deepEqual([simulation.scalar("@r"), simulation.scalar("@n")], ["4294967294", "-2"]);
});

test("a system call's arguments come from its registers; another call is none of the program's business", () => {
  const simulation = new Simulation(
    `tracepoint:syscalls:sys_enter_openat { @[str(args.filename), args->flags, args.dfd] = count(); @nr = args.__syscall_nr; }`,
  );
  const registers = { di: -100n, si: simulation.put("user", "/etc/passwd"), dx: 0x80000n };
  simulation.fire({ registers, words: [257n] }).fire({ registers, words: [2n] });
  // The kernel's record holds each argument as unsigned long, whatever its C type says; bpftrace shows the same.
  assert.deepEqual(simulation.map("@"), { "/etc/passwd,524288,18446744073709551516": "1" });
  assert.equal(simulation.scalar("@nr"), "257");
});

test("a wildcard of system calls is one program that looks numbers up", () => {
  const simulation = new Simulation("tracepoint:syscalls:sys_enter_* { @[probe]++; }");
  assert.equal(simulation.compiled.object.programs.length, 1);
  for (const number of [0n, 1n, 257n, 257n, 3n, 1_000_000n, -1n]) simulation.fire({ words: [number] });
  assert.deepEqual(simulation.map("@"), {
    "tracepoint:syscalls:sys_enter_openat": "2",
    "tracepoint:syscalls:sys_enter_read": "1",
    "tracepoint:syscalls:sys_enter_write": "1",
  });
});

test("results of system calls; which call it was stands in the registers", () => {
  const simulation = new Simulation(
    `tracepoint:syscalls:sys_exit_read /args.ret < 0/ { @[args.ret]++; } tracepoint:syscalls:sys_exit_write { @w = args.ret; }`,
  );
  for (const program of [0, 1]) {
    simulation.fire({ registers: { orig_rax: 0n }, words: [-5n] }, program);
    simulation.fire({ registers: { orig_rax: 1n }, words: [-9n] }, program);
  }
  simulation.fire({ registers: { orig_rax: 0n }, words: [5n] });
  assert.deepEqual([simulation.map("@"), simulation.scalar("@w")], [{ "-5": "1" }, "-9"]);
});

test("a 32-bit system call has another number and is left out", () => {
  const simulation = new Simulation("tracepoint:syscalls:sys_enter_read { @++; }");
  simulation.setTask("thread_info.status", 2n);
  simulation.fire({ words: [0n] });
  assert.equal(simulation.scalar("@"), undefined);
  simulation.setTask("thread_info.status", 0n);
  simulation.fire({ words: [0n] });
  assert.equal(simulation.scalar("@"), "1");
});

test("the record of a tracepoint: numbers, text, a __data_loc string", () => {
  const simulation = new Simulation(
    `tracepoint:sched:sched_switch { @[args.prev_comm] = args.prev_pid; printf("%s %d %ld", args->next_comm, args.next_prio, args.prev_state); }
     tracepoint:sched:sched_process_exec { @file = str(args.filename); @pid = args.pid; }`,
  );
  const fields = (program: number): Map<string, number> =>
    new Map(
      (simulation.compiled.script.programs[program]?.variant.args ?? []).map(({ name, source }) => [
        name,
        "offset" in source ? source.offset : -1,
      ]),
    );
  const record = new Uint8Array(80).fill(0x5a);
  const view = new DataView(record.buffer);
  const at = fields(0);
  record.set(new TextEncoder().encode("before\0"), at.get("prev_comm"));
  record.set(new TextEncoder().encode("after\0"), at.get("next_comm"));
  view.setInt32(at.get("prev_pid") ?? 0, 7, true);
  view.setInt32(at.get("next_prio") ?? 0, -3, true);
  view.setBigInt64(at.get("prev_state") ?? 0, -1n, true);
  simulation.fire({ record });
  assert.deepEqual([simulation.map("@"), simulation.text], [{ before: "7" }, "after -3 -1"]);

  const exec = new Uint8Array(64);
  const execView = new DataView(exec.buffer);
  const execAt = fields(1);
  execView.setUint32(execAt.get("filename") ?? 0, 40 | (8 << 16), true);
  execView.setInt32(execAt.get("pid") ?? 0, 99, true);
  exec.set(new TextEncoder().encode("/bin/sh\0"), 40);
  simulation.fire({ record: exec }, 1);
  assert.equal(simulation.scalar("@pid"), "99");
});

test("the words of a raw tracepoint", () => {
  const simulation = new Simulation(
    "rawtracepoint:sched_switch { @preempt = arg0; $t = (struct task_struct *)arg1; @pid = $t->pid; @next = args.next->comm; }",
  );
  simulation.setTask("pid", 9n);
  simulation.setTask("comm", "next");
  const { task } = simulation.machine.environment;
  simulation.fire({ words: [1n, task, task] });
  const found = ["@preempt", "@pid", "@next"].map((name) => simulation.scalar(name));
  assert.deepEqual(found, ["1", "9", "next"]);
});

test("without an attach cookie a program is told by a constant which probe it serves", () => {
  const kernel = new FixtureKernel({ features: { attachCookie: "no" } });
  const simulation = new Simulation("kprobe:vfs_read, kprobe:vfs_write { @[probe]++; }", { kernel });
  simulation.machine.environment.cookie = 1n;
  simulation.fire();
  assert.deepEqual(simulation.map("@"), { "kprobe:vfs_write": "1" });
});

const arm64 = new FixtureKernel({ arch: "arm64" });

test("arm64: arguments, results and registers of functions", () => {
  const simulation = new Simulation(
    'kprobe:vfs_read { @a = (arg0, arg5, arg7, reg("pc"), reg("sp"), reg("r29")); } kretprobe:vfs_read { @r = retval; }',
    { kernel: arm64 },
  );
  simulation.fire({ registers: { x0: 10n, x5: 15n, x7: 17n, pc: 256n, sp: 31n, fp: 29n, x29: 29n } });
  assert.equal(simulation.scalar("@a"), "(10,15,17,256,31,29)");
  simulation.fire({ registers: { x0: 99n } }, 1);
  assert.equal(simulation.scalar("@r"), "99");
});

test("arm64: arguments of system calls, by its own numbers; the first is kept beside x0", () => {
  const simulation = new Simulation(
    "tracepoint:syscalls:sys_enter_openat { @o = (args.dfd, args.flags); } tracepoint:syscalls:sys_enter_read { @r = args.count; }",
    { kernel: arm64 },
  );
  const registers = { x0: 1n, 272: 7n, x2: 9n };
  simulation.fire({ registers, words: [56n] });
  simulation.fire({ registers, words: [257n] });
  simulation.fire({ registers, words: [63n] }, 1);
  assert.deepEqual([simulation.scalar("@o"), simulation.scalar("@r")], ["(7,9)", "9"]);
});

test("arm64: the number of a call that ends is not in x8, which a signal's return overwrites", () => {
  const simulation = new Simulation("tracepoint:syscalls:sys_exit_read { @[args.ret]++; }", { kernel: arm64 });
  // pt_regs.syscallno at 280: 63 is read, -1 none; behind it lie other bits.
  simulation.fire({ registers: { x8: 1n, 280: 63n | (5n << 32n) }, words: [4n] });
  simulation.fire({ registers: { x8: 63n, 280: 0xffff_ffffn }, words: [5n] });
  simulation.fire({ registers: { x8: 63n, 280: 64n }, words: [6n] });
  assert.deepEqual(simulation.map("@"), { 4: "1" });
});

test("arm64: system calls of 32-bit processes have other numbers and are left out", () => {
  const simulation = new Simulation("tracepoint:syscalls:sys_enter_read { @++; }", { kernel: arm64 });
  simulation.setTask("thread_info.flags", 1n << 22n);
  simulation.fire({ words: [63n] });
  assert.equal(simulation.scalar("@"), undefined);
  simulation.setTask("thread_info.flags", ~(1n << 22n));
  simulation.fire({ words: [63n] });
  assert.equal(simulation.scalar("@"), "1");
});

test("arm64: user probes, targets and whole scripts compile", () => {
  const script = `begin { @start = nsecs; } uprobe:/fixture/tiny:twice { @[ustack, arg0] = count(); }
    uretprobe:/fixture/tiny:twice { @r = hist(retval); } profile:hz:99 { @k[kstack] = count(); }
    tracepoint:syscalls:sys_enter_* { @n[probe] = count(); } tracepoint:sched:sched_switch { @c[args.next_comm] = sum(1); }
    interval:s:1 { print(@n); clear(@n); } end { clear(@start); }`;
  const filter = { process: 5, tree: true, cgroups: 1, users: [0], names: ["a"] };
  for (const features of [
    {},
    { attachCookie: "no", bpfLoop: "no", cpuV4: "no", rawTracepointUnpreempted: "no" },
  ] as const) {
    const kernel = new FixtureKernel({ arch: "arm64", features });
    assert.ok(compileScript(script, { kernel, filter }).object.programs.length >= 10);
  }
});

test("a system call's old function name is explained with the machine's own", () => {
  for (const [arch, prefix] of [
    ["x86_64", "__x64_sys_"],
    ["arm64", "__arm64_sys_"],
  ] as const) {
    const kernel = new FixtureKernel({ arch });
    const told = compileWithErrors("kprobe:sys_frobnicate { @ = count(); }", { kernel });
    assert.ok(told.includes(`${prefix}frobnicate`), told);
  }
});
