import { assertNever } from "../base/assert-never.js";
import { compareBytes } from "../base/byte-text.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { numberOf } from "./value-number.js";

type Entry = MapSnapshot["entries"][number];

/**
 * The entries of a map in the order in which they are printed, as bpftrace 0.27 orders them: numbers and aggregations
 * ascending by value (avg and stats by average, histograms by the sum of their counts), other maps ascending by key.
 * `top` keeps the last ones, which are the largest.
 *
 * Where bpftrace leaves the order to chance (equal values, integers narrower than 64 bits, keys that are no integers or
 * strings) ours is by key, so that the same map prints the same way twice; unsigned keys and values and negative minima
 * are ordered as numbers.
 */
export function orderedEntries(map: MapSnapshot): readonly Entry[] {
  const steps = orderInSteps(map);
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
  }
}

interface Ranked {
  readonly entry: Entry;
  readonly rank: bigint | undefined;
}

/** Entries that are sorted in one go. */
const run = 8192;

/** The same for maps of any size, in steps of some milliseconds, after each of which an empty text is told. */
export function* orderInSteps(map: MapSnapshot): Generator<"", readonly Entry[]> {
  let sorted: Ranked[] = [];
  for (let at = 0; at < map.entries.length; at += run) {
    const part = map.entries.slice(at, at + run);
    const ranked = part.map((entry) => ({ entry, rank: numberOf(entry.value, "average") }));
    for (const each of ranked.sort(compareRanked)) sorted.push(each);
    yield "";
  }
  for (let length = run; length < sorted.length; length *= 2) {
    const merged: Ranked[] = [];
    for (let at = 0; at < sorted.length; at += 2 * length) yield* merge(sorted, at, length, merged);
    sorted = merged;
  }
  const top = map.top ?? 0;
  const kept = top > 0 && sorted.length > top ? sorted.slice(sorted.length - top) : sorted;
  return kept.map(({ entry }) => entry);
}

/** Two sorted runs that follow one another become one, which is added to `to`. */
function* merge(runs: readonly Ranked[], start: number, length: number, to: Ranked[]): Generator<"", void> {
  const middle = Math.min(start + length, runs.length);
  const end = Math.min(start + 2 * length, runs.length);
  for (let left = start, right = middle; left < middle || right < end; ) {
    const [a, b] = [left < middle ? runs[left] : undefined, right < end ? runs[right] : undefined];
    if (a !== undefined && (b === undefined || compareRanked(a, b) <= 0)) {
      to.push(a);
      left++;
    } else if (b !== undefined) {
      to.push(b);
      right++;
    }
    if (to.length % run === 0) yield "";
  }
}

function compareRanked(a: Ranked, b: Ranked): number {
  if (a.rank !== undefined && b.rank !== undefined && a.rank !== b.rank) return a.rank < b.rank ? -1 : 1;
  return compareLists(a.entry.key, b.entry.key);
}

/** Ascending; values of different kinds (which one map does not mix) by kind. */
export function compareValues(a: Value, b: Value): number {
  switch (a.kind) {
    case "int":
    case "enum":
    case "pointer":
    case "count":
    case "sum":
    case "min":
    case "max":
      return b.kind === a.kind ? order(a.value, b.value) : order(a.kind, b.kind);
    case "none":
      return order(a.kind, b.kind);
    case "bool":
      return b.kind === "bool" ? order(Number(a.value), Number(b.value)) : order(a.kind, b.kind);
    case "string":
    case "symbol":
      return b.kind === a.kind ? compareBytes(a.value, b.value) : order(a.kind, b.kind);
    case "buffer":
      return b.kind === "buffer" ? Buffer.compare(a.bytes, b.bytes) : order(a.kind, b.kind);
    case "tuple":
    case "array":
      return b.kind === a.kind ? compareLists(a.items, b.items) : order(a.kind, b.kind);
    case "record":
      if (b.kind !== "record") return order(a.kind, b.kind);
      return compareLists(
        a.fields.map((field) => field.value),
        b.fields.map((field) => field.value),
      );
    case "stack": {
      if (b.kind !== "stack") return order(a.kind, b.kind);
      return compareAddresses(addressesOf(a), addressesOf(b));
    }
    case "avg":
    case "stats":
    case "hist":
    case "lhist":
    case "tseries":
      return order(numberOf(a, "average") ?? 0n, numberOf(b, "average") ?? 0n);
    default:
      return assertNever(a);
  }
}

/** Without the names, which may have to be looked up. */
const addressesOf = (stack: Extract<Value, { kind: "stack" }>): ArrayLike<bigint> =>
  stack.addresses ?? stack.frames.map(({ address }) => address);

function compareAddresses(a: ArrayLike<bigint>, b: ArrayLike<bigint>): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const result = order(a[i] ?? 0n, b[i] ?? 0n);
    if (result !== 0) return result;
  }
  return order(a.length, b.length);
}

function compareLists(a: readonly Value[], b: readonly Value[]): number {
  for (const [i, value] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    const result = compareValues(value, other);
    if (result !== 0) return result;
  }
  return order(a.length, b.length);
}

function order<T extends bigint | number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
