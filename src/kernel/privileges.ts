import { readFileSync } from "node:fs";
import { BeetraceError } from "../base/errors.js";

/** The process may not trace; `missing` names the capabilities that it lacks. */
export class PrivilegeError extends BeetraceError {
  readonly missing: readonly string[];

  constructor(missing: readonly string[]) {
    super(`not allowed to trace: the process lacks ${missing.join(" and ")}`, {
      hint: "run it as root (sudo), or with the capabilities CAP_BPF and CAP_PERFMON",
    });
    this.missing = missing;
  }
}

// include/uapi/linux/capability.h. CAP_SYS_ADMIN includes the other two (bpf_capable(), perfmon_capable()).
const CAP_SYS_ADMIN = 21n;
const CAP_PERFMON = 38n;
const CAP_BPF = 39n;

/** Throws PrivilegeError if this process cannot load tracing programs. Root in a container may lack capabilities, too. */
export function checkPrivileges(status: string = readFileSync("/proc/self/status", "latin1")): void {
  const missing = missingCapabilities(status);
  if (missing.length > 0) throw new PrivilegeError(missing);
}

/** From the text of /proc/PID/status; none if it does not say. */
export function missingCapabilities(status: string): readonly string[] {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (hex === undefined) return [];
  const effective = BigInt(`0x${hex}`);
  const has = (capability: bigint): boolean => ((effective >> capability) & 1n) === 1n;
  if (has(CAP_SYS_ADMIN)) return [];
  return [...(has(CAP_BPF) ? [] : ["CAP_BPF"]), ...(has(CAP_PERFMON) ? [] : ["CAP_PERFMON"])];
}
