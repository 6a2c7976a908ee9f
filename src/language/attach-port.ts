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
  kprobe(
    program: ProgramName,
    target: { readonly symbol: string; readonly offset: number; readonly ret: boolean },
    cookie: bigint,
  ): Attachment;
  /** Many functions in one link (since 5.18); the caller has asked the feature `kprobeMulti`. */
  kprobeMulti(
    program: ProgramName,
    target: { readonly symbols: readonly string[]; readonly ret: boolean },
    cookies: readonly bigint[],
  ): Attachment;
  /** `offset` is in the file, as uprobes want it. */
  uprobe(
    program: ProgramName,
    target: {
      readonly path: string;
      readonly offset: number;
      readonly ret: boolean;
      readonly pid?: number | undefined;
      readonly refCounter?: number | undefined;
    },
    cookie: bigint,
  ): Attachment;
  /** Many places of one file in one link (since 6.6). */
  uprobeMulti(
    program: ProgramName,
    target: {
      readonly path: string;
      readonly offsets: readonly number[];
      readonly ret: boolean;
      readonly pid?: number | undefined;
      readonly refCounters?: readonly number[] | undefined;
    },
    cookies: readonly bigint[],
  ): Attachment;
  /** A BPF iterator (since 5.8); the trace reads it when everything is attached, or leaves it in the file `pin`. */
  iterator(program: ProgramName, target: IteratorTarget): Attachment;
  /** Runs a raw_tracepoint program once, now, in this thread (BPF_PROG_TEST_RUN, since 5.10); answers what it returned. */
  runOnce(program: ProgramName, cookie: bigint): number;
}
