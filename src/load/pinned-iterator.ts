import { existsSync, statfsSync } from "node:fs";
import type { Fd } from "../sys/fd.js";
import { pinAt } from "../sys/link-life.js";
import { mount } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";

/** An iterator that waits to be read, or stays in a file. */
export interface KernelIterator {
  readonly what: string;
  readonly link: Fd;
  readonly pin: string | undefined;
}

/** Where the bpf file system belongs; systems without systemd start without it. */
const bpffs = "/sys/fs/bpf";
/** uapi/linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Pins a link at a path, mounting the bpf file system at its usual place if it is not there. */
export function pinWhere(sys: Sys, path: string, link: Fd): void {
  if (path.startsWith(`${bpffs}/`) && existsSync(bpffs) && statfsSync(bpffs).type !== BPF_FS_MAGIC)
    mount(sys, "bpf", bpffs);
  pinAt(sys, path, link);
}
