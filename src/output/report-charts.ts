import { greater, lesser } from "../base/bigints.js";
import type { TimeZone } from "../formats/time-zone.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { amountText, groupedText, percentText } from "./flame-layout.js";
import { type HistogramRow, histogramRows } from "./histogram.js";
import { orderedEntries } from "./map-order.js";
import { escaped, visibleText } from "./markup.js";
import { seriesColours } from "./page-style.js";
import { divOf } from "./text.js";
import { latestInterval, momentText, type SeriesRow, seriesRows } from "./time-series.js";
import { keyText } from "./value-text.js";
import { visibleValue } from "./visible-bytes.js";

/** Charts of one map that a page can carry; what is beyond is counted. */
const mostCharts = 200;

/** The histograms of a map, one for each key, those with the most values first. */
export function histogramCharts(map: MapSnapshot): string {
  const div = divOf(map);
  const charts = orderedEntries(map)
    .toReversed()
    .flatMap(({ key, value }) => {
      if (value.kind !== "hist" && value.kind !== "lhist") return [];
      return [histogramChart(titleOf(map, key), histogramRows(value, div))];
    });
  return `<div class="charts">${charts.slice(0, mostCharts).join("")}</div>${leftOut(charts.length - mostCharts, "histograms")}`;
}

/** A key on one line; stacks have several. */
const keyLine = (key: readonly Value[]): string =>
  visibleText(
    keyText(key.map(visibleValue))
      .trim()
      .replaceAll(/\s*\n\s*/g, " < "),
  );

/** The heading above has the name of the map. */
const titleOf = (map: MapSnapshot, key: readonly Value[]): string =>
  map.keyed ? `<b>[${escaped(keyLine(key))}]</b> ` : "";

const leftOut = (count: number, what: string): string =>
  count > 0
    ? `<p class="notice">${groupedText(BigInt(count))} more ${what} are not shown here; -f text or -f json has them all.</p>`
    : "";

/** `title` is markup. */
function histogramChart(title: string, rows: readonly HistogramRow[]): string {
  const most = rows.reduce((max, { count }) => greater(max, count), 0n);
  const total = rows.reduce((sum, { count }) => sum + count, 0n);
  let before = 0n;
  const lines = rows.map(({ label, count }) => {
    before += count;
    const width = most === 0n ? 0 : (100 * Number(count)) / Number(most);
    const upTo = `${percentText(Number(before), Number(total))} are in this row or above it`;
    return `<tr title="${escaped(upTo)}"><th scope="row">${escaped(label)}</th><td class="number">${groupedText(count)}</td><td class="bar"><i style="width:${width.toFixed(2)}%"></i></td><td class="number share">${count === 0n ? "" : escaped(percentText(Number(count), Number(total)))}</td></tr>`;
  });
  return `<figure class="hist"><figcaption>${title}${amountText(groupedText(total), " values")}</figcaption><div class="rows"><table><tbody>
${lines.join("\n")}
</tbody></table></div></figure>`;
}

/** A line of a chart. */
interface Line {
  readonly name: string;
  readonly rows: readonly SeriesRow[];
}

/** The time series of a map, a few in each chart, with their numbers below. */
export function seriesCharts(map: MapSnapshot, zone: TimeZone): string {
  const last = latestInterval(map.entries);
  let interval = 0n;
  const lines = orderedEntries(map)
    .flatMap(({ key, value }): Line[] => {
      if (value.kind !== "tseries") return [];
      interval = value.interval;
      return [{ name: map.keyed ? keyLine(key) : visibleText(map.name), rows: seriesRows(value, last) }];
    })
    .filter(({ rows }) => rows.length > 0)
    // The largest in the first chart.
    .map((line) => ({ line, sum: line.rows.reduce((sum, { value }) => sum + (value ?? 0n), 0n) }))
    .sort((a, b) => (a.sum === b.sum ? 0 : a.sum > b.sum ? -1 : 1))
    .map(({ line }) => line);
  if (lines.length === 0) return "<p>No values.</p>";
  const charts: string[] = [];
  for (let at = 0; at < lines.length && charts.length < mostCharts; at += seriesColours.length)
    charts.push(lineChart(lines.slice(at, at + seriesColours.length), interval, zone));
  return `<div class="lines">${charts.join("")}</div>${leftOut(lines.length - mostCharts * seriesColours.length, "time series")}`;
}

const chart = { width: 860, height: 260, left: 62, right: 46, top: 12, bottom: 28 } as const;
const plotWidth = chart.width - chart.left - chart.right;
const plotHeight = chart.height - chart.top - chart.bottom;
/** More points than this are a line without marks. */
const mostMarks = 300;

