import { type TimeFormat, timeFormat } from "../output/format-time.js";
import { readClock } from "../sys/clock.js";
import type { Sys } from "../sys/sys.js";
import type { Clock } from "../types/type.js";
import { LocalZone } from "./local-zone.js";

const second = 1_000_000_000n;

/** Moments of the kernel's clocks on the calendar, as text. */
export class WallTime {
  private readonly sys: Sys;
  private readonly zone = new LocalZone();
  /** Of the scripts' formats, which are few. */
  private readonly formats = new Map<string, TimeFormat>();
  /** What to add to a clock for the time since 1970; measured once, so that differences of times stay exact. */
  private readonly offsets = new Map<Clock, bigint>();

  constructor(sys: Sys) {
    this.sys = sys;
    this.offsets.set("monotonic", offsetOf(sys, "monotonic"));
  }

  /** Nanoseconds since 1970. */
  now(): bigint {
    return readClock(this.sys, "realtime");
  }

  /** Nanoseconds since 1970 of a moment that a clock shows. */
  of(clock: Clock, nanoseconds: bigint): bigint {
    let offset = this.offsets.get(clock);
    if (offset === undefined) {
      offset = offsetOf(this.sys, clock);
      this.offsets.set(clock, offset);
    }
    return nanoseconds + offset;
  }

  text(format: string, nanoseconds: bigint): string {
    let show = this.formats.get(format);
    if (show === undefined) {
      show = timeFormat(format);
      this.formats.set(format, show);
    }
    const rest = ((nanoseconds % second) + second) % second;
    const moment = { seconds: Number((nanoseconds - rest) / second), microseconds: Number(rest / 1000n) };
    return show(moment, this.zone);
  }
}

function offsetOf(sys: Sys, clock: Clock): bigint {
  const shown = readClock(sys, clock);
  const offset = readClock(sys, "realtime") - shown;
  if (clock !== "tai") return offset;
  // Atomic time is ahead by whole seconds: none as long as nobody has told the kernel how many (adjtimex(2), ADJ_TAI).
  return -((-offset + second / 2n) / second) * second;
}
