import type { TypeKind } from "../types/type.js";
import type { Value } from "../wire/value.js";
import type { Conversion, LengthModifier, Specifier } from "./printf-conversion.js";
import { formatterOf } from "./printf-format.js";

export { type Conversion, type LengthModifier, type Specifier, shownBits } from "./printf-conversion.js";

export interface FormatMistake {
  readonly start: number;
  readonly end: number;
  readonly message: string;
}

export interface ParsedFormat {
  /** Literal text around the conversions, one more than these. */
  readonly pieces: readonly string[];
  readonly conversions: readonly Conversion[];
  /** For each conversion the function that formats its value, made once. */
  readonly formatters: readonly ((value: Value) => string)[];
  readonly errors: readonly FormatMistake[];
}

const conversion =
  /%(?<flags>[-+ #0]*)(?<width>\*|\d+)?(?:\.(?<precision>\*|\d+))?(?<length>[hlLjzt]*)(?<specifier>gr|r[hx]?|[a-zA-Z%])/g;

const specifiers: ReadonlySet<string> = new Set("d i u o x X c p s r rx rh gr".split(" "));
const lengths: ReadonlySet<string> = new Set(["", "hh", "h", "l", "ll", "j", "z", "t"]);

/** bpftrace takes these letters for conversions and then refuses them; any other letter after `%` is plain text. */
const unsupported: ReadonlySet<string> = new Set("eEfFgGaAn");

/** A width beyond this is a slip of the keyboard, and would fill the memory. */
const maxWidth = 65536;

/**
 * Takes a format string apart. The syntax is bpftrace 0.27's: flags, width, precision, length and conversion as in C;
 * `%%` is a percent sign, a `%` that begins nothing known is text, `*` takes no argument and means no width.
 */
export function parseFormat(text: string): ParsedFormat {
  const pieces: string[] = [];
  const conversions: Conversion[] = [];
  const errors: FormatMistake[] = [];
  let piece = "";
  let at = 0;
  for (const match of text.matchAll(conversion)) {
    const { flags = "", width, precision, length = "", specifier = "" } = match.groups ?? {};
    const start = match.index;
    const end = start + match[0].length;
    if (specifier !== "%" && !isSpecifier(specifier) && !unsupported.has(specifier)) continue;
    piece += text.slice(at, start);
    at = end;
    if (specifier === "%") {
      piece += "%";
      continue;
    }
    if (!isSpecifier(specifier)) {
      errors.push({ start, end, message: `unsupported format specifier: ${specifier}` });
      piece += match[0];
      continue;
    }
    if (!isLength(length)) errors.push({ start, end, message: `unsupported length modifier: ${length}` });
    const fieldWidth = count(width);
    const digits = count(precision);
    if ((fieldWidth ?? 0) > maxWidth || (digits ?? 0) > maxWidth) {
      errors.push({ start, end, message: `the width in '${match[0]}' is larger than ${maxWidth}` });
    }
    pieces.push(piece);
    piece = "";
    conversions.push({
      start,
      end,
      specifier,
      length: isLength(length) ? length : "",
      leftAlign: flags.includes("-"),
      showSign: flags.includes("+"),
      alternate: flags.includes("#"),
      zeroPad: flags.includes("0"),
      width: Math.min(fieldWidth ?? 0, maxWidth),
      precision: digits === undefined ? undefined : Math.min(digits, maxWidth),
    });
  }
  pieces.push(piece + text.slice(at));
  return { pieces, conversions, formatters: conversions.map(formatterOf), errors };
}

/** The text of a format with its values; there must be one for each conversion. */
export function formatPrintf(format: ParsedFormat, values: readonly Value[]): string {
  const { pieces, formatters } = format;
  let text = pieces[0] ?? "";
  for (let i = 0; i < formatters.length; i++) {
    const formatter = formatters[i];
    const value = values[i];
    if (formatter === undefined || value === undefined) throw new Error("internal: printf has too few values");
    text += formatter(value) + (pieces[i + 1] ?? "");
  }
  return text;
}

const anything: ReadonlySet<TypeKind> = new Set<TypeKind>([
  ...([
    "int",
    "bool",
    "enum",
    "string",
    "buffer",
    "pointer",
    "record",
    "array",
    "tuple",
    "stack",
    "ksym",
    "usym",
  ] as const),
  ...(["username", "probe", "func", "inet", "timestamp", "count", "sum", "min", "max", "avg", "stats"] as const),
  ...(["hist", "lhist"] as const),
]);
const integers: ReadonlySet<TypeKind> = new Set<TypeKind>([
  ...(["int", "bool", "enum", "pointer", "count", "sum", "min", "max", "avg"] as const),
]);
const buffers: ReadonlySet<TypeKind> = new Set<TypeKind>(["buffer"]);

/** The types of arguments that a conversion can format; the checker's table. */
export function acceptedTypes(specifier: Specifier): ReadonlySet<TypeKind> {
  switch (specifier) {
    case "s":
      return anything;
    case "r":
    case "rx":
    case "rh":
      return buffers;
    default:
      return integers;
  }
}

const isSpecifier = (text: string): text is Specifier => specifiers.has(text);
const isLength = (text: string): text is LengthModifier => lengths.has(text);
const count = (text: string | undefined): number | undefined =>
  text === undefined || text === "*" ? undefined : Number(text);
