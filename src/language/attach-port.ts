import type { BtfId } from "../base/branded.js";
import type { AttachItems } from "./probe.js";

/** What an attached probe holds; disposing it detaches. */
export interface Attachment extends Disposable {}

/** A loaded program, by the name it has in the object. */
export type ProgramName = string;

export interface PerfEventTarget {
  /** PERF_TYPE_SOFTWARE, PERF_TYPE_HARDWARE ... (uapi/linux/perf_event.h). */
  readonly type: number;
  readonly config: bigint;
  /** Sample each `period` events, or `frequency` times a second. */
  readonly sample: { readonly period: bigint } | { readonly frequency: bigint };
  /** One CPU or each online one. */
  readonly cpu: number | "all";
  /** -1 or absent: all processes. */
  readonly pid?: number | undefined;
}

export interface IteratorTarget {
  readonly type: string;
  /** Only objects of this process. */
  readonly pid?: number | undefined;
  /** Of control groups: enum bpf_cgroup_iter_order. */
  readonly order?: number | undefined;
  readonly pin?: string | undefined;
}

/** In a file, as uprobes want it. */
export interface UprobePlace {
  readonly offset: number;
  /** Of the counter that the kernel raises in each process while somebody traces. */
  readonly refCounter?: number | undefined;
}

/** One place of a file; `ret`: where the function that begins there returns to. */
export interface UprobeTarget extends UprobePlace {
  readonly path: string;
  readonly ret: boolean;
  readonly pid?: number | undefined;
}

export interface KprobeTarget {
  /** A function of the kernel, or `MODULE:FUNCTION`; unused if there is an address. */
  readonly symbol: string;
  readonly offset: number;
  /** Of the instruction. */
  readonly address: bigint | undefined;
  /**
   * `address` is what ftrace says, which may be a few bytes behind the function's beginning. Programs that read their cookie
   * need the beginning (language/function-entries.ts).
   */
  readonly isFtraceAddress?: boolean;
  readonly ret: boolean;
}

/** When the program of a link for many functions runs. */
export type KprobeMoment = "entry" | "return" | "both";

/** A function that a program of type tracing is loaded for. */
export type TracedFunction =
  | {
      readonly kind: "kernel";
      readonly name: string;
      /** `vmlinux` or the module that it is in. */
      readonly module: string;
      readonly typeId: BtfId;
    }
  /** Of a BPF program, by the kernel's number of that. */
  | { readonly kind: "bpf"; readonly name: string; readonly program: number; readonly typeId: BtfId };

export interface WatchpointTarget {
  readonly address: bigint;
  readonly length: number;
  /** HW_BREAKPOINT_R, _W, _X (uapi/linux/hw_breakpoint.h). */
  readonly access: number;
  readonly pid: number | undefined;
}

/**
 * How probe types reach the kernel. Each call attaches the named program, `cookie` being what the program reads as its
 * attach cookie; where the kernel has no cookies for that kind of link, the port loads a copy of the program with the
 * cookie as a constant. All throw AttachError with the SyscallError as cause.
 */
export interface AttachPort {
  perfEvent(program: ProgramName, target: PerfEventTarget, cookie: bigint): Attachment;
  /** A hardware breakpoint (PERF_TYPE_BREAKPOINT): in all threads of a process, or on every CPU. */
  watchpoint(program: ProgramName, target: WatchpointTarget, cookie: bigint): Attachment;
  /** A tracefs tracepoint by its event id. */
  tracepoint(
    program: ProgramName,
    target: { readonly category: string; readonly event: string; readonly id: number },
    cookie: bigint,
  ): Attachment;
  /** Also serves BTF raw tracepoints (type tracing). */
  rawTracepoint(program: ProgramName, target: { readonly name: string }, cookie: bigint): Attachment;
  kprobe(program: ProgramName, target: KprobeTarget, cookie: bigint): Attachment;
  /**
   * Many functions in one link (since 5.18; entry and return in one since 6.10), by their addresses if all have one; the
   * caller has asked the feature `kprobeMulti` or `kprobeSession`. Items and targets go together; functions that the kernel
   * refuses are dealt with as by {@link each}.
   */
  kprobeMulti(
    program: ProgramName,
    targets: readonly Omit<KprobeTarget, "ret">[],
    at: KprobeMoment,
    items: AttachItems,
  ): readonly Attachment[];
  /** fentry or fexit of a function (since 5.5): a copy of the program is loaded for it. */
  trampoline(program: ProgramName, target: TracedFunction, cookie: bigint): Attachment;
  /** Attaches items one by one. What becomes of one that the kernel refuses is for the trace to say. */
  each(items: AttachItems, attach: (item: AttachItems[number]) => Attachment): readonly Attachment[];
  uprobe(program: ProgramName, target: UprobeTarget, cookie: bigint): Attachment;
  /**
   * Many places of one file in one link (since 6.6). Items and places go together; places that the kernel refuses are dealt
   * with as by {@link each}.
   */
  uprobeMulti(
    program: ProgramName,
    file: { readonly path: string; readonly ret: boolean; readonly pid?: number | undefined },
    places: readonly UprobePlace[],
    items: AttachItems,
  ): readonly Attachment[];
  /** A BPF iterator (since 5.8); the trace reads it when everything is attached, or leaves it in the file `pin`. */
  iterator(program: ProgramName, target: IteratorTarget): Attachment;
  /** Runs a raw_tracepoint program once, now, in this thread (BPF_PROG_TEST_RUN, since 5.10); answers what it returned. */
  runOnce(program: ProgramName, cookie: bigint): number;
}
