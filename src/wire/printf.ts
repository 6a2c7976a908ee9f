import type { Value } from "./value.js";

/** One `%` conversion of a format string. */
export interface Conversion {
  /** As it is written: `%-5lld`. */
  readonly text: string;
  /** UTF-16 offsets in the format text, `end` exclusive. */
  readonly start: number;
  readonly end: number;
  readonly specifier: Specifier;
  /** The kinds of values (wire/value.ts) that it can format. */
  readonly accepts: readonly string[];
  readonly length: LengthModifier;
  readonly leftAlign: boolean;
  readonly showSign: boolean;
  /** `#`: 0x and 0 before hexadecimal and octal numbers that are not 0. */
  readonly alternate: boolean;
  readonly zeroPad: boolean;
  readonly width: number;
  /** Undefined if none was given. */
  readonly precision: number | undefined;
}

export type LengthModifier = "" | "hh" | "h" | "l" | "ll" | "j" | "z" | "t";

/** `r`, `rx` and `rh` are buffers as text, as `\x61` and as `61 62`; `gr` are the names of a gfp_t's flags. */
export type Specifier = "d" | "i" | "u" | "o" | "x" | "X" | "c" | "p" | "s" | "r" | "rx" | "rh" | "gr";

/**
 * Bits of an integer that a conversion shows: as in C, `%d` is an int and cuts a 64-bit value, `%ld` and `%lld` do not.
 * Undefined where it shows all there is.
 */
export function shownBits({ specifier, length }: Conversion): 8 | 16 | 32 | 64 | undefined {
  if (specifier === "s" || specifier === "p" || specifier === "gr" || specifier.startsWith("r")) return undefined;
  if (specifier === "c") return 8;
  switch (length) {
    case "hh":
      return 8;
    case "h":
      return 16;
    case "":
      return 32;
    default:
      return 64;
  }
}

export interface FormatMistake {
  readonly start: number;
  readonly end: number;
  readonly message: string;
}

export interface ParsedFormat {
  /** Literal text around the conversions, one more than these. */
  readonly pieces: readonly string[];
  readonly conversions: readonly Conversion[];
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
      text: match[0],
      start,
      end,
      accepts: acceptedKinds(specifier),
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
  return { pieces, conversions, errors };
}

type ValueKind = Value["kind"];

const integers: readonly ValueKind[] = ["int", "bool", "enum", "pointer", "count", "sum", "min", "max", "avg"];
const buffers: readonly ValueKind[] = ["buffer"];
const anything: readonly ValueKind[] = [
  ...integers,
  ...([
    "string",
    "buffer",
    "tuple",
    "array",
    "record",
    "stack",
    "symbol",
    "stats",
    "hist",
    "lhist",
    "tseries",
  ] as const),
];

function acceptedKinds(specifier: Specifier): readonly ValueKind[] {
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
