import { type TimeZone, utc } from "../formats/time-zone.js";

/** What decides how values are shown, beside themselves. */
export interface Style {
  /** Of moments. */
  readonly zone: TimeZone;
}

/** The same on each machine. */
export const plainStyle: Style = { zone: utc };
