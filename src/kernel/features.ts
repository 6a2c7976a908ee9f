import { BPF_F_SLEEPABLE, BPF_MAP_TYPE_RINGBUF } from "../abi/bpf.js";
import {
  BPF_ADD,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_DW,
  BPF_FETCH,
  BPF_K,
  BPF_MEM,
  BPF_MOV,
  BPF_ST,
  BPF_STX,
  BPF_X,
} from "../abi/bpf-insn.js";
import { EACCES, EBADF, EFAULT, EINVAL, ENODEV, ENOENT, ENOSPC, ENOTSUPP, EOPNOTSUPP, EPERM } from "../abi/errno.js";
import { HW_BREAKPOINT_W, PERF_COUNT_HW_CPU_CYCLES, PERF_TYPE_BREAKPOINT, PERF_TYPE_HARDWARE } from "../abi/perf.js";
import {
  BPF_TRACE_FENTRY,
  BPF_TRACE_ITER,
  BPF_TRACE_KPROBE_MULTI,
  BPF_TRACE_KPROBE_SESSION,
  BPF_TRACE_RAW_TP,
  BPF_TRACE_UPROBE_MULTI,
} from "../abi/program-type.js";
import { zeroed } from "../abi/struct.js";
import type { Btf } from "../formats/btf.js";
import type { Missing } from "../language/kernel-view.js";
import type { FeatureAnswer, FeatureName, FeatureReply } from "../language/needs.js";
import type { Fd } from "../sys/fd.js";
import { linkUprobeMulti, rawTracepointOpen, tryKprobeMulti, tryRawTracepointCookie } from "../sys/link-calls.js";
import { mapCreate } from "../sys/map-calls.js";
import { perfEventOpen, perfReadCount } from "../sys/perf-calls.js";
import { progTestRun } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import { readPmu } from "./pmu.js";
import { answer, exitInstruction, hasHelper, type Instruction, loads, loadTrial } from "./probe-program.js";

/** What features are asked with. */
export interface FeatureContext {
  readonly sys: Sys;
  /** As `uname -r` has it. */
  readonly release: string;
  btf(): Btf | Missing;
  /** The process has the rights that tracing needs, so that EPERM is the kernel's policy. */
  readonly privileged: boolean;
}

export interface Feature {
  /** First mainline version; for messages and tests only. */
  readonly since: string;
  /** Last mainline version that has it, of what newer ones do not. */
  readonly until?: string;
  readonly what: string;
  /** What a user does without, where it is missing. */
  readonly costs: string;
  readonly ask: (context: FeatureContext) => FeatureReply;
}

const returnZero: Instruction = [BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0];
const empty = [returnZero, exitInstruction];
const yesNo = (present: boolean): "yes" | "no" => (present ? "yes" : "no");
/** EPERM of somebody who may do everything else: a locked down kernel, or one built or booted so. */
const refused = (context: FeatureContext): FeatureAnswer => (context.privileged ? "no" : "unknown");

/**
 * Whether links of that kind exist. The names lie at an address that cannot be read: who gets as far as reading them says
 * EFAULT. bpf_kprobe_multi_link_attach(), kernel/trace/bpf_trace.c, v5.18 to v6.18; without CONFIG_FPROBE EOPNOTSUPP.
 */
const asksForNames = (
  context: FeatureContext,
  attachType: typeof BPF_TRACE_KPROBE_MULTI | typeof BPF_TRACE_KPROBE_SESSION,
): FeatureReply =>
  withProgram(context.sys, attachType, (program) =>
    answer(() => tryKprobeMulti(context.sys, program, attachType), {
      [EFAULT]: "yes",
      [EINVAL]: "no",
      [EOPNOTSUPP]: "no",
      [EPERM]: refused(context),
    }),
  );

