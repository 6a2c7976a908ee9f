import { spawn } from "node:child_process";
import { zeroed } from "../abi/struct.js";
import type { Fd } from "../sys/fd.js";
import { isLinkListed, linkId, openPrivateBpffs, pinIn } from "../sys/link-life.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";

/*
 * Why detaching is a subject of its own. Measured on Linux 6.18, two CPUs, tracepoints:
 *
 * - Closing a perf event's link takes 36 ms: perf_event_detach_bpf_prog() takes the program away at once, then waits for a
 *   grace period of RCU Tasks Trace (since v6.13, kernel/trace/bpf_trace.c).
 * - Closing the event itself takes another 36 ms: perf_trace_event_unreg() waits for two grace periods, and
 *   perf_trace_destroy() holds event_mutex all the while (kernel/trace/trace_event_perf.c), as do kprobes and uprobes in
 *   their own ways. So events close one after the other: 20 of them in 750 ms, with close_range(2) 750 ms, from threads of
 *   libuv's pool 650 ms, with expedited RCU 540 ms, at the end of the process 800 ms.
 *
 * With 360 tracepoints that is 26 s, in which whoever started the trace waits. Therefore:
 *
 * - Links are pinned in a bpf file system that is mounted nowhere, and that is closed. A link whose last reference is
 *   dropped by an inode is released by a work queue (bpf_link_put(), kernel/bpf/syscall.c), where many wait for the same
 *   grace period: 360 links in 20 ms.
 * - Events are inherited by a child, which makes our close one of microseconds; the child waits until we have closed them
 *   or are gone, and ends. The kernel's 12 s of work are then done in the child's exit. It is a shell because every system
 *   has one and because it starts in 3 ms.
 *
 * Where one of these is not possible (no CAP_SYS_ADMIN, no shell), we close and wait.
 */

/** Ends links whose close waits. When this returns the kernel is taking the last programs away, if it has not yet. */
export function closeLinks(sys: Sys, links: readonly Fd[]): void {
  const ids = links.length === 0 ? undefined : pinAndForget(sys, links);
  for (const link of links) link[Symbol.dispose]();
  if (ids !== undefined) waitUntilDetached(sys, ids);
}

/** Hands the links over to a file system that is about to go; undefined if that is not possible. */
function pinAndForget(sys: Sys, links: readonly Fd[]): readonly number[] | undefined {
  try {
    using mount = openPrivateBpffs(sys);
    const ids = links.map((link) => linkId(sys, link));
    for (const [i, link] of links.entries()) {
      pinIn(sys, mount, `l${i}`, link);
      link[Symbol.dispose]();
    }
    return ids;
  } catch (error) {
    if (error instanceof SyscallError) return undefined;
    throw error;
  }
}

/**
 * The queue begins at once, takes a link off the list, takes its program away and waits only then, so that this is short:
 * a few milliseconds for hundreds of links.
 */
const detachMilliseconds = 100;

function waitUntilDetached(sys: Sys, ids: readonly number[]): void {
  const until = performance.now() + detachMilliseconds;
  // ppoll(2) of nothing sleeps; 0.1 ms as struct timespec.
  const pause = zeroed(16);
  new DataView(pause.buffer).setBigInt64(8, 100_000n, true);
  for (const id of ids) {
    while (isLinkListed(sys, id) && performance.now() < until) {
      sys.call("ppoll", 0, 0, { bytes: pause, keeps: [] }, 0, 8);
    }
  }
}

/** Closes perf events whose programs are detached, without waiting for it. */
export function closeEvents(events: readonly Fd[]): void {
  if (events.length === 0) return;
  const letGo = handOver(events);
  for (const event of events) event[Symbol.dispose]();
  letGo?.();
}

function handOver(events: readonly Fd[]): (() => void) | undefined {
  try {
    // The pause lets the work queue drop its references first: the last one has to go with a process, because the queue
    // would leave the closing, one after the other, to the one thread that closes files for all of the kernel
    // (delayed_fput(), fs/file_table.c).
    const child = spawn("/bin/sh", ["-c", "read _; exec sleep 0.2"], {
      // Not our standard streams: whoever reads our output would wait for the child to end.
      stdio: ["pipe", "ignore", "ignore", ...events.map((event) => event.raw)],
      argv0: "beetrace-detach",
      cwd: "/",
      env: {},
      detached: true,
    });
    child.on("error", () => {});
    if (child.pid === undefined) return undefined;
    child.unref();
    return () => child.stdin?.destroy();
  } catch {
    // E.g. EMFILE or EAGAIN.
    return undefined;
  }
}
