import type { LocalTime, TimeZone } from "../formats/time-zone.js";
import { type Conversion, conversions, type Shown } from "./time-conversions.js";

/** A moment since 1970, and the microseconds within its second. */
export interface Moment {
  readonly seconds: number;
  readonly microseconds: number;
}

export type TimeFormat = (moment: Moment, zone: TimeZone) => string;

/** What stands between `%` and its letter. */
interface Flags {
  readonly pad: "_" | "-" | "0" | "";
  readonly upper: boolean;
  /** `#`: the other case. */
  readonly swap: boolean;
  readonly width: number;
}

type Piece = (shown: Shown) => string;

/** Wider fields are refused by the checker. */
export const widestField = 4095;

const item = /%([_0^#-]*)(\d*)([EO]?)(.?)/gsu;

/**
 * strftime(3) in the C locale: flags, widths and modifiers as glibc has them (2.36, time/strftime_l.c), what it does not
 * know printed as it stands; besides `%f`, bpftrace's own, the microsecond in six digits.
 */
export function timeFormat(format: string): TimeFormat {
  const pieces = piecesOf(format);
  return ({ seconds, microseconds }, zone) => {
    const shown = shownAt(seconds, microseconds, zone.at(seconds));
    let text = "";
    for (const piece of pieces) text += typeof piece === "string" ? piece : piece(shown);
    return text;
  };
}

export const formatTime = (format: string, moment: Moment, zone: TimeZone): string => timeFormat(format)(moment, zone);

/** The widest field that a format asks for. */
export const fieldWidth = (format: string): number =>
  [...format.matchAll(item)].reduce((widest, [, , width]) => Math.max(widest, Number(width)), 0);

function piecesOf(format: string): readonly (string | Piece)[] {
  const pieces: (string | Piece)[] = [];
  let end = 0;
  for (const found of format.matchAll(item)) {
    const [whole, flags = "", width = "", modifier = "", letter = ""] = found;
    if (found.index > end) pieces.push(format.slice(end, found.index));
    end = found.index + whole.length;
    pieces.push(pieceOf(whole, flagsOf(flags, width), modifier, letter));
  }
  if (end < format.length) pieces.push(format.slice(end));
  return pieces;
}

const flagsOf = (flags: string, width: string): Flags => {
  const pad = [...flags].findLast((flag) => flag === "_" || flag === "-" || flag === "0");
  return {
    pad: pad === "_" || pad === "-" || pad === "0" ? pad : "",
    upper: flags.includes("^"),
    swap: flags.includes("#"),
    width: Number(width),
  };
};

function pieceOf(whole: string, flags: Flags, modifier: string, letter: string): string | Piece {
  if (whole === "%f") return ({ microseconds }) => String(microseconds).padStart(6, "0");
  const conversion = conversions.get(letter);
  if (conversion === undefined || (modifier !== "" && !conversion.modifiers.includes(modifier)))
    return padded(
      flags.upper || (flags.swap && conversion?.alwaysSwapped === true) ? whole.toUpperCase() : whole,
      flags,
    );
  return pieceFor(conversion, flags);
}

function pieceFor(conversion: Conversion, flags: Flags): string | Piece {
  switch (conversion.kind) {
    case "literal":
      return padded(conversion.text, flags);
    case "text": {
      const lower = conversion.lower === true || (flags.swap && conversion.swapped === "lower");
      const upper = flags.upper || (flags.swap && conversion.swapped === "upper");
      const cased = (text: string): string => (lower ? text.toLowerCase() : upper ? text.toUpperCase() : text);
      return (shown) => padded(cased(conversion.text(shown)), flags);
    }
    case "number": {
      const { digits, blank = false, value, padsDigits = true } = conversion;
      const pad = blank && flags.pad === "" ? "_" : flags.pad;
      const least = padsDigits ? Math.max(digits, flags.width) : digits;
      return (shown) => numberText(value(shown), least, { ...flags, pad });
    }
    case "format": {
      const pieces = piecesOf(conversion.format);
      return (shown) => {
        const text = pieces.map((piece) => (typeof piece === "string" ? piece : piece(shown))).join("");
        return padded(flags.upper ? text.toUpperCase() : text, flags);
      };
    }
    case "offset":
      // The sign is a field of its own, which has the width, too.
      return ({ offset }) => {
        const minutes = Math.trunc(Math.abs(offset) / 60);
        const value = Math.trunc(minutes / 60) * 100 + (minutes % 60);
        return padded(offset < 0 ? "-" : "+", flags) + numberText(value, Math.max(4, flags.width), flags);
      };
  }
}

const padded = (text: string, { pad, width }: Flags): string => text.padStart(width, pad === "0" ? "0" : " ");

function numberText(value: number, digits: number, flags: Flags): string {
  const text = String(Math.abs(value));
  const sign = value < 0 ? "-" : "";
  if (flags.pad === "-" || flags.pad === "_")
    return padded((sign + text).padStart(flags.pad === "-" ? 0 : digits), flags);
  return padded(sign + text.padStart(digits - sign.length, "0"), flags);
}

function shownAt(seconds: number, microseconds: number, local: LocalTime): Shown {
  const { offset, name, leapSeconds = 0, inserted = 0 } = local;
  const date = new Date((seconds + offset - leapSeconds) * 1000);
  const year = date.getUTCFullYear();
  // Not Date.UTC(), which takes the years up to 99 for those of the 20th century.
  const newYear = new Date(date);
  newYear.setUTCMonth(0, 1);
  newYear.setUTCHours(0, 0, 0, 0);
  return {
    seconds,
    microseconds,
    offset,
    zone: name,
    year,
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds() + inserted,
    weekday: date.getUTCDay(),
    yearDay: Math.floor((date.getTime() - newYear.getTime()) / 86_400_000),
  };
}
