import { cString, cStrings, type Memory, memory, zeroed } from "../abi/struct.js";
import { Fd } from "./fd.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

// include/uapi/linux/prctl.h, asm-generic/resource.h, linux/eventfd.h, linux/memfd.h,
// asm-generic/fcntl.h.
const PR_SET_NAME = 15;
export const RLIMIT_NOFILE = 7;
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const MFD_CLOEXEC = 1;
const F_SETFD = 2;

/** The calling thread's name in ps(1) and /proc/PID/comm, cut at 15 bytes. */
export function setName(sys: Sys, name: string): void {
  sys.call("prctl", PR_SET_NAME, cString(name.slice(0, 15)));
}

export function mount(sys: Sys, type: string, path: string): void {
  const result = sys.call("mount", cString(type), cString(path), cString(type), 0, 0);
  check(result, () => `mount(${type} on ${path})`);
}

export interface Limit {
  readonly soft: bigint;
  readonly hard: bigint;
}

export function getLimit(sys: Sys, resource: number): Limit {
  const bytes = zeroed(16);
  check(sys.call("prlimit64", 0, resource, undefined, memory(bytes)), "prlimit64");
  const view = new DataView(bytes.buffer);
  return { soft: view.getBigUint64(0, true), hard: view.getBigUint64(8, true) };
}

export function setLimit(sys: Sys, resource: number, limit: Limit): void {
  const bytes = zeroed(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, limit.soft, true);
  view.setBigUint64(8, limit.hard, true);
  check(sys.call("prlimit64", 0, resource, memory(bytes)), "prlimit64");
}

export function kill(sys: Sys, pid: number, signal: number): void {
  check(sys.call("kill", pid, signal), () => `kill(${pid}, ${signal})`);
}

/** struct sigaction of the kernel, include/linux/signal_types.h: handler, flags, restorer and a mask of 64 signals. */
const signalAction = { handler: 0, flags: 8, size: 32, mask: 8 } as const;
const SA_RESETHAND = 0x8000_0000n;

/**
 * Has the kernel end the process by a signal that comes a second time, whatever the process is doing then: the handler that it has
 * is called for the first one only (SA_RESETHAND, sigaction(2)).
 */
export function handleOnce(sys: Sys, signal: number): void {
  const action = zeroed(signalAction.size);
  const view = new DataView(action.buffer);
  check(sys.call("rt_sigaction", signal, undefined, memory(action), signalAction.mask), "rt_sigaction");
  view.setBigUint64(signalAction.flags, view.getBigUint64(signalAction.flags, true) | SA_RESETHAND, true);
  check(sys.call("rt_sigaction", signal, memory(action), undefined, signalAction.mask), "rt_sigaction");
}

/** Has the kernel end the process by a signal, as it does where nobody has asked to handle it. */
export function handleNoMore(sys: Sys, signal: number): void {
  const action = memory(zeroed(signalAction.size));
  check(sys.call("rt_sigaction", signal, action, undefined, signalAction.mask), "rt_sigaction");
}

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** send(2) on a socket without waiting and without SIGPIPE: how many bytes it took, or the negative error number. */
export const sendNow = (sys: Sys, fd: number, bytes: Uint8Array): number =>
  sys.call("sendto", fd, memory(bytes), bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);

/** A file in memory without a path (memfd_create(2), since 3.17), closed by execve(2). Throws SyscallError. */
export function memoryFile(sys: Sys, name: string): Fd {
  return Fd.own(sys, check(sys.call("memfd_create", cString(name), MFD_CLOEXEC), "memfd_create"), name);
}

/** Keeps a descriptor across execve(2). */
export function keepOpen(sys: Sys, fd: number): void {
  sys.call("fcntl", fd, F_SETFD, 0);
}

/** execve(2): the process becomes another program, unless this throws SyscallError. */
export function execute(sys: Sys, path: string, args: readonly string[], environment: readonly string[]): never {
  const list = (texts: readonly string[]): Memory => cStrings(texts, sys.addressOf);
  const result = sys.call("execve", cString(path), list(args), list(environment));
  check(result, () => `execve(${path})`);
  throw new Error("internal: execve has returned");
}

/** A counter that is readable while it is not 0. */
export function eventFd(sys: Sys, what: string): Fd {
  return Fd.own(sys, check(sys.call("eventfd2", 0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd2"), what);
}

/** Adds one to an eventfd. */
export function signalEventFd(sys: Sys, fd: Fd): void {
  const one = zeroed(8);
  one[0] = 1;
  sys.call("write", fd.raw, memory(one), 8);
}

/** Sets an eventfd back to 0. */
export function clearEventFd(sys: Sys, fd: Fd): void {
  sys.call("read", fd.raw, memory(zeroed(8)), 8);
}
