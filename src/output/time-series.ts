import { greater, lesser } from "../base/bigints.js";
import type { TimeZone } from "../formats/time-zone.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { type TimeFormat, timeFormat } from "./format-time.js";

type Series = Extract<Value, { kind: "tseries" }>;

/** One interval: where it begins, in nanoseconds since 1970, and its value, if it has one. */
export interface SeriesRow {
  readonly start: bigint;
  readonly value: bigint | undefined;
}

/** The latest interval of all series of a map, which are shown side by side. */
export function latestInterval(entries: MapSnapshot["entries"]): bigint {
  let latest = 0n;
  for (const { value } of entries) {
    if (value.kind !== "tseries") continue;
    for (const interval of value.points.keys()) latest = greater(latest, interval);
  }
  return latest;
}

/** The intervals up to `last` that are still kept, from the first one with a value on. */
export function seriesRows({ interval, intervals, points }: Series, last: bigint): readonly SeriesRow[] {
  const first = last - BigInt(intervals) + 1n;
  const kept = [...points.keys()].filter((point) => point >= first);
  const rows: SeriesRow[] = [];
  if (kept.length === 0) return rows;
  for (let at = kept.reduce(lesser); at <= last; at++) {
    rows.push({ start: at * interval, value: points.get(at) });
  }
  return rows;
}

/** Characters of the graph, its borders included. */
const width = 53;
/** Where the largest value is written, from the graph's left. */
const leftColumn = 21;

const second = 1_000_000_000n;
const micro = 1000n;
const milli = 1_000_000n;

/** How times are written by the time between them: with what unit, which the heading names, and how many digits. */
function unitOf(between: bigint): { readonly name: string; readonly digits: number } {
  if (between >= second) return { name: "", digits: 0 };
  if (between >= milli) return { name: ".ms", digits: 3 };
  return between >= micro ? { name: ".μs", digits: 6 } : { name: ".ns", digits: 9 };
}

/** The first digits of a moment's fraction of a second. */
const fraction = (time: bigint, digits: number): string =>
  digits === 0 ? "" : `.${(time % second).toString().padStart(9, "0").slice(0, digits)}`;

const timeOfDay = timeFormat("%H:%M:%S");
const dateAndTime = timeFormat("%Y-%m-%d %H:%M:%S");

const clock = (time: bigint, format: TimeFormat, zone: TimeZone): string =>
  format({ seconds: Number(time / second), microseconds: 0 }, zone);

/** The time of day, with as many digits as two moments so far apart (nanoseconds) need. */
export const momentText = (time: bigint, between: bigint, zone: TimeZone): string =>
  clock(time, timeOfDay, zone) + fraction(time, unitOf(between).digits);

/** A byte counts where bpftrace fills up to a width: `μ` has two. */
const padded = (text: string, bytes: number): string => text + " ".repeat(Math.max(0, bytes - Buffer.byteLength(text)));

/** The graph of one series as bpftrace 0.27 draws it: a line for each interval, the values from left to right. */
export function seriesText(series: Series, last: bigint, zone: TimeZone): string {
  const rows = seriesRows(series, last);
  const [first] = rows;
  const end = rows.at(-1);
  if (first === undefined || end === undefined) return "<no data>";
  const [least, most] = bounds(series, rows);
  const between = (end.start - first.start) / BigInt(Math.max(1, rows.length - 1));
  const unit = unitOf(between);
  const timeWidth = "hh:mm:ss".length + (unit.digits === 0 ? 0 : 1 + unit.digits);
  const margin = " ".repeat(timeWidth + 1);
  const scale = `${margin}${least.toString().padEnd(leftColumn)}${most.toString().padStart(width - leftColumn)}\n`;
  const line = "_".repeat(width - 2);
  let text = `${scale}${padded(`hh:mm:ss${unit.name}`, timeWidth + 1)}|${line}|\n`;
  const zero = least < 0n && most > 0n ? place(width, -least, most - least) : 0;
  for (const { start, value } of rows) {
    const graph = ["|", ...new Array<string>(width - 2).fill(" "), "|"];
    if (zero > 0) graph[zero] = ".";
    if (value !== undefined) {
      const at = least === most ? Math.floor(width / 2) : place(width - 1, value - least, most - least);
      graph[Math.max(0, Math.min(width - 1, at))] = "*";
    }
    text += `${momentText(start, between, zone)} ${graph.join("")} ${value ?? "-"}\n`;
  }
  return `${text}${margin}v${line}v\n${scale}`;
}

/** Computed in single precision, as bpftrace does: a point falls into the same column. */
const place = (columns: number, distance: bigint, range: bigint): number =>
  Math.trunc(
    Math.fround(Math.fround(Math.fround(columns) * Math.fround(Number(distance))) / Math.fround(Number(range))),
  );

/** The least and the greatest value; with one value only, room on both sides, as far as its type goes. */
function bounds({ signed }: Series, rows: readonly SeriesRow[]): readonly [bigint, bigint] {
  const values = rows.flatMap(({ value }) => (value === undefined ? [] : [value]));
  const least = values.reduce(lesser);
  const most = values.reduce(greater);
  if (least !== most) return [least, most];
  const [lowest, highest] = signed ? [-(1n << 63n), (1n << 63n) - 1n] : [0n, (1n << 64n) - 1n];
  return [least > lowest ? least - 1n : least, most < highest ? most + 1n : most];
}

/** Intervals with a value, each as an object without blanks. */
export function seriesJson(series: Series, last: bigint, number: (value: bigint) => string, zone: TimeZone): string {
  const points = seriesRows(series, last).flatMap(({ start, value }) => {
    if (value === undefined) return [];
    const time = clock(start, dateAndTime, zone) + fraction(start, 9);
    return [`{"interval_start":"${time}","value":${number(value)}}`];
  });
  return `[${points.join(",")}]`;
}
