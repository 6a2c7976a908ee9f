import {
  BPF_LINK_GET_NEXT_ID,
  BPF_LINK_TYPE_KPROBE_MULTI,
  BPF_LINK_TYPE_PERF_EVENT,
  BPF_OBJ_PIN,
  BPF_PERF_EVENT_KPROBE,
  BPF_PERF_EVENT_KRETPROBE,
  linkInfo,
  nextIdAttr,
  pinAttr,
} from "../abi/bpf.js";
import { ENOENT } from "../abi/errno.js";
import { cString, zeroed } from "../abi/struct.js";
import { bpf } from "./bpf-call.js";
import { Fd } from "./fd.js";
import { objGetInfo } from "./prog-calls.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

// include/uapi/linux/mount.h.
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;

/**
 * A bpf file system that is mounted nowhere: the descriptor is all there is of it, and what is pinned in it goes with its
 * last close. Since Linux 5.2; needs CAP_SYS_ADMIN.
 */
export function openPrivateBpffs(sys: Sys): Fd {
  const opened = sys.call("fsopen", cString("bpf"), FSOPEN_CLOEXEC);
  using context = Fd.own(sys, check(opened, "fsopen(bpf)"), "bpf file system");
  check(sys.call("fsconfig", context.raw, FSCONFIG_CMD_CREATE, 0, 0, 0), "fsconfig(FSCONFIG_CMD_CREATE)");
  return Fd.own(sys, check(sys.call("fsmount", context.raw, FSMOUNT_CLOEXEC, 0), "fsmount(bpf)"), "mount of bpf");
}

/** Gives a program, map or link a name in a bpf file system, which then holds it. */
export function pinIn(sys: Sys, mount: Fd, name: string, object: Fd): void {
  pinAt(sys, `/proc/self/fd/${mount.raw}/${name}`, object);
}

/** The same by a path; EPERM where the folder is in no bpf file system. */
export function pinAt(sys: Sys, path: string, object: Fd): void {
  const attr = pinAttr.encode({ pathname: cString(path), bpf_fd: object.raw }, sys.addressOf);
  check(bpf(sys, BPF_OBJ_PIN, attr), () => `bpf(BPF_OBJ_PIN, ${object.what})`);
}

/** The number by which the kernel lists a link. */
export function linkId(sys: Sys, link: Fd): number {
  const bytes = objGetInfo(sys, link, linkInfo.size);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(linkInfo.fields.id, true);
}

/**
 * Calls of functions that a link of kprobes has not seen: they came while another probe was being handled, or more of them
 * were on their way than the kernel remembers for their return. Since Linux 6.7; 0 before and of other links.
 */
export function missedCalls(sys: Sys, link: Fd): bigint {
  const bytes = zeroed(linkInfo.size);
  bytes.set(objGetInfo(sys, link, linkInfo.size));
  const view = new DataView(bytes.buffer);
  const { fields } = linkInfo;
  const type = view.getUint32(fields.type, true);
  if (type === BPF_LINK_TYPE_KPROBE_MULTI) return view.getBigUint64(fields["kprobe_multi.missed"], true);
  const event = view.getUint32(fields["perf_event.type"], true);
  return type === BPF_LINK_TYPE_PERF_EVENT && (event === BPF_PERF_EVENT_KPROBE || event === BPF_PERF_EVENT_KRETPROBE)
    ? view.getBigUint64(fields["perf_event.kprobe.missed"], true)
    : 0n;
}

/** Whether a link is still listed; it is not from the moment that the kernel begins to detach it. */
export function isLinkListed(sys: Sys, id: number): boolean {
  const attr = nextIdAttr.encode({ start_id: id - 1 }, sys.addressOf);
  const result = bpf(sys, BPF_LINK_GET_NEXT_ID, attr);
  if (result === -ENOENT) return false;
  check(result, "bpf(BPF_LINK_GET_NEXT_ID)");
  const at = nextIdAttr.fields.next_id[0];
  return new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(at, true) === id;
}
