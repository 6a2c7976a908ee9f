import { spawn } from "node:child_process";
import type { Fd } from "../sys/fd.js";

/**
 * Closes perf events, which nobody uses any more, without waiting for it.
 *
 * The last close of a tracepoint's, kprobe's or uprobe's event waits for RCU grace periods, for a tracepoint under
 * event_mutex (perf_trace_destroy(), kernel/trace/trace_event_perf.c, v6.18), so that closing is sequential however many
 * threads do it. Measured on Linux 6.18, 20 tracepoints: one after the other 750 ms, close_range(2) 750 ms, 20 closes in
 * libuv's pool 650 ms, with expedited RCU 540 ms, by ending the process 800 ms. It goes on only where somebody else still
 * holds the event: then our close takes a microsecond. So a child gets the descriptors, waits until we have closed ours or
 * are gone, and ends; the kernel's work is done in the child's exit: 300 tracepoints 5 ms instead of 11 s. Their programs
 * are detached already, by closing the link, which waits for nothing. The child is a shell because every system has one
 * and because it starts in a millisecond; where it cannot be started we close and wait.
 */
export function closeEvents(events: readonly Fd[]): void {
  if (events.length === 0) return;
  const letGo = handOver(events);
  for (const event of events) event[Symbol.dispose]();
  letGo?.();
}

function handOver(events: readonly Fd[]): (() => void) | undefined {
  try {
    const child = spawn("/bin/sh", ["-c", "read _"], {
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
