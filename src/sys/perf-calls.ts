import { PERF_EVENT_IOC_DISABLE, PERF_EVENT_IOC_ENABLE, PERF_FLAG_FD_CLOEXEC, perfEventAttr } from "../abi/perf.js";
import { memory, type StructValues, zeroed } from "../abi/struct.js";
import { Fd } from "./fd.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

export interface NewPerfEvent {
  readonly attr: StructValues<typeof perfEventAttr.fields>;
  /** -1: all processes. */
  readonly pid: number;
  /** -1: wherever the process runs. */
  readonly cpu: number;
  readonly what: string;
}

export function perfEventOpen(sys: Sys, event: NewPerfEvent): Fd {
  const attr = perfEventAttr.encode({ ...event.attr, size: perfEventAttr.size }, sys.addressOf);
  const result = sys.call("perf_event_open", attr, event.pid, event.cpu, -1, PERF_FLAG_FD_CLOEXEC);
  return Fd.own(sys, check(result, "perf_event_open"), event.what);
}

export function perfEnable(sys: Sys, event: Fd): void {
  check(sys.call("ioctl", event.raw, PERF_EVENT_IOC_ENABLE, 0), () => `ioctl(PERF_EVENT_IOC_ENABLE) of ${event.what}`);
}

export function perfDisable(sys: Sys, event: Fd): void {
  check(
    sys.call("ioctl", event.raw, PERF_EVENT_IOC_DISABLE, 0),
    () => `ioctl(PERF_EVENT_IOC_DISABLE) of ${event.what}`,
  );
}

/** How often what an event counts has happened (of one that was opened with no read format). */
export const perfReadCount = (sys: Sys, event: Fd): bigint => readWord(sys, event, 0);

/** How many records of an event that was opened with PERF_FORMAT_LOST, and with no other format, found no room. */
export const perfReadLost = (sys: Sys, event: Fd): bigint => readWord(sys, event, 1);

/** One of the words of 64 bits that read(2) of an event gives: struct read_format, perf_event_open(2). */
function readWord(sys: Sys, event: Fd, index: number): bigint {
  const bytes = zeroed(8 * (index + 1));
  check(sys.call("read", event.raw, memory(bytes), bytes.length), () => `read(${event.what})`);
  return new DataView(bytes.buffer).getBigUint64(8 * index, true);
}
