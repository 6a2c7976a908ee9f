import { assertNever } from "../base/assert-never.js";
import { type TimeZone, utc } from "../formats/time-zone.js";
import type { Value } from "../wire/value.js";
import { histogramRows, histogramText } from "./histogram.js";
import { stackKeyText, stackText } from "./stack-text.js";
import { latestInterval, seriesText } from "./time-series.js";

/**
 * A value as text, as bpftrace 0.27 prints it: tuples `(1, a, (2, 3))`, arrays `[1,2]`, records `{ .a = 1, .b = 2 }`,
 * pointers in hexadecimal, enums by name, buffers with `\x01` for what cannot be printed, strings as they are.
 * `div` divides the numbers of print(@x, top, div), `zone` is that of a time series.
 */
export function valueText(value: Value, div = 1n, zone: TimeZone = utc): string {
  switch (value.kind) {
    case "none":
      return "null";
    case "int":
    case "count":
    case "sum":
    case "min":
    case "max":
      return div === 1n ? value.value.toString() : (value.value / div).toString();
    case "bool":
      return value.value ? "true" : "false";
    case "enum":
      return value.name ?? value.value.toString();
    case "pointer":
      return pointerText(value.value);
    case "string":
    case "symbol":
      return value.value;
    case "buffer":
      return bufferText(value.bytes);
    case "tuple":
      return `(${value.items.map((item) => valueText(item, div)).join(", ")})`;
    case "array":
      return `[${value.items.map((item) => valueText(item, div)).join(",")}]`;
    case "record":
      if (value.fields.length === 0) return "{}";
      return `{ ${value.fields.map((f) => `.${f.name} = ${valueText(f.value, div)}`).join(", ")} }`;
    case "stack":
      return stackText(value);
    case "avg":
      return (value.average / div).toString();
    case "stats":
      // Count and total are not divided (seen in 0.27.1).
      return `{ .count = ${value.count}, .average = ${value.average / div}, .total = ${value.total} }`;
    case "hist":
    case "lhist":
      return histogramText(histogramRows(value, div));
    case "tseries":
      return seriesText(value, latestInterval([{ key: [], value }]), zone);
    default:
      return assertNever(value);
  }
}

/** What stands between the brackets of a map line: `@[1, a]`. A tuple as the only key looks like a key of several parts. */
export function keyText(key: readonly Value[]): string {
  return keyParts(key)
    .map((part) => valueText(part))
    .join(", ");
}

/** The same as a JSON object's name: no blanks between parts, stacks without indentation. */
export function jsonKeyText(key: readonly Value[]): string {
  return keyParts(key).map(compactText).join(",");
}

/** The parts of a key: a tuple as the only one is a key of several. */
export function keyParts(key: readonly Value[]): readonly Value[] {
  const only = key.length === 1 ? key[0] : undefined;
  return only?.kind === "tuple" ? only.items : key;
}

/** bpftrace 0.27 takes every blank out of the name, also those in strings, so that two keys can become one; we do not. */
function compactText(value: Value): string {
  if (value.kind === "tuple") return `(${value.items.map(compactText).join(",")})`;
  if (value.kind === "record") return `{${value.fields.map((f) => `.${f.name}=${compactText(f.value)}`).join(",")}}`;
  return value.kind === "stack" ? stackKeyText(value) : valueText(value);
}

/** `0x1f`; negative numbers do not occur in pointers, but must not print as such. */
export const pointerText = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;

/** Printable ASCII as it is, the rest as `\x01`. */
export function bufferText(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `\\x${hexByte(byte)}`;
  return text;
}

export const hexByte = (byte: number): string => (byte < 16 ? "0" : "") + byte.toString(16);
