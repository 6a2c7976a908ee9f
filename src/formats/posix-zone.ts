import type { LocalTime, TimeZone } from "./time-zone.js";

/** A day of each year and the time of that day, by the clocks that are valid before it. */
interface Change {
  /** `Jn`: 1 to 365, without 29 February; `n`: 0 to 365, with it; `Mm.w.d`: weekday d of week w, 5 for the last one. */
  readonly day:
    | { readonly kind: "without-leap-day"; readonly number: number }
    | { readonly kind: "with-leap-day"; readonly number: number }
    | { readonly kind: "weekday"; readonly month: number; readonly week: number; readonly weekday: number };
  readonly seconds: number;
}

const daySeconds = 86400;
/** Where a zone has summer time without rules: those of the United States since 2007, as the C library takes them. */
const defaultStart: Change = { day: { kind: "weekday", month: 3, week: 2, weekday: 0 }, seconds: 7200 };
const defaultEnd: Change = { day: { kind: "weekday", month: 11, week: 1, weekday: 0 }, seconds: 7200 };

const unnamed: LocalTime = { offset: 0, name: "" };

/**
 * A zone as the variable TZ describes it (POSIX.1, "Other Environment Variables"; tzset(3)): `EST5EDT,M3.2.0,M11.1.0`,
 * `<+03>-3`. Never fails: what is no such text is UTC, under the name that it begins with, as glibc 2.36 (time/tzset.c)
 * has it; where only the days of change cannot be read there is no summer time.
 */
export function posixZone(text: string): TimeZone {
  const cursor = new Cursor(text);
  const name = cursor.name() ?? "";
  const offset = name === "" ? undefined : cursor.offset();
  const standard: LocalTime = { offset: offset ?? 0, name };
  if (offset === undefined || cursor.atEnd) return { at: () => standard };
  const summerName = cursor.name();
  if (summerName === undefined) return { at: () => unnamed };
  const summer: LocalTime = { offset: cursor.offset() ?? offset + 3600, name: summerName };
  const start = cursor.change(defaultStart);
  const end = start === undefined ? undefined : cursor.change(defaultEnd);
  if (start === undefined || end === undefined) return { at: () => standard };
  return new RuleZone(standard, summer, start, end);
}

/** Reads a text from the left; a piece that is not there leaves it where it is. */
class Cursor {
  private rest: string;

  constructor(text: string) {
    this.rest = text;
  }

  get atEnd(): boolean {
    return this.rest === "";
  }

  private take(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.rest) ?? undefined;
    if (found !== undefined) this.rest = this.rest.slice(found[0].length);
    return found;
  }

  name(): string | undefined {
    const found = this.take(/^(?:([A-Za-z]{3,})|<([A-Za-z0-9+-]{3,})>)/);
    return found?.[1] ?? found?.[2];
  }

  /** Seconds east of UTC; the text counts to the west. */
  offset(): number | undefined {
    const found = this.take(/^([+-]?)(\d+)(?::(\d+)(?::(\d+))?)?/);
    if (found === undefined) return undefined;
    const [, sign, hours, minutes = 0, seconds = 0] = found;
    const at = (value: string | number, most: number): number => Math.min(Number(value), most);
    const west = at(hours ?? 0, 24) * 3600 + at(minutes, 59) * 60 + at(seconds, 59);
    return sign === "-" ? west : 0 - west;
  }

  change(fallback: Change): Change | undefined {
    this.take(/^,/);
    if (this.atEnd) return fallback;
    const day = this.day();
    if (day === undefined || !/^(?:$|[/,])/.test(this.rest)) return undefined;
    if (this.take(/^\//) === undefined) return { day, seconds: 7200 };
    if (this.atEnd) return undefined;
    const negative = this.take(/^-/) !== undefined;
    const [, hours = 2, minutes = 0, seconds = 0] = this.take(/^(\d{1,5})(?::(\d{1,5})(?::(\d{1,5}))?)?/) ?? [];
    const time = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return { day, seconds: negative ? -time : time };
  }

  private day(): Change["day"] | undefined {
    const weekday = this.take(/^M(\d{1,2})\.(\d)\.(\d)/);
    if (weekday !== undefined) {
      const [month = 0, week = 0, day = 0] = weekday.slice(1).map(Number);
      const known = month >= 1 && month <= 12 && week >= 1 && week <= 5 && day <= 6;
      return known ? { kind: "weekday", month, week, weekday: day } : undefined;
    }
    const counted = this.take(/^(J?)(\d{1,3})/);
    if (counted === undefined) return undefined;
    const number = Number(counted[2]);
    const kind = counted[1] === "J" ? "without-leap-day" : "with-leap-day";
    return number > 365 || (kind === "without-leap-day" && number === 0) ? undefined : { kind, number };
  }
}

/** The day of the moment in seconds since 1970. */
function dayOf(year: number, day: Change["day"]): number {
  const first = Date.UTC(year, 0, 1) / 1000;
  const leap = new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1;
  if (day.kind === "with-leap-day") return first + day.number * daySeconds;
  if (day.kind === "without-leap-day")
    return first + (day.number - 1 + (leap && day.number >= 60 ? 1 : 0)) * daySeconds;
  const month = new Date(Date.UTC(year, day.month - 1, 1));
  const length = new Date(Date.UTC(year, day.month, 0)).getUTCDate();
  const toWeekday = (day.weekday - month.getUTCDay() + 7) % 7;
  let date = toWeekday + (day.week - 1) * 7;
  if (date >= length) date -= 7;
  return month.getTime() / 1000 + date * daySeconds;
}

class RuleZone implements TimeZone {
  private readonly standard: LocalTime;
  private readonly summer: LocalTime;
  private readonly start: Change;
  private readonly end: Change;
  /** What has been asked for last: moments of a trace lie close to each other. */
  private year:
    | { readonly from: number; readonly to: number; readonly start: number; readonly end: number }
    | undefined;

  constructor(standard: LocalTime, summer: LocalTime, start: Change, end: Change) {
    this.standard = standard;
    this.summer = summer;
    this.start = start;
    this.end = end;
  }

  at(seconds: number): LocalTime {
    const { start, end } = this.changes(seconds);
    // In the south summer goes over the end of the year.
    const isSummer = start > end ? seconds < end || seconds >= start : seconds >= start && seconds < end;
    return isSummer ? this.summer : this.standard;
  }

  /** Both changes of the moment's year, which is that of UTC, as in glibc. */
  private changes(seconds: number): { readonly start: number; readonly end: number } {
    if (this.year !== undefined && seconds >= this.year.from && seconds < this.year.to) return this.year;
    const year = new Date(seconds * 1000).getUTCFullYear();
    this.year = {
      from: Date.UTC(year, 0, 1) / 1000,
      to: Date.UTC(year + 1, 0, 1) / 1000,
      start: dayOf(year, this.start.day) - this.standard.offset + this.start.seconds,
      end: dayOf(year, this.end.day) - this.summer.offset + this.end.seconds,
    };
    return this.year;
  }
}