function lineChart(lines: readonly Line[], interval: bigint, zone: TimeZone): string {
  const values = lines.flatMap(({ rows }) => rows.flatMap(({ value }) => (value === undefined ? [] : [value])));
  const starts = lines.flatMap(({ rows }) => rows.map(({ start }) => start));
  const [first, end] = [starts.reduce(lesser), starts.reduce(greater)];
  const ticks = axisTicks(Number(values.reduce(lesser, 0n)), Number(values.reduce(greater, 0n)));
  const [low, high] = [ticks[0] ?? 0, ticks.at(-1) ?? 1];
  const x = (start: bigint): number =>
    chart.left + (end === first ? plotWidth / 2 : (plotWidth * Number(start - first)) / Number(end - first));
  const y = (value: number): number => chart.top + plotHeight * (1 - (value - low) / (high - low));
  const grid = ticks.map((tick) => {
    const at = y(tick).toFixed(1);
    const line = `<line class="grid" x1="${chart.left}" x2="${chart.width - chart.right}" y1="${at}" y2="${at}"/>`;
    return `${line}<text class="axis" x="${chart.left - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${compactText(tick)}</text>`;
  });
  const titleOf = (name: string, start: bigint, value: bigint): string =>
    `${name} ${momentText(start, interval, zone)}: ${groupedText(value)}`;
  const paths = lines.map(({ name, rows }, i) => {
    const marks = rows.length <= mostMarks;
    return linePath(name, rows, seriesColours[i] ?? "", x, y, titleOf, marks);
  });
  const legend = lines.map(
    ({ name }, i) => `<span><i style="background:${seriesColours[i] ?? ""}"></i>${escaped(name)}</span>`,
  );
  const picture = `<svg viewBox="0 0 ${chart.width} ${chart.height}" role="img">${grid.join("")}${timeAxis(first, end, interval, x, zone)}${paths.join("")}</svg>`;
  return `<figure>${picture}<figcaption class="bar-row legend">${legend.join("")}</figcaption>${numbersOf(lines, interval, zone)}</figure>`;
}

/** Where time stands below the plot: at most six moments, each at the start of an interval. */
function timeAxis(first: bigint, end: bigint, interval: bigint, x: (start: bigint) => number, zone: TimeZone): string {
  const steps = Number((end - first) / interval);
  const every = Math.max(1, Math.ceil(steps / 6));
  const texts: string[] = [];
  for (let step = 0; step <= steps; step += every) {
    const start = first + BigInt(step) * interval;
    texts.push(
      `<text class="axis" x="${x(start).toFixed(1)}" y="${chart.height - 8}" text-anchor="middle">${momentText(start, interval, zone)}</text>`,
    );
  }
  return texts.join("");
}

/** A line with gaps where an interval has no value. */
function linePath(
  name: string,
  rows: readonly SeriesRow[],
  colour: string,
  x: (start: bigint) => number,
  y: (value: number) => number,
  titleOf: (name: string, start: bigint, value: bigint) => string,
  marks: boolean,
): string {
  let path = "";
  let joined = false;
  const points: string[] = [];
  for (const { start, value } of rows) {
    if (value === undefined) {
      joined = false;
      continue;
    }
    const [atX, atY] = [x(start).toFixed(1), y(Number(value)).toFixed(1)];
    path += `${joined ? "L" : "M"}${atX} ${atY}`;
    joined = true;
    const title = titleOf(name, start, value);
    if (marks)
      points.push(`<circle cx="${atX}" cy="${atY}" r="3" fill="${colour}"><title>${escaped(title)}</title></circle>`);
  }
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" stroke-linecap="round"/>${points.join("")}`;
}

function numbersOf(lines: readonly Line[], interval: bigint, zone: TimeZone): string {
  const moments = new Map<bigint, (bigint | undefined)[]>();
  for (const [i, { rows }] of lines.entries())
    for (const { start, value } of rows) {
      const row = moments.get(start) ?? new Array<bigint | undefined>(lines.length).fill(undefined);
      row[i] = value;
      moments.set(start, row);
    }
  const head = lines.map(({ name }) => `<th class="number">${escaped(name)}</th>`).join("");
  const body = [...moments]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([start, row]) => {
      const cells = row.map((value) => `<td class="number">${value === undefined ? "–" : groupedText(value)}</td>`);
      return `<tr><th scope="row">${momentText(start, interval, zone)}</th>${cells.join("")}</tr>`;
    });
  return `<details><summary>Numbers</summary><div class="rows"><table><thead><tr><th>time</th>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div></details>`;
}

/** Round numbers around a range of values, 0 among them. */
export function axisTicks(least: number, most: number): readonly number[] {
  const [from, to] = [Math.min(0, least), Math.max(0, most)];
  const rough = (to - from || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10));
  const ticks: number[] = [];
  for (let i = Math.floor(from / step); i <= Math.max(Math.ceil(to / step), 1); i++) ticks.push(i * step);
  return ticks;
}

const units = ["", "K", "M", "G", "T", "P", "E"];

/** `1.5 M`: three digits or so, in powers of 1000. */
export function compactText(value: number): string {
  let rest = Math.abs(value);
  let unit = 0;
  for (; rest >= 1000 && unit < units.length - 1; unit++) rest /= 1000;
  const digits = Number(rest.toPrecision(3)).toString();
  return `${value < 0 ? "−" : ""}${digits}${unit === 0 ? "" : ` ${units[unit]}`}`;
}
