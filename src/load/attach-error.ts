import { EACCES, EADDRNOTAVAIL, EILSEQ, EINVAL, EMFILE, ENOENT, EOPNOTSUPP, EPERM, ESRCH } from "../abi/errno.js";
import { BeetraceError } from "../base/errors.js";
import { SyscallError } from "../sys/syscall-error.js";

/** A program could not be attached; `target` is what to, and `cause` the system call that failed. */
export class AttachError extends BeetraceError {
  readonly target: string;
  /** Of the failed system call, if it was one. */
  readonly errno: number | undefined;

  constructor(target: string, cause: unknown) {
    const errno = cause instanceof SyscallError ? cause.errno : undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const unable = `Unable to attach probe: ${target}: ${reason}`;
    // bpftrace, too, has an error of its own for this one, because it looks for it.
    const message = errno === EILSEQ ? insideInstruction : unable;
    const hint = errno === EILSEQ ? unable : errno === undefined ? undefined : hints[errno];
    super(message, hint === undefined ? { cause } : { cause, hint });
    this.target = target;
    this.errno = errno;
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
  [EINVAL]:
    // On arm64 kprobes do not share ftrace's place, 4 or 8 bytes into a function: kernel/kprobes.c, check_ftrace_location().
    "the kernel allows no probe there: the function may be inlined, marked notrace, or not begin where its symbol does; on arm64 one of its first instructions is ftrace's",
  [EMFILE]: "raise the limit of open files (ulimit -n) or attach to fewer places",
  [EOPNOTSUPP]: "this kernel cannot trace that place, or the machine has no such counter",
};
