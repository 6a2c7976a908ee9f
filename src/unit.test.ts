import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText } from "../test/support/compile-script.js";
import { decodePlain, encodePlain } from "./base/plain-data.js";

const scripts = [
  `kprobe:vfs_read { @[comm, kstack, ustack] = count(); @t = ((struct task_struct *)arg0)->pid; print(*(struct file *)arg0); }
   begin { @h = hist(5); @l[1] = lhist(1, 0, 10, 1); @s = stats(3); @ts = tseries(1, 1s, 5); printf("%s", usym(1)); }`,
  "fentry:vfs_read { print(args); @[args.file.f_flags] = sum(args.count); } fexit:vfs_read { @r = retval; }",
  "tracepoint:syscalls:sys_enter_openat { print((args.dfd, str(args.filename))); } rawtracepoint:sched_switch { @[arg0] = 1; }",
  "uprobe:/fixture/tiny:twice { @[arg0] = min(1); } usdt:/fixture/probes:* { @u = count(); } interval:s:1 { print(@u); clear(@); }",
  "watchpoint:0x1000:8:w { @ = 1; } software:page-faults:7 { @p = avg(1); } profile:hz:99 { @f[cpu, probe] = max(1); }",
  'iter:task { printf("%d", ctx.task.pid); } self:signal:SIGUSR1 { exit(1); }',
];

test("a Unit is plain data: nothing of it is lost by copying", () => {
  for (const script of scripts) {
    const { unit, diagnostics } = compileText(script, { unsafe: true });
    assert.ok(unit, diagnostics[0]?.message);
    assert.deepEqual(structuredClone(unit), unit);
  }
});

test("a Unit comes back from its bytes", () => {
  for (const script of scripts) {
    const { unit } = compileText(script, { unsafe: true });
    assert.deepEqual(decodePlain(encodePlain(unit)), unit);
  }
});
