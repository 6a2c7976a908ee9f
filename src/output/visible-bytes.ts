import { replaceBytes } from "../base/byte-text.js";
import type { Value } from "../wire/value.js";
import { hexByte } from "./value-text.js";

/** What would look like a byte. */
const likeByte = /\\(?=x[0-9a-fA-F]{2})/g;

/**
 * Text for what takes valid UTF-8 only and is read by people: a byte that is none is `\xff`. A backslash that stands before `x` and
 * two digits in the text itself is `\x5c`, so that different texts stay different.
 */
export function visibleBytes(text: string): string {
  const plain = text.includes("\\x") ? text.replace(likeByte, "\\x5c") : text;
  return replaceBytes(plain, (byte) => `\\x${hexByte(byte)}`);
}

/** The same for all texts of a value, which is then formatted as any other. */
export function visibleValue(value: Value): Value {
  switch (value.kind) {
    case "string":
    case "symbol":
      return { ...value, value: visibleBytes(value.value) };
    case "tuple":
    case "array":
      return { ...value, items: value.items.map(visibleValue) };
    case "record":
      return { ...value, fields: value.fields.map((field) => ({ ...field, value: visibleValue(field.value) })) };
    default:
      return value;
  }
}
