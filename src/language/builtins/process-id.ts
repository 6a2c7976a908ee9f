import { pidnsInfo } from "../../abi/bpf.js";
import type { Value } from "../../ir/ir.js";
import type { Lowering } from "../lowering.js";

/** One half of bpf_get_current_pid_tgid() or bpf_get_current_uid_gid(): high or low 32 bits. */
export const half = (helper: string, high: boolean) => (l: Lowering) => {
  const both = l.b.call(helper, []);
  return high ? l.b.bin("lshr", both, l.b.const(32)) : l.b.ext(4, false, both);
};

/** Number of the current process, or thread, in the initial pid namespace. */
export const initialId = (l: Lowering, isProcess: boolean): Value => half("get_current_pid_tgid", isProcess)(l);

/** The same in the namespace of the tracer, where /proc has it; 0 of those that are not in it. */
export function ownId(l: Lowering, isProcess: boolean): Value {
  const namespace = l.kernel.pidNamespace();
  if (namespace === undefined) return initialId(l, isProcess);
  const { b } = l;
  const info = l.temporary(pidnsInfo.size, "ids");
  const { device, inode } = namespace;
  // Of a process outside of the namespace the helper writes zeros; since Linux 5.7.
  b.call("get_ns_current_pid_tgid", [b.const(device), b.const(inode), l.address(info), b.const(pidnsInfo.size)]);
  return b.load(4, false, info.base, info.offset + (isProcess ? pidnsInfo.tgid : pidnsInfo.pid));
}
