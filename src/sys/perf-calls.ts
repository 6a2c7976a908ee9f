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

/** How many records of an event that was opened with PERF_FORMAT_LOST, and with no other format, found no room. */
export function perfReadLost(sys: Sys, event: Fd): bigint {
  const bytes = zeroed(16);
  check(sys.call("read", event.raw, memory(bytes), bytes.length), () => `read(${event.what})`);
  return new DataView(bytes.buffer).getBigUint64(8, true);
}
