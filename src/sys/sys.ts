import type { Arch } from "../abi/registers.js";
import type { Memory } from "../abi/struct.js";

/** An argument of a system call; of memory its address is passed, `undefined` is NULL. */
export type SysArg = number | bigint | Memory | undefined;

/** Told of every {@link Fd} that is made and closed; tests find leaks with it. */
export interface FdWatcher {
  opened(raw: number, what: string): void;
  closed(raw: number): void;
}

/**
 * The way to the kernel: raw system calls and views of memory. ffi.ts implements it for the machine; tests pass a fake.
 * Everything else in this folder is one typed function per system call on top of it.
 */
export interface Sys {
  readonly arch: Arch;
  readonly pageSize: number;
  readonly fdWatcher: FdWatcher | undefined;
  /** The result, or the negative error number. */
  call(name: SyscallName, a?: SysArg, b?: SysArg, c?: SysArg, d?: SysArg, e?: SysArg, f?: SysArg): number;
  /**
   * The same in a thread of libuv's pool, for calls that wait. A failure is always -EINTR: which error it was is known
   * to that thread only.
   */
  callInThread(name: SyscallName, a?: SysArg, b?: SysArg, c?: SysArg, d?: SysArg, e?: SysArg): Promise<number>;
  /** The bytes must not be a small typed array on V8's heap: see `zeroed` in abi/struct.ts. */
  addressOf(bytes: Uint8Array): bigint;
  /** Memory that the kernel mapped, as an ArrayBuffer that does not own it. */
  view(address: number, length: number): ArrayBuffer;
}

/** What this program calls; the numbers are those of abi/generated/syscall-tables.ts, which sys.test.ts compares. */
export const syscallNumbers = {
  x86_64: {
    read: 0,
    write: 1,
    close: 3,
    mmap: 9,
    munmap: 11,
    rt_sigaction: 13,
    ioctl: 16,
    sendto: 44,
    execve: 59,
    kill: 62,
    fcntl: 72,
    prctl: 157,
    mount: 165,
    clock_gettime: 228,
    ppoll: 271,
    perf_event_open: 298,
    prlimit64: 302,
    eventfd2: 290,
    memfd_create: 319,
    bpf: 321,
    fsopen: 430,
    fsconfig: 431,
    fsmount: 432,
  },
  arm64: {
    read: 63,
    write: 64,
    close: 57,
    rt_sigaction: 134,
    sendto: 206,
    mmap: 222,
    munmap: 215,
    ioctl: 29,
    kill: 129,
    fcntl: 25,
    prctl: 167,
    mount: 40,
    clock_gettime: 113,
    ppoll: 73,
    perf_event_open: 241,
    prlimit64: 261,
    eventfd2: 19,
    execve: 221,
    memfd_create: 279,
    bpf: 280,
    fsopen: 430,
    fsconfig: 431,
    fsmount: 432,
  },
} as const satisfies Record<Arch, Record<string, number>>;

export type SyscallName = keyof (typeof syscallNumbers)["x86_64"];
