import { readdirSync, readFileSync } from "node:fs";
import {
  BPF_LINK_GET_NEXT_ID,
  BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_GET_NEXT_ID,
  nextIdAttr,
  progInfo,
} from "../../src/abi/bpf.js";
import { zeroed } from "../../src/abi/struct.js";
import { bpf } from "../../src/sys/bpf-call.js";
import { Fd } from "../../src/sys/fd.js";
import { objGetInfo } from "../../src/sys/prog-calls.js";
import type { Sys } from "../../src/sys/sys.js";

/** enum bpf_cmd, include/uapi/linux/bpf.h. */
const BPF_MAP_GET_NEXT_ID = 12;
/** Offset of `name` in struct bpf_prog_info. */
const nameAt = 64;

/** Ids of one kind of object, ascending; a kernel without that kind has none. */
function* idsOf(sys: Sys, command: number): Generator<number> {
  for (let id = 0; ; ) {
    const next = nextIdAttr.encode({ start_id: id }, sys.addressOf);
    if (bpf(sys, command, next) < 0) return;
    id = new DataView(next.bytes.buffer, next.bytes.byteOffset).getUint32(nextIdAttr.fields.next_id[0], true);
    yield id;
  }
}

/** Names of all BPF programs that the kernel holds, cut to 15 characters as it keeps them. */
export function programNames(sys: Sys): readonly string[] {
  const names: string[] = [];
  for (const id of idsOf(sys, BPF_PROG_GET_NEXT_ID)) {
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
  return names;
}

/** All programs, maps and links that the kernel holds, each as `program 12`. Ids are never given twice. */
export function kernelObjects(sys: Sys): ReadonlySet<string> {
  const kinds = [
    ["program", BPF_PROG_GET_NEXT_ID],
    ["map", BPF_MAP_GET_NEXT_ID],
    ["link", BPF_LINK_GET_NEXT_ID],
  ] as const;
  return new Set(kinds.flatMap(([kind, command]) => [...idsOf(sys, command)].map((id) => `${kind} ${id}`)));
}

/** Those of them that a living process has open: proc_pid_fdinfo(5) names what a descriptor is. */
export function heldObjects(): ReadonlySet<string> {
  const held = new Set<string>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const text of descriptorsOf(pid)) {
      for (const [, kind, id] of text.matchAll(/^(prog|map|link)_id:\s*(\d+)$/gm))
        held.add(`${kind === "prog" ? "program" : kind} ${id}`);
    }
  }
  return held;
}

function descriptorsOf(pid: string): readonly string[] {
  const folder = `/proc/${pid}/fdinfo`;
  try {
    return readdirSync(folder).map((fd) => readFileSync(`${folder}/${fd}`, "latin1"));
  } catch {
    return []; // It has ended meanwhile.
  }
}
