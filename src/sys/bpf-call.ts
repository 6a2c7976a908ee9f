import { EAGAIN } from "../abi/errno.js";
import type { Memory } from "../abi/struct.js";
import type { Sys } from "./sys.js";

/** bpf(2): the result or the negative error number. */
export function bpf(sys: Sys, command: number, attr: Memory): number {
  // The verifier gives up with EAGAIN when a signal is pending (bpf_check(), kernel/bpf/verifier.c, since v4.20); Node's
  // own timers and profilers may send some.
  for (let attempt = 0; ; attempt++) {
    const result = sys.call("bpf", command, attr, attr.bytes.length);
    if (result !== -EAGAIN || attempt === 5) return result;
  }
}
