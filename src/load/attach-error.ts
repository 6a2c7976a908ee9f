import {
  EACCES,
  EADDRNOTAVAIL,
  EILSEQ,
  EINVAL,
  EIO,
  EMFILE,
  ENOENT,
  ENOSPC,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
} from "../abi/errno.js";
import { BeetraceError } from "../base/errors.js";
import type { Span } from "../base/span.js";
import { SyscallError } from "../sys/syscall-error.js";

/** What the user can do about a failed system call, by errno. */
export type Advice = Readonly<Partial<Record<number, string>>>;

interface AttachErrorOptions {
  /** Of what was attached; goes before what is said of every probe. */
  readonly advice?: Advice | undefined;
  /** The attach point in the script. */
  readonly span?: Span | undefined;
}

/** A program could not be attached; `target` is what to, and `cause` the system call that failed. */
export class AttachError extends BeetraceError {
  readonly target: string;
  /** Of the failed system call, if it was one. */
  readonly errno: number | undefined;
  readonly span: Span | undefined;
  private readonly advice: Advice | undefined;

  constructor(target: string, cause: unknown, { advice, span }: AttachErrorOptions = {}) {
    const errno = cause instanceof SyscallError ? cause.errno : undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const unable = `Unable to attach probe: ${target}: ${reason}`;
    // bpftrace, too, has an error of its own for this one, because it looks for it.
    const message = errno === EILSEQ ? insideInstruction : unable;
    const hint = errno === EILSEQ ? unable : errno === undefined ? undefined : (advice?.[errno] ?? hints[errno]);
    super(message, hint === undefined ? { cause } : { cause, hint });
    this.target = target;
    this.errno = errno;
    this.span = span;
    this.advice = advice;
  }

  /** The same of an attach point as the script names it. */
  at(target: string, span: Span): AttachError {
    return new AttachError(target, this.cause, { advice: this.advice, span });
  }

  /** The reason alone, in a line, for who names the target. */
  get why(): string {
    const reason = this.cause instanceof Error ? this.cause.message : String(this.cause);
    const more = this.errno === EILSEQ ? insideInstruction : this.hint;
    return more === undefined ? reason : `${reason} (${more})`;
  }
}

const insideInstruction = "Possible attachment attempt in the middle of an instruction, try a different offset.";

const hints: Readonly<Record<number, string>> = {
  [EPERM]: "root, or CAP_BPF and CAP_PERFMON are needed; a locked down kernel refuses some probes even to root",
  [EACCES]: "root is needed: for kprobes and uprobes CAP_PERFMON may not be enough, but CAP_SYS_ADMIN is",
  [ENOENT]: "this kernel or file has no such place; beetrace -l lists what there is",
  [ESRCH]: "this kernel has no such function, or the process has ended",
  [EADDRNOTAVAIL]: "several functions of the kernel have that name, and this one needs an address",
  [EMFILE]: "raise the limit of open files (ulimit -n) or attach to fewer places",
  [EOPNOTSUPP]: "this kernel cannot trace that place, or the machine has no such counter",
};

export const adviceOnFunctions: Advice = {
  [EINVAL]:
    // On arm64 kprobes do not share ftrace's place, 4 or 8 bytes into a function: kernel/kprobes.c, check_ftrace_location().
    "the kernel allows no probe there: the function may be inlined, marked notrace, or not begin where its symbol does; on arm64 one of its first instructions is ftrace's",
};

/** kernel/events/uprobes.c, uprobe_register(), v6.18. */
export const adviceOnFiles: Advice = {
  [EINVAL]: "the file ends in front of that place: it may have been replaced by another one",
  [EIO]: "its file system does not let the kernel read the code there",
};

/** kernel/events/core.c, perf_event_open(), v6.18. */
export const adviceOnFrequencies: Advice = {
  [EINVAL]: "sysctl kernel.perf_event_max_sample_rate says how often a second the kernel samples at most",
};

/** arch/x86/kernel/hw_breakpoint.c, hw_breakpoint_arch_parse(), and kernel/events/hw_breakpoint.c, v6.18. */
export const adviceOnWatchpoints: Advice = {
  [EINVAL]: "what is watched begins at a multiple of its length, and in memory that the machine may watch",
  [ENOSPC]: "all of the processor's registers for it are taken, on x86-64 there are 4: watch fewer places",
};