/** How each feature is asked for: by trying it with the smallest thing that the kernel accepts only if it has it. */
export const features = {
  btf: {
    since: "5.2",
    what: "type information of the kernel (CONFIG_DEBUG_INFO_BTF)",
    costs: "members of kernel structures need headers; args of raw tracepoints, iterators and fentry do not work",
    ask: ({ btf }) => yesNo(!("missing" in btf())),
  },
  ringBuffer: {
    since: "5.8",
    what: "BPF ring buffers",
    costs: "nothing works: all that a script says goes through one",
    ask: ({ sys }) =>
      answer(
        () => {
          const ring = { type: BPF_MAP_TYPE_RINGBUF, keySize: 0, valueSize: 0, maxEntries: sys.pageSize, flags: 0 };
          mapCreate(sys, { name: "bt_feature", ...ring })[Symbol.dispose]();
        },
        { [EINVAL]: "no" },
      ),
  },
  attachCookie: {
    since: "5.15",
    what: "attach cookies",
    costs: "a program with many attach points that says probe or func is loaded once for each",
    ask: ({ sys }) => hasHelper(sys, "kprobe", "get_attach_cookie"),
  },
  kprobe: {
    since: "4.17",
    what: "kprobes (CONFIG_KPROBE_EVENTS)",
    costs: "kprobe and kretprobe do not work; tracepoints and fentry may do instead",
    ask: () => yesNo(readPmu("kprobe") !== undefined),
  },
  kprobeMulti: {
    since: "5.18",
    what: "many kprobes in one link (CONFIG_FPROBE)",
    costs: "functions of a wildcard are attached one by one, which takes seconds for hundreds, and again to detach",
    ask: (context) => asksForNames(context, BPF_TRACE_KPROBE_MULTI),
  },
  kprobeSession: {
    since: "6.10",
    what: "one program for the entries and returns of many functions",
    costs: "entry and return of the same functions are two attachments",
    ask: (context) => asksForNames(context, BPF_TRACE_KPROBE_SESSION),
  },
  uprobe: {
    since: "4.17",
    what: "uprobes (CONFIG_UPROBE_EVENTS)",
    costs: "uprobe, uretprobe and usdt do not work",
    ask: () => yesNo(readPmu("uprobe") !== undefined),
  },
  uprobeMulti: {
    since: "6.6",
    what: "many uprobes in one link",
    costs: "places in programs are attached one by one, which takes longer",
    // `/` is no regular file: who knows this kind of link says EBADF.
    // bpf_uprobe_multi_link_attach(), kernel/trace/bpf_trace.c, v6.6 to v6.18.
    ask: ({ sys }) =>
      withProgram(sys, BPF_TRACE_UPROBE_MULTI, (program) =>
        answer(() => linkUprobeMulti(sys, program, { path: "/", offsets: [0], ret: false }, [])[Symbol.dispose](), {
          [EBADF]: "yes",
          [EINVAL]: "no",
          [EOPNOTSUPP]: "no",
        }),
      ),
  },
  uprobeMultiProcess: {
    since: "6.10",
    what: "many uprobes of one process in one link",
    costs: "with -p places in programs are attached one by one, which takes longer",
    // Until then the link was limited to one thread, and looked at the file before the number of the process, which is none
    // here: uprobe_prog_run() and bpf_uprobe_multi_link_attach(), kernel/trace/bpf_trace.c, v6.6 and v6.10.
    ask: ({ sys }) =>
      withProgram(sys, BPF_TRACE_UPROBE_MULTI, (program) => {
        const ask = (pid: number | undefined) => (): void =>
          linkUprobeMulti(sys, program, { path: "/", offsets: [0], ret: false, pid }, [])[Symbol.dispose]();
        const known = answer(ask(undefined), { [EBADF]: "yes", [EINVAL]: "no", [EOPNOTSUPP]: "no" });
        return known === "yes" ? answer(ask(0xffff_ffff), { [EINVAL]: "yes", [EBADF]: "no" }) : known;
      }),
  },
  fentry: {
    since: "5.5",
    what: "fentry and fexit programs (BPF trampolines)",
    costs: "fentry and fexit do not work; kprobe and kretprobe see the same functions, without types",
    // bpf_fentry_test1() is in every kernel with CONFIG_NET and is called by tests only (net/bpf/test_run.c, v5.5).
    // Loading is not enough: the trampoline is made by attaching, which a kernel may lack or refuse.
    ask: (context) => {
      const btf = context.btf();
      const id = "missing" in btf ? undefined : btf.find("bpf_fentry_test1", "func");
      if (id === undefined) return "missing" in btf ? "no" : { unknown: "BTF has no bpf_fentry_test1 to try it on" };
      return answer(
        () => {
          const attach = { expectedAttachType: BPF_TRACE_FENTRY, attachBtfId: id };
          using program = loadTrial(context.sys, { type: "tracing", instructions: empty, ...attach });
          rawTracepointOpen(context.sys, program, undefined)[Symbol.dispose]();
        },
        { [EINVAL]: "no", [EOPNOTSUPP]: "no", [ENOTSUPP]: "no", [ENOENT]: "no", [EPERM]: refused(context) },
      );
    },
  },
  functionArguments: {
    since: "5.17",
    what: "the helpers bpf_get_func_arg and bpf_get_func_ret",
    costs: "some arguments of fentry and fexit cannot be read: pointers to pointers and to functions",
    // Loading tells: the verifier knows the helper, or says that it does not.
    ask: (context) => {
      const btf = context.btf();
      const id = "missing" in btf ? undefined : btf.find("bpf_fentry_test1", "func");
      if (id === undefined) return "missing" in btf ? "no" : { unknown: "BTF has no bpf_fentry_test1 to try it on" };
      const attach = { expectedAttachType: BPF_TRACE_FENTRY, attachBtfId: id };
      return hasHelper(context.sys, "tracing", "get_func_arg", attach, { [EPERM]: refused(context) });
    },
  },
  btfRawTracepoint: {
    since: "5.5",
    what: "raw tracepoints with types (tp_btf)",
    costs: "system calls go through their perf events, each of which costs more and takes long to detach",
    ask: (context) => {
      const btf = context.btf();
      const id = "missing" in btf ? undefined : btf.find("btf_trace_sched_process_exec", "typedef");
      if (id === undefined) return "missing" in btf ? "no" : { unknown: "BTF has no sched_process_exec to try it on" };
      const attach = { expectedAttachType: BPF_TRACE_RAW_TP, attachBtfId: id };
      return answer(
        () => loadTrial(context.sys, { type: "tracing", instructions: empty, ...attach })[Symbol.dispose](),
        { [EINVAL]: "no", [EPERM]: refused(context) },
      );
    },
  },
  rawTracepointCookie: {
    since: "6.10",
    what: "attach cookies of raw tracepoints",
    costs: "raw tracepoints whose program says probe are loaded once for each",
    // Who does not know the field refuses it (CHECK_ATTR) before looking at the program, which is none.
    // bpf_raw_tracepoint_open(), kernel/bpf/syscall.c, v5.15 to v6.18.
    ask: ({ sys }) => answer(() => tryRawTracepointCookie(sys), { [EBADF]: "yes", [EINVAL]: "no" }),
  },
  rawTracepointUnpreempted: {
    since: "4.17",
    until: "6.18",
    what: "raw tracepoints that run with preemption off, so that no task's event meets the half-done run of another's",
    costs: "tracepoints go by their records, which costs more for each event, so that none is lost",
    // The only one that goes by the version: nothing that can be tried tells, short of racing. Up to 6.18 the caller
    // disables preemption (include/trace/bpf_probe.h); on 7.2 it only disables migration, and __bpf_trace_run() drops
    // the events of whoever runs on the CPU while a program of the same link is preempted there.
    ask: ({ release }) => yesNo(compareVersions(release, "6.19") < 0),
  },
  testRun: {
    since: "5.10",
    what: "running a program once (BPF_PROG_TEST_RUN of raw tracepoints)",
    costs: "begin, end, self, test and bench do not work",
    ask: ({ sys }) =>
      answer(
        () => {
          using program = loadTrial(sys, { type: "raw_tracepoint", instructions: empty });
          progTestRun(sys, program);
        },
        { [ENOTSUPP]: "no", [EINVAL]: "no" },
      ),
  },
  sleepableRuns: {
    since: "5.17",
    what: "programs that may sleep while user space runs them, with bpf_sys_bpf() and bpf_loop()",
    costs: "what begin and end say beyond the size of the ring is lost (and counted)",
    ask: ({ sys }) => {
      const attach = { flags: BPF_F_SLEEPABLE };
      const first = hasHelper(sys, "syscall", "sys_bpf", attach);
      return first === "yes" ? hasHelper(sys, "syscall", "loop", attach) : first;
    },
  },
  bpfLoop: {
    since: "5.17",
    what: "the helper bpf_loop",
    costs: "loops over ranges need a bound that the verifier can see",
    ask: ({ sys }) => hasHelper(sys, "raw_tracepoint", "loop"),
  },
  forEachMapElem: {
    since: "5.13",
    what: "the helper bpf_for_each_map_elem",
    costs: "loops over maps do not work, nor len() of maps",
    ask: ({ sys }) => hasHelper(sys, "raw_tracepoint", "for_each_map_elem"),
  },
  cpuV4: {
    since: "6.6",
    what: "instructions of BPF CPU version 4",
    costs: "signed numbers and long jumps take an instruction more",
    // r0 = (s8)r0: the offset 8 of a move was refused before.
    ask: ({ sys }) =>
      loads(sys, {
        type: "raw_tracepoint",
        instructions: [returnZero, [BPF_ALU64 | BPF_MOV | BPF_X, 0, 8, 0], exitInstruction],
      }),
  },
  atomicFetch: {
    since: "5.12",
    what: "atomic instructions that give back the old value",
    costs: "programs that need memory beyond the stack do not work",
    // *(u64 *)(r10 - 8) = 0; r0 = 0; r0 = atomic_fetch_add((u64 *)(r10 - 8), r0)
    ask: ({ sys }) =>
      loads(sys, {
        type: "raw_tracepoint",
        instructions: [
          [BPF_ST | BPF_MEM | BPF_DW, 0x0a, -8, 0],
          returnZero,
          [BPF_STX | BPF_ATOMIC | BPF_DW, 0x0a, -8, BPF_ADD | BPF_FETCH],
          exitInstruction,
        ],
      }),
  },
  hardwareEvents: {
    since: "2.6.32",
    what: "hardware counters (a PMU)",
    costs:
      "hardware probes do not work; profile and software:cpu-clock sample by time (virtual machines often have no PMU)",
    ask: ({ sys }) =>
      answer(
        () => {
          const attr = { type: PERF_TYPE_HARDWARE, config: BigInt(PERF_COUNT_HW_CPU_CYCLES), sample_period: 1n << 40n };
          perfEventOpen(sys, { attr, pid: -1, cpu: 0, what: "CPU cycles" })[Symbol.dispose]();
        },
        { [ENOENT]: "no", [ENODEV]: "no", [EOPNOTSUPP]: "no", [EACCES]: "unknown" },
      ),
  },
  breakpoint: {
    since: "2.6.33",
    what: "hardware breakpoints (the debug registers)",
    costs: "watchpoint does not work (some virtual machines take breakpoints, and never tell of a hit)",
    ask: ({ sys }) => {
      let tells = false;
      const opens = answer(
        () => {
          tells = tellsOfWrite(sys);
        },
        { [ENOENT]: "no", [ENODEV]: "no", [EOPNOTSUPP]: "no", [ENOSPC]: "unknown", [EACCES]: "unknown" },
      );
      return opens === "yes" ? yesNo(tells) : opens;
    },
  },
  iter: {
    since: "5.8",
    what: "iterators over objects of the kernel (BPF iterators)",
    costs: "iter does not work",
    ask: (context) => {
      const btf = context.btf();
      const id = "missing" in btf ? undefined : btf.find("bpf_iter_task", "func");
      if (id === undefined) return "no";
      const attach = { expectedAttachType: BPF_TRACE_ITER, attachBtfId: id };
      return answer(
        () => loadTrial(context.sys, { type: "tracing", instructions: empty, ...attach })[Symbol.dispose](),
        { [EINVAL]: "no", [EPERM]: refused(context) },
      );
    },
  },
  overrideReturn: {
    since: "4.16",
    what: "overriding return values (CONFIG_BPF_KPROBE_OVERRIDE)",
    costs: "override() does not work",
    ask: ({ sys }) => hasHelper(sys, "kprobe", "override_return"),
  },
} as const satisfies Record<FeatureName, Feature>;

