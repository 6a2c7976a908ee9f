// What scripts are made of, as this kernel's verifier sees it: nothing is attached, so that all of it fits into one process.
// What it computes is the same on every kernel, and tested where a start takes no seconds (`sameEverywhere`).
import assert from "node:assert/strict";
import { openKernelView } from "../../src/kernel/kernel-view.js";
import { helperOffers } from "../../src/kernel/offers.js";
import { builtins } from "../../src/language/builtins/index.js";
import type { KernelView } from "../../src/language/kernel-view.js";
import { mapFunctions } from "../../src/language/map-functions/index.js";
import type { FeatureName } from "../../src/language/needs.js";
import type { Sys } from "../../src/sys/sys.js";
import { Trace } from "../../src/trace/trace.js";
import { fixture } from "../fixtures/path.js";
import { compileScript } from "../support/compile-script.js";
import { kernelTest } from "../support/kernel-test.js";

/** Where anything may stand, and the kernel's feature that it needs. Each action is loaded for two of them. */
const places = [
  { at: "tracepoint:syscalls:sys_enter_openat", feature: "tracepoint" },
  { at: `uprobe:${fixture("elf", "tiny")}:twice`, feature: "uprobe" },
  { at: "kprobe:vfs_read", feature: "kprobe" },
  { at: "profile:hz:1", feature: "tracepoint" },
  { at: "fentry:vfs_read", feature: "fentry" },
  { at: "rawtracepoint:sys_enter", feature: "tracepoint" },
  { at: "iter:task", feature: "iter" },
] as const;

/** Anywhere. */
const actions = [
  '@[pid, tid, uid, gid] = count(); printf("%s %s %d\\n", username, comm, cpu);',
  "@ = rand; @n = numaid; @c = ncpus; @j = jiffies; @e = elapsed; @t = curtask; @i[pid(init), tid(curr_ns)] = nsecs(boot);",
  '@[ppid, pcomm, leader_tid, leader_comm] = 1; if (has_cpid) { @c = cpid; } printf("%s %s", probetype, probe);',
  'printf("%s %s %d", cgroup_path(cgroup), cgroup_path(cgroup, "uni*"), cgroupid("/sys/fs/cgroup"));',
  'time("%H\\n"); printf("%s %s", strftime("%H:%M:%f", nsecs), strftime("%S", nsecs(tai)));',
  '$s = str(0, 32); @l[strlen($s), strcap(comm)] = strstr(comm, "a"); if (strcontains(comm, "ab") || strncmp(comm, "ba", 2) == 0) { @s = str_concat($s, comm); }',
  '@m = memcmp("abc", "abd", 3); printf("%s %s %s %d", strerror(2), signal_name(9), syscall_name(1), default_str_length);',
  'printf("%s %s %s", ntop(0x0100007f), ntop(10, pton("::1")), macaddr(curtask)); @ = bswap((uint32)1);',
  'printf("%r %rx", buf(curtask, 8), buf(kaddr("vfs_read"), 4)); @k[ksym(kaddr("vfs_read")), usym(1)] = count();',
  '@[kstack(3), ustack(perf, 4)] = count(); printf("%s%s", kstack(raw), ustack(2)); @l = len(kstack(7));',
  'print((1, "a", comm)); print(@x, 3, 2); @x[1] = 2; clear(@x); zero(@x); errorf("%d", 1); warnf("%d", 2); debugf("%d", 3);',
  "@x[pid, comm] = 1; delete(@x, (pid, comm)); if (has_key(@x, (1, comm))) { @y = len(@x); } if (find(@x, (1, comm), $v)) { @z = $v; }",
  "$t = (struct task_struct *)curtask; @[$t->comm, $t->parent->tgid] = $t->se.vruntime; @p = uptr((uint8 *)1); @k = kptr($t); @c = container_of(&$t->se, typeof(struct task_struct), se)->pid;",
  'assert(pid > 0, "none"); @ = is_err(curtask); if (kfunc_exist("bpf_task_from_pid") && is_ptr(curtask) && is_str(comm) && !is_array(pid) && !is_unsigned_integer(comm) && kfunc_allowed("bpf_task_from_pid")) { assert_str(comm); exit(3); }',
  'system("echo %d", pid); cat("/proc/%d/comm", pid); join((uint8 **)0, ","); static_assert(1 + 1 == 2 && is_literal(3), "no"); if comptime (!is_integer(pid)) { fail("%d", 1); }',
  "@c = count(); @s = sum(pid); @a = avg(tid); @i = min(pid); @m = max(pid); @t = stats(pid); print(@t);",
  '@h[comm] = hist(pid, 2); @l = lhist(pid, 0, 1000, 10); @ts = tseries(pid, 1s, 5, "max");',
  "$i = 0; while ($i < 200) { $i++; if ($i == 9) { continue; } if ($i > pid) { break; } @n[$i] = sum($i); } for ($k : 0..pid) { @z = $k; }",
  "@x[1, comm] = pid; for ($kv : @x) { @s = sum($kv.1); if ($kv.0.0 == 2) { break; } } unroll (5) { @u++; }",
  "$a = (int64)pid; $b = (int32)tid - 7; @r[$a / ($b + 1), $a % ($b | 1), $a << 3, $a >> 2, ~$a, !$b, -$b] = $a > $b ? (1, 2) : (3, 4);",
  'let $r : struct task_struct * = 0; $q = (a = 1, b = comm); @q[$q] = ($q.a, $q.b); @v = { pid } + { tid }; if comm == "x" { return; }',
] as const;

const tiny = `uprobe:${fixture("elf", "tiny")}:twice`;

/** So many different stacks by unwinding tables. */
const stacksOf = (count: number): string =>
  Array.from({ length: count }, (_, i) => `dw_ustack(${8 * i + 1})`).join(", ");

