import { memory, zeroed } from "../abi/struct.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

// include/uapi/linux/time.h
export const clockIds = { realtime: 0, monotonic: 1, boot: 7, tai: 11 } as const;

/** What a clock of the kernel shows, in nanoseconds (clock_gettime(2)). */
export function readClock(sys: Sys, clock: keyof typeof clockIds): bigint {
  const bytes = zeroed(16);
  check(sys.call("clock_gettime", clockIds[clock], memory(bytes)), () => `clock_gettime(${clock})`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true);
}