/** Whether a write of ours to memory that we have watched is counted. Throws SyscallError. */
function tellsOfWrite(sys: Sys): boolean {
  const watched = zeroed(8);
  const place = { bp_type: HW_BREAKPOINT_W, bp_addr: sys.addressOf(watched), bp_len: BigInt(watched.length) };
  using event = perfEventOpen(sys, {
    attr: { type: PERF_TYPE_BREAKPOINT, ...place },
    pid: 0,
    cpu: -1,
    what: "breakpoint",
  });
  new DataView(watched.buffer).setUint32(0, 1, true);
  return perfReadCount(sys, event) > 0n;
}

/** Orders kernel releases by their first two numbers. */
function compareVersions(a: string, b: string): number {
  const numbers = (text: string): readonly number[] => (/^(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [majorA = 0, minorA = 0] = numbers(a);
  const [majorB = 0, minorB = 0] = numbers(b);
  return majorA - majorB || minorA - minorB;
}

/** With a loaded kprobe program for that kind of link; a program that cannot be loaded answers for itself. */
function withProgram(sys: Sys, expectedAttachType: number, ask: (program: Fd) => FeatureReply): FeatureReply {
  let result: FeatureReply = { unknown: "the trial program was not loaded" };
  const loaded = answer(
    () => {
      using program = loadTrial(sys, { type: "kprobe", instructions: empty, expectedAttachType });
      result = ask(program);
    },
    { [EINVAL]: "no" },
  );
  return loaded === "yes" ? result : loaded;
}
