import { bytesIn, byteText, sliceBytes } from "../base/byte-text.js";
import { type Conversion, shownBits } from "../wire/printf.js";
import type { Value } from "../wire/value.js";
import { gfpText } from "./gfp-text.js";
import { bufferText, hexByte, pointerText, valueText } from "./value-text.js";

/**
 * The function that formats the values of one conversion, as bpftrace 0.27.1 does: through a C++ stream rather than
 * printf(3), so a precision does not pad numbers, `% d` is `%d`, `%#x` of 0 is `0`, `%p` of 0 is `0`, and the width of a
 * tuple applies to its bracket alone. Three slips of it are not followed, since they show what the script did not ask
 * for: `%05d` of -42 is `-0042` (there `00-42`), `%-05d` of 42 is `42   ` (there `42000`), and `%.3s` cuts the text to
 * three bytes, as in C, as it did before 0.24 and as tools that print columns expect (there it does nothing). Widths count
 * bytes, too.
 */
export function formatterOf(conversion: Conversion): (value: Value) => string {
  const pad = padding(conversion);
  switch (conversion.specifier) {
    case "d":
    case "i":
      return signedFormatter(conversion, pad);
    case "u":
    case "o":
    case "x":
    case "X":
      return unsignedFormatter(conversion, pad);
    case "c":
      return (value) => pad(byteText(Number(integerOf(value) & 0xffn)));
    case "p":
      return (value) => {
        const address = integerOf(value);
        return pad(address === 0n ? "0" : pointerText(address));
      };
    case "gr":
      return (value) => pad(gfpText(BigInt.asUintN(64, integerOf(value))));
    case "s":
      return textFormatter(conversion, pad);
    case "r":
      return (value) => pad(value.kind === "buffer" ? bufferText(value.bytes) : valueText(value));
    case "rx":
      return (value) => pad(value.kind === "buffer" ? escapedHex(value.bytes) : valueText(value));
    case "rh":
      return (value) => pad(value.kind === "buffer" ? spacedHex(value.bytes) : valueText(value));
  }
}

type Pad = (text: string) => string;

/** Spaces or zeros up to the width; zeros come after a sign or 0x, and never behind the text. */
function padding({ width, leftAlign, zeroPad, specifier }: Conversion): Pad {
  if (width === 0) return (text) => text;
  const filling = (leftAlign || !zeroPad ? " " : "0").repeat(width);
  if (leftAlign) return (text) => (text.length >= width ? text : text + filling.slice(bytesIn(text)));
  if (!zeroPad) return (text) => (text.length >= width ? text : filling.slice(bytesIn(text)) + text);
  if (specifier === "d" || specifier === "i") {
    return (text) => {
      const sign = text.startsWith("-") || text.startsWith("+") ? text.slice(0, 1) : "";
      return sign + text.slice(sign.length).padStart(width - sign.length, "0");
    };
  }
  // Seen in 0.27.1: `%#010x` of 255 is 0000000xff. Zeros before 0x are no number; C puts them behind it.
  if (specifier === "x" || specifier === "X" || specifier === "p") {
    return (text) => {
      const prefix = /^0x/i.test(text) ? text.slice(0, 2) : "";
      return prefix + text.slice(prefix.length).padStart(width - prefix.length, "0");
    };
  }
  return (text) => (text.length >= width ? text : filling.slice(bytesIn(text)) + text);
}

function signedFormatter(conversion: Conversion, pad: Pad): (value: Value) => string {
  const bits = shownBits(conversion) ?? 64;
  const { showSign } = conversion;
  return (value) => {
    const shown = BigInt.asIntN(bits, integerOf(value));
    const text = shown.toString();
    return pad(showSign && shown >= 0n ? `+${text}` : text);
  };
}

function unsignedFormatter(conversion: Conversion, pad: Pad): (value: Value) => string {
  const bits = shownBits(conversion) ?? 64;
  const { specifier, alternate } = conversion;
  const radix = specifier === "u" ? 10 : specifier === "o" ? 8 : 16;
  const prefix = !alternate || radix === 10 ? "" : radix === 8 ? "0" : "0x";
  return (value) => {
    const shown = BigInt.asUintN(bits, integerOf(value));
    const text = shown === 0n ? "0" : prefix + shown.toString(radix);
    return pad(specifier === "X" ? text.toUpperCase() : text);
  };
}

function textFormatter(conversion: Conversion, pad: Pad): (value: Value) => string {
  const { precision, showSign, leftAlign, width } = conversion;
  return (value) => {
    switch (value.kind) {
      case "string":
      case "symbol":
        return pad(precision === undefined ? value.value : sliceBytes(value.value, 0, precision));
      case "int":
        return pad(showSign && value.value >= 0n ? `+${value.value}` : value.value.toString());
      case "tuple":
      case "array":
      case "record": {
        const text = valueText(value);
        const bracket =
          value.kind === "record" && value.fields.length > 0 ? 2 : value.kind === "record" ? text.length : 1;
        if (width <= bracket) return text;
        return pad(text.slice(0, bracket)) + text.slice(bracket);
      }
      case "hist":
      case "lhist":
        return valueText(value);
      default:
        return leftAlign || width > 0 ? pad(valueText(value)) : valueText(value);
    }
  };
}

/** The number behind a value of any kind that has one. */
function integerOf(value: Value): bigint {
  switch (value.kind) {
    case "int":
    case "enum":
    case "pointer":
    case "count":
    case "sum":
    case "min":
    case "max":
      return value.value;
    case "bool":
      return value.value ? 1n : 0n;
    case "avg":
    case "stats":
      return value.average;
    default:
      throw new Error(`internal: printf has a ${value.kind} where it needs a number`);
  }
}

const escapedHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => `\\x${hexByte(byte)}`).join("");
const spacedHex = (bytes: Uint8Array): string => Array.from(bytes, hexByte).join(" ");
