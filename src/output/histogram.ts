import type { Value } from "../wire/value.js";

// Bucket numbers of hist(n, bits), as bpftrace 0.27 stores them in its maps and as our kernel program computes them.
//
//   0                        n < 0 (n taken as signed 64 bits, whatever its type)
//   n + 1                    0 <= n < 2^bits
//   ((L - bits + 1) << bits) + ((n >> (L - bits)) & (2^bits - 1)) + 1
//                            otherwise, L being the number of the highest bit set in n
//
// So each power of two is cut into 2^bits buckets of the same width; with bits = 0 there is one: 1 is [0], 2 is [1],
// 3 is [2, 4), 4 is [4, 8) ... 64 is [4E, 8E).

/** What hist() accepts as its second argument at most. */
export const maxHistBits = 5;

/** The bucket of a value in hist(value, bits). The kernel program computes the same. */
export function bucketOf(value: bigint, bits: number): number {
  const n = BigInt.asIntN(64, value);
  if (n < 0n) return 0;
  const buckets = 1 << bits;
  if (n < BigInt(buckets)) return Number(n) + 1;
  const shift = n.toString(2).length - 1 - bits;
  return (shift + 1) * buckets + (Number(n >> BigInt(shift)) & (buckets - 1)) + 1;
}

/** A range of values, the upper end exclusive; undefined is an open end. */
export interface BucketRange {
  readonly min: bigint | undefined;
  readonly max: bigint | undefined;
}

/** The values that bucket `index` of hist(_, bits) counts. */
export function bucketRange(index: number, bits: number): BucketRange {
  if (index === 0) return { min: undefined, max: 0n };
  return { min: startOf(index - 1, bits), max: startOf(index, bits) };
}

/** Number of buckets of hist(_, bits), the one for negative values included. */
export const bucketCount = (bits: number): number => bucketOf((1n << 63n) - 1n, bits) + 1;

/** The bucket of a value in lhist(value, min, max, step): 0 below `min`, the last from `max` on. */
export function linearBucketOf(value: bigint, min: bigint, max: bigint, step: bigint): number {
  const n = BigInt.asIntN(64, value);
  if (n < min) return 0;
  return 1 + Number(((n > max ? max : n) - min) / step);
}

export function linearBucketRange(index: number, min: bigint, max: bigint, step: bigint): BucketRange {
  if (index === 0) return { min: undefined, max: min };
  const end = min + BigInt(index) * step;
  // The last one has no upper end: it also holds what is beyond `max`.
  return { min: end - step, max: end > max ? undefined : end };
}

/** Number of buckets of lhist(_, min, max, step), the open ones included. */
export const linearBucketCount = (min: bigint, max: bigint, step: bigint): number => 2 + Number((max - min) / step);

/** A line of a printed histogram. */
export interface HistogramRow extends BucketRange {
  /** `[1K, 2K)`, `[5]`, `(..., 0)`. */
  readonly label: string;
  readonly count: bigint;
}

/** The rows from the first to the last bucket that counted anything; `div` divides the counts of hist, not of lhist. */
export function histogramRows(value: Extract<Value, { kind: "hist" | "lhist" }>, div: bigint): readonly HistogramRow[] {
  let first = -1;
  let last = -1;
  for (const [index, count] of value.buckets) {
    if (count === 0n) continue;
    if (first < 0 || index < first) first = index;
    if (index > last) last = index;
  }
  const rows: HistogramRow[] = [];
  for (let index = first; index >= 0 && index <= last; index++) {
    const count = value.buckets.get(index) ?? 0n;
    if (value.kind === "hist") {
      rows.push({ ...bucketRange(index, value.bits), label: logLabel(index, value.bits), count: count / div });
    } else {
      const { min, max, step } = value;
      const range = linearBucketRange(index, min, max, step);
      rows.push({ ...range, label: linearLabel(range, step), count });
    }
  }
  return rows;
}

const barWidth = 52;

/** The lines of a histogram as bpftrace 0.27 prints them, each with its line end. */
export function histogramText(rows: readonly HistogramRow[]): string {
  let most = 0n;
  for (const { count } of rows) if (count > most) most = count;
  let text = "";
  for (const { label, count } of rows) {
    // The reference divides in single precision, which decides whether a bar just misses a character.
    const share = most === 0n ? 0 : Math.fround(Math.fround(Number(count)) / Math.fround(Number(most)));
    const bar = "@".repeat(Math.trunc(Math.fround(share * barWidth)));
    text += `${label.padEnd(16)}${count.toString().padStart(8)} |${bar.padEnd(barWidth)}|\n`;
  }
  return text;
}

/** Where bucket `index + 1` starts: the index with the negative bucket left out. */
function startOf(index: number, bits: number): bigint {
  const buckets = 1 << bits;
  if (index < buckets) return BigInt(index);
  const power = (index >> bits) - 1;
  return (1n << BigInt(power)) * BigInt(buckets + (index & (buckets - 1)));
}

/** Below 2 * 2^bits each value has its own bucket and is shown as it is; then in units of 1024. */
function logLabel(index: number, bits: number): string {
  if (index === 0) return "(..., 0)";
  if (index <= 2 << bits) return `[${index - 1}]`;
  return `[${boundText(index - 1, bits)}, ${boundText(index, bits)})`;
}

const units = ["", "K", "M", "G", "T", "P", "E"];

function boundText(index: number, bits: number): string {
  if (index <= 2 << bits) return index.toString();
  const power = (index >> bits) - 1;
  // The unit is that of the bucket's width, not of the bound: with bits = 2 it says 1024, 1280 ... 3584, 4K.
  const decade = Math.trunc(power / 10);
  return `${startOf(index, bits) >> BigInt(10 * decade)}${units[decade] ?? ""}`;
}

function linearLabel({ min, max }: BucketRange, step: bigint): string {
  const text = (bound: bigint): string => linearBoundText(bound, step);
  if (min === undefined) return `(..., ${max === undefined ? "..." : text(max)})`;
  if (max === undefined) return `[${text(min)}, ...)`;
  return max === min + 1n ? `[${text(min)}]` : `[${text(min)}, ${text(max)})`;
}

function linearBoundText(bound: bigint, step: bigint): string {
  if (step % 1024n !== 0n || bound === 0n) return bound.toString();
  if (bound % 1048576n === 0n) return `${bound / 1048576n}M`;
  if (bound % 1024n === 0n) return `${bound / 1024n}K`;
  return bound.toString();
}
