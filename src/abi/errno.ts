import { errnoTable } from "./generated/errno-table.js";
import { parseWordTable } from "./word-table.js";

// Those that code asks for by name; asm-generic/errno-base.h and errno.h, the same on x86-64 and arm64.
export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const E2BIG = 7;
export const ENOEXEC = 8;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOSPC = 28;
export const EPIPE = 32;
export const EILSEQ = 84;
export const EOPNOTSUPP = 95;
export const EADDRNOTAVAIL = 99;
/** The kernel's own number (include/linux/errno.h), which bpf(2) and perf_event_open(2) let through. */
export const ENOTSUPP = 524;

/** `ENOENT` for 2; `errno 4095` for a number without name. */
export function errnoName(errno: number): string {
  return parseWordTable(errnoTable).find((row) => row[1] === errno)?.[0] ?? `errno ${errno}`;
}

/** What the common ones mean, in the words of errno(3). */
const texts: Readonly<Record<number, string>> = {
  [EPERM]: "operation not permitted",
  [ENOENT]: "no such file or directory",
  [ESRCH]: "no such process",
  [EINTR]: "interrupted",
  [EIO]: "input/output error",
  [E2BIG]: "argument list too long",
  [EBADF]: "bad file descriptor",
  [EAGAIN]: "try again",
  [ENOMEM]: "out of memory",
  [EACCES]: "permission denied",
  [EFAULT]: "bad address",
  [EBUSY]: "device or resource busy",
  [EEXIST]: "already exists",
  [ENODEV]: "no such device",
  [EINVAL]: "invalid argument",
  [ENFILE]: "too many open files in the system",
  [EMFILE]: "too many open files (see ulimit -n)",
  [ENOSPC]: "no space left",
  [EOPNOTSUPP]: "operation not supported",
  [ENOTSUPP]: "operation not supported",
};

export const errnoText = (errno: number): string | undefined => texts[errno];
