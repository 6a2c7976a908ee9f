/** One `%` conversion of a format string. */
export interface Conversion {
  /** UTF-16 offsets in the format text, `end` exclusive. */
  readonly start: number;
  readonly end: number;
  readonly specifier: Specifier;
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
