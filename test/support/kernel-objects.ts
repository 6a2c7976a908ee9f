import { nextIdAttr, progInfo } from "../../src/abi/bpf.js";
import { zeroed } from "../../src/abi/struct.js";
import { bpf } from "../../src/sys/bpf-call.js";
import { Fd } from "../../src/sys/fd.js";
import { objGetInfo } from "../../src/sys/prog-calls.js";
import type { Sys } from "../../src/sys/sys.js";

/** enum bpf_cmd, include/uapi/linux/bpf.h. */
const BPF_PROG_GET_NEXT_ID = 11;
const BPF_PROG_GET_FD_BY_ID = 13;
/** Offset of `name` in struct bpf_prog_info. */
const nameAt = 64;

/** Names of all BPF programs that the kernel holds, cut to 15 characters as it keeps them. */
export function programNames(sys: Sys): readonly string[] {
  const names: string[] = [];
  for (let id = 0; ; ) {
    const next = nextIdAttr.encode({ start_id: id }, sys.addressOf);
    if (bpf(sys, BPF_PROG_GET_NEXT_ID, next) < 0) return names;
    id = new DataView(next.bytes.buffer, next.bytes.byteOffset).getUint32(nextIdAttr.fields.next_id[0], true);
    const open = nextIdAttr.encode({ start_id: id }, sys.addressOf);
    const raw = bpf(sys, BPF_PROG_GET_FD_BY_ID, open);
    // It may have gone between the two calls.
    if (raw < 0) continue;
    using fd = Fd.own(sys, raw, "program");
    const bytes = zeroed(progInfo.size);
    bytes.set(objGetInfo(sys, fd, progInfo.size));
    names.push(
      Buffer.from(bytes.subarray(nameAt, nameAt + 16))
        .toString("latin1")
        .split("\0", 1)[0] ?? "",
    );
  }
}
