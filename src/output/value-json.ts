import { assertNever } from "../base/assert-never.js";
import { encodeBytes, replaceBytes } from "../base/byte-text.js";
import { type TimeZone, utc } from "../formats/time-zone.js";
import type { Value } from "../wire/value.js";
import { type HistogramRow, histogramRows } from "./histogram.js";
import { stackText } from "./stack-text.js";
import { latestInterval, seriesJson } from "./time-series.js";

/**
 * A value as JSON, as bpftrace 0.27 writes it: tuples and arrays are arrays, records objects, enums and pointers numbers,
 * buffers arrays of signed bytes, stacks the text that is printed, histograms arrays of `{min, max, count}` with both
 * ends inclusive. Objects have a blank after `:` and `,`, arrays none.
 */
export function valueJson(value: Value, div = 1n, zone: TimeZone = utc): string {
  switch (value.kind) {
    case "none":
      return "null";
    case "int":
    case "count":
    case "sum":
    case "min":
    case "max":
      return numberJson(value.value / div);
    case "bool":
      return value.value ? "true" : "false";
    case "enum":
      return numberJson(value.value);
    case "pointer":
      return numberJson(BigInt.asUintN(64, value.value));
    case "string":
    case "symbol":
      return stringJson(value.value);
    case "buffer":
      return `[${new Int8Array(value.bytes).join(",")}]`;
    case "tuple":
    case "array":
      return `[${value.items.map((item) => valueJson(item, div)).join(",")}]`;
    case "record":
      return objectJson(value.fields.map((field) => [field.name, valueJson(field.value, div)]));
    case "stack":
      return stringJson(stackText(value));
    case "avg":
      return numberJson(value.average / div);
    case "stats":
      return objectJson([
        ["count", numberJson(value.count)],
        ["average", numberJson(value.average / div)],
        ["total", numberJson(value.total)],
      ]);
    case "hist":
    case "lhist":
      return `[${histogramRows(value, div).map(rowJson).join(",")}]`;
    case "tseries":
      return seriesJson(value, latestInterval([{ key: [], value }]), numberJson, zone);
    default:
      return assertNever(value);
  }
}

/**
 * An integer, as a string if a double cannot hold it: readers of JSON would round it without a word (RFC 8259, 6).
 */
export function numberJson(value: bigint): string {
  const text = value.toString();
  return BigInt(Number(value)) === value ? text : `"${text}"`;
}

/** Characters that stand for bytes in JSON: U+EF80 for 80 to U+EFFF for FF, which have no meaning of their own (private use). */
const firstByte = 0xef00;
const standIns = /[\uef80-\uefff]/g;
/** What a text may have that needs a closer look: those, and all surrogates. One search takes less time than two questions. */
const special = /[\uef80-\uefff\ud800-\udfff]/;

/**
 * Text in quotes. What is UTF-8 is left as it is; bpftrace 0.27.1 writes `\uffffffc3` for its bytes, which no reader accepts. A byte
 * that is none is `\uefff`: a lone surrogate would be refused by some readers, and by others replaced, so that two keys become
 * one. A text that has such a character itself has the bytes of it, so that different texts stay different.
 */
export function stringJson(text: string): string {
  if (!special.test(text)) return plainJson(text);
  const standIn = (byte: number): string => String.fromCharCode(firstByte + byte);
  const own = text.replaceAll(standIns, (character) => Array.from(encodeBytes(character), standIn).join(""));
  return plainJson(replaceBytes(own, standIn)).replaceAll(standIns, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}

function plainJson(text: string): string {
  if (!text.includes("\b") && !text.includes("\f")) return JSON.stringify(text);
  // bpftrace has no short forms for backspace and form feed.
  const escaped = (piece: string): string => JSON.stringify(piece).slice(1, -1);
  const lines = text.split("\b").map((part) => part.split("\f").map(escaped).join("\\u000c"));
  return `"${lines.join("\\u0008")}"`;
}

export function objectJson(fields: readonly (readonly [name: string, json: string])[]): string {
  return `{${fields.map(([name, json]) => `${stringJson(name)}: ${json}`).join(", ")}}`;
}

function rowJson(row: HistogramRow): string {
  let text = "{";
  if (row.min !== undefined) text += `"min": ${numberJson(row.min)}, `;
  if (row.max !== undefined) text += `"max": ${numberJson(row.max - 1n)}, `;
  return `${text}"count": ${numberJson(row.count)}}`;
}
