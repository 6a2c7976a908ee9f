import { type TimeZone, utc } from "../formats/time-zone.js";

/** What decides how values are shown, beside themselves. */
export interface Style {
  /** Of moments. */
  readonly zone: TimeZone;
  /** In JSON a map is an object with keys as text, or an array of entries whose keys have their types. */
  readonly jsonKeys: "text" | "entries";
}

/** The same on each machine. */
export const plainStyle: Style = { zone: utc, jsonKeys: "text" };
