/** A moment in the fields of C's struct tm. */
export interface Shown {
  /** Since 1970. */
  readonly seconds: number;
  readonly microseconds: number;
  /** Seconds east of UTC. */
  readonly offset: number;
  readonly zone: string;
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** From 0, Sunday. */
  readonly weekday: number;
  /** From 0. */
  readonly yearDay: number;
}

/** A conversion of strftime(3): what it is written as, and which of the modifiers E and O it may have. */
export type Conversion = {
  readonly modifiers: string;
  /** Written in capitals by `#` also where it is not known for its modifier. */
  readonly alwaysSwapped?: boolean;
} & (
  | { readonly kind: "literal"; readonly text: string }
  | {
      readonly kind: "text";
      readonly text: (shown: Shown) => string;
      /** What the flag `#` makes of it. */
      readonly swapped: "upper" | "lower";
      readonly lower?: boolean;
    }
  | {
      readonly kind: "number";
      readonly digits: number;
      readonly value: (shown: Shown) => number;
      /** Filled up with blanks, if no flag says otherwise. */
      readonly blank?: boolean;
      /** Whether a width is one of digits; else the number is filled up as text is. */
      readonly padsDigits?: boolean;
    }
  | { readonly kind: "format"; readonly format: string }
  | { readonly kind: "offset" }
);

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const literal = (text: string, modifiers = ""): Conversion => ({ kind: "literal", text, modifiers });
const text = (value: (shown: Shown) => string, modifiers = "", swapped: "upper" | "lower" = "upper"): Conversion => ({
  kind: "text",
  text: value,
  swapped,
  modifiers,
});
const number = (digits: number, value: (shown: Shown) => number, modifiers = "O"): Conversion => ({
  kind: "number",
  digits,
  value,
  modifiers,
});
const blankNumber = (value: (shown: Shown) => number): Conversion => ({
  kind: "number",
  digits: 2,
  value,
  blank: true,
  modifiers: "O",
});
const format = (of: string, modifiers: string): Conversion => ({ kind: "format", format: of, modifiers });

const monthName = ({ month }: Shown): string => months[month] ?? "";
const shortMonth: Conversion = { ...text((shown) => monthName(shown).slice(0, 3), "O"), alwaysSwapped: true };
const weekdayName = ({ weekday }: Shown): string => weekdays[weekday] ?? "";
const half = ({ hour }: Shown): string => (hour < 12 ? "AM" : "PM");
const hour12 = ({ hour }: Shown): number => (hour % 12 === 0 ? 12 : hour % 12);
const lastTwo = (year: number): number => ((year % 100) + 100) % 100;

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** The week of ISO 8601 and the year that it belongs to: weeks begin on Monday, the first has the year's first Thursday. */
function isoWeek({ year, yearDay, weekday }: Shown): { readonly year: number; readonly week: number } {
  // Of the year's day 0 to the Thursday of the same week.
  const thursday = yearDay + 3 - ((weekday + 6) % 7);
  if (thursday < 0) {
    const before = thursday + (isLeap(year - 1) ? 366 : 365);
    return { year: year - 1, week: Math.floor(before / 7) + 1 };
  }
  const length = isLeap(year) ? 366 : 365;
  if (thursday >= length) return { year: year + 1, week: Math.floor((thursday - length) / 7) + 1 };
  return { year, week: Math.floor(thursday / 7) + 1 };
}

/** In the C locale; `%f` is not among them. */
export const conversions: ReadonlyMap<string, Conversion> = new Map<string, Conversion>([
  ["%", literal("%", "EO")],
  ["n", literal("\n", "EO")],
  ["t", literal("\t", "EO")],
  ["a", text((shown) => weekdayName(shown).slice(0, 3))],
  ["A", text(weekdayName)],
  ["b", shortMonth],
  ["h", shortMonth],
  ["B", text(monthName, "O")],
  ["p", text(half, "EO", "lower")],
  ["P", { kind: "text", text: half, swapped: "lower", lower: true, modifiers: "EO" }],
  ["Z", text(({ zone }) => zone, "EO", "lower")],
  ["c", format("%a %b %e %H:%M:%S %Y", "E")],
  ["D", format("%m/%d/%y", "")],
  ["F", format("%Y-%m-%d", "")],
  ["r", format("%I:%M:%S %p", "EO")],
  ["R", format("%H:%M", "EO")],
  ["T", format("%H:%M:%S", "EO")],
  ["x", format("%m/%d/%y", "E")],
  ["X", format("%H:%M:%S", "E")],
  ["C", number(2, ({ year }) => Math.floor(year / 100), "EO")],
  ["d", number(2, ({ day }) => day)],
  ["e", blankNumber(({ day }) => day)],
  ["g", number(2, (shown) => lastTwo(isoWeek(shown).year))],
  ["G", number(4, (shown) => isoWeek(shown).year)],
  ["H", number(2, ({ hour }) => hour)],
  ["I", number(2, hour12)],
  ["j", number(3, ({ yearDay }) => yearDay + 1)],
  ["k", blankNumber(({ hour }) => hour)],
  ["l", blankNumber(hour12)],
  ["m", number(2, ({ month }) => month + 1)],
  ["M", number(2, ({ minute }) => minute)],
  ["s", { kind: "number", digits: 1, value: ({ seconds }) => seconds, padsDigits: false, modifiers: "EO" }],
  ["S", number(2, ({ second }) => second)],
  ["u", number(1, ({ weekday }) => (weekday === 0 ? 7 : weekday), "EO")],
  ["U", number(2, ({ yearDay, weekday }) => Math.floor((yearDay - weekday + 7) / 7))],
  ["V", number(2, (shown) => isoWeek(shown).week)],
  ["w", number(1, ({ weekday }) => weekday)],
  ["W", number(2, ({ yearDay, weekday }) => Math.floor((yearDay - ((weekday + 6) % 7) + 7) / 7))],
  ["y", number(2, ({ year }) => lastTwo(year), "EO")],
  ["Y", number(4, ({ year }) => year, "E")],
  ["z", { kind: "offset", modifiers: "EO" }],
]);