interface PlacedScript {
  /** What the kernel must have: a helper that lockdown may keep from programs, and a variable whose address it tells. */
  readonly feature: string;
  readonly helper?: string;
  readonly variable?: string;
  /** Somebody is traced. */
  readonly pid?: number;
  readonly text: string;
}

/** At places of their own. */
const scripts: readonly PlacedScript[] = [
  {
    feature: "kprobe",
    text: `kprobe:vfs_read { @[func, arg0, arg1, arg2, reg("ip")] = count(); @c = ctx; }
      kretprobe:vfs_read { @h[func] = hist(retval); }`,
  },
  { feature: "kprobe", text: "kprobe:do_nanosleep { @[arg3, arg4, arg5] = count(); @u = usermode; }" },
  { feature: "overrideReturn", text: "kprobe:__x64_sys_getuid { override(1); }" },
  {
    feature: "fentry",
    text: `fentry:vfs_read { @[args.count, args.file->f_flags] = count(); print(*args.pos); }
      fexit:vfs_read { @r = retval; }`,
  },
  {
    feature: "fentry",
    text: 'fentry:security_file_open { printf("%s %s", path(args.file.f_path), path(args.file.f_path, 32)); }',
  },
  {
    feature: "fentry",
    text: `fentry:tcp_sendmsg { @[socket_cookie(args.sk)] = sum(args.size); }
      fentry:__dev_queue_xmit { @s = skboutput("/dev/null", args.skb, 64, 0); }`,
  },
  {
    feature: "uprobe",
    text: `${tiny} { @[arg0, arg5, func, reg("sp")] = count(); @a = (arg6, arg7, arg8, arg9); @u = *uaddr("counter"); }
      ${tiny.replace("uprobe", "uretprobe")} { @r = retval; }`,
  },
  { feature: "uprobe", helper: "probe_write_user", text: `${tiny} { @w = write_user(arg0, "x", 1); }` },
  {
    feature: "uprobe",
    pid: process.pid,
    text: `${tiny} { @[dw_ustack(5)] = count(); printf("%s", dw_ustack(perf)); }`,
  },
  // Ways to the end of a stack are not multiplied by those of the stacks in front of it.
  {
    feature: "uprobe",
    pid: process.pid,
    text: `${tiny} { printf("${"%s".repeat(16)}", ${stacksOf(16)}); @[${stacksOf(4)}] = count(); if (pid > 1) { @s = ${stacksOf(1)}; } }`,
  },
  {
    feature: "tracepoint",
    text: `config = { ustack_by = "tables" }
      profile:hz:1 { ${Array.from({ length: 16 }, (_, i) => `@m${i}[ustack(${7 * (i + 1)})] = count();`).join(" ")} }`,
  },
  {
    feature: "tracepoint",
    text: `tracepoint:syscalls:sys_enter_kill { signal(9); signal_thread("SIGKILL"); print(args.pid); }
      tracepoint:sched:sched_switch { @[args.prev_comm, args.next_pid] = count(); }`,
  },
  { feature: "tracepoint", text: "rawtracepoint:sched_switch { @[arg0, args.prev->pid] = count(); }" },
  {
    feature: "tracepoint",
    variable: "__per_cpu_offset",
    text: 'interval:s:1 { @ = percpu_kaddr("runqueues", 0); @o = percpu_kaddr("runqueues"); }',
  },
  {
    feature: "iter",
    text: 'iter:task_file { printf("%s %d", ctx.task.comm, ctx.fd); } iter:task_vma { @[ctx.vma.vm_start] = 1; }',
  },
  {
    feature: "tracepoint",
    text: `config = { max_strlen = 256; max_map_keys = 10; }
      begin { @o = getopt("n", 3, "a number"); @p = ($1, str($2)); }
      software:faults:100 { @c = count(); } interval:s:1 { print(@c); clear(@c); } end { zero(@c); }`,
  },
];

/** What is wrong with a script, if it cannot be loaded. */
function problemOf(
  sys: Sys,
  kernel: KernelView,
  { text, pid }: Pick<PlacedScript, "text" | "pid">,
): string | undefined {
  try {
    const unit = compileScript(text, { kernel, unsafe: true, pid });
    using _trace = new Trace({ sys, kernel, unit, pid, onEvent: () => undefined });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

kernelTest("every builtin, every function and every kind of statement is accepted", (sys) => {
  const kernel = openKernelView(sys);
  const has = ({ feature, helper, variable }: Omit<PlacedScript, "text">): boolean =>
    (helper === undefined || helperOffers.find(({ name }) => name === helper)?.ask(sys) === "yes") &&
    (feature === "tracepoint" || kernel.feature(feature as FeatureName) === "yes") &&
    (variable === undefined || kernel.kernelSymbol(variable) !== undefined);
  const usable = places.filter(has);
  const placed = actions.flatMap((action, i) =>
    [i, i + 1].map((each) => ({ text: `${usable[each % usable.length]?.at} { ${action} }` })),
  );
  assert.ok(usable.length >= 3, `${usable.length} places`);
  const refused = [...placed, ...scripts.filter(has)].flatMap((script) => {
    const problem = problemOf(sys, kernel, script);
    return problem === undefined ? [] : [`${script.text}\n${problem}`];
  });
  assert.equal(refused.length, 0, refused.join("\n\n"));
});

kernelTest("none of the tables of the language is left out", () => {
  const words = new Set([...actions, ...scripts.map(({ text }) => text)].flatMap((text) => text.match(/\w+/g) ?? []));
  const names = [...builtins, ...mapFunctions].map(({ name }) => name);
  assert.ok(names.length > 100, String(names.length));
  assert.deepEqual(
    names.filter((name) => !words.has(name)),
    [],
  );
});
