import { errnoName, errnoText } from "../abi/errno.js";
import { BeetraceError } from "../base/errors.js";

/** A system call failed; `call` says which and on what, e.g. `bpf(BPF_MAP_CREATE, "x")`. */
export class SyscallError extends BeetraceError {
  readonly call: string;
  readonly errno: number;
  /** `EPERM`. */
  readonly code: string;

  constructor(call: string, errno: number, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    const code = errnoName(errno);
    const text = errnoText(errno);
    super(`${call}: ${code}${text === undefined ? "" : ` (${text})`}`, options);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

/** The result of a system call, or its failure as an exception. */
export function check(result: number, call: string | (() => string)): number {
  if (result >= 0) return result;
  throw new SyscallError(typeof call === "string" ? call : call(), -result);
}
