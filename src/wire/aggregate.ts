import { assertNever } from "../base/assert-never.js";
import { greater, lesser } from "../base/bigints.js";
import type { AggregateType } from "../types/type.js";
import { aggregateLayout, aggregateSize, seriesLayout } from "./layout.js";
import type { Value } from "./value.js";

/** Adds up the per-CPU parts of an aggregate, each in the layout of wire/layout.ts. */
export function decodeAggregate(type: AggregateType, parts: readonly DataView[]): Value {
  switch (type.kind) {
    case "count":
      return { kind: "count", value: total(parts, aggregateLayout.count, false) };
    case "sum":
      return { kind: "sum", value: total(parts, aggregateLayout.sum, type.signed) };
    case "min":
    case "max":
      return { kind: type.kind, value: extreme(type.kind, type.signed, parts) };
    case "avg":
    case "stats": {
      const count = total(parts, aggregateLayout.samples, false);
      const sum = total(parts, aggregateLayout.total, type.signed);
      return { kind: type.kind, count, total: sum, average: count === 0n ? 0n : sum / count };
    }
    case "hist":
      return { kind: "hist", bits: type.bits, buckets: buckets(type, parts) };
    case "lhist": {
      const { min, max, step } = type;
      return { kind: "lhist", min, max, step, buckets: buckets(type, parts) };
    }
    case "tseries": {
      const { interval, intervals, signed } = type;
      return { kind: "tseries", interval, intervals, signed, points: seriesPoints(type, parts) };
    }
    default:
      return assertNever(type);
  }
}

function total(parts: readonly DataView[], offset: number, signed: boolean): bigint {
  let sum = 0n;
  for (const part of parts) sum += part.getBigUint64(offset, true);
  return signed ? BigInt.asIntN(64, sum) : BigInt.asUintN(64, sum);
}

function extreme(kind: "min" | "max", signed: boolean, parts: readonly DataView[]): bigint {
  let best: bigint | undefined;
  for (const part of parts) {
    if (part.getBigUint64(aggregateLayout.extremeSet, true) === 0n) continue;
    const value = signed
      ? part.getBigInt64(aggregateLayout.extreme, true)
      : part.getBigUint64(aggregateLayout.extreme, true);
    if (best === undefined || (kind === "min" ? value < best : value > best)) best = value;
  }
  return best ?? 0n;
}

function buckets(type: AggregateType, parts: readonly DataView[]): ReadonlyMap<number, bigint> {
  const found = new Map<number, bigint>();
  const count = aggregateSize(type) / 8;
  for (let index = 0; index < count; index++) {
    let sum = 0n;
    for (const part of parts) sum += part.getBigUint64(8 * index, true);
    if (sum !== 0n) found.set(index, sum);
  }
  return found;
}

type Series = Extract<AggregateType, { kind: "tseries" }>;

/** The latest interval of each bucket, what the processors have of it put together. */
function seriesPoints(type: Series, parts: readonly DataView[]): ReadonlyMap<bigint, bigint> {
  const points = new Map<bigint, bigint>();
  for (let bucket = 0; bucket < type.intervals; bucket++) {
    const at = bucket * seriesLayout.size;
    const mark = parts.reduce((most, part) => greater(most, part.getBigUint64(at + seriesLayout.mark, true)), 0n);
    if (mark === 0n) continue;
    const current = parts.filter((part) => part.getBigUint64(at + seriesLayout.mark, true) === mark);
    // bpftrace takes the first interval of 1970, where only the clock of a test can be, for one without a value.
    points.set(mark - 1n, mark === 1n ? 0n : seriesValue(type, current, at));
  }
  return points;
}

function seriesValue({ keep, signed }: Series, parts: readonly DataView[], at: number): bigint {
  const values = parts.map((part) => {
    const value = part.getBigUint64(at + seriesLayout.value, true);
    const meta = part.getBigUint64(at + seriesLayout.meta, true);
    return { value: signed ? BigInt.asIntN(64, value) : value, meta };
  });
  const [first = { value: 0n, meta: 0n }] = values;
  switch (keep) {
    case "last":
      return values.reduce((latest, one) => (one.meta > latest.meta ? one : latest), first).value;
    case "min":
      return values.reduce((least, { value }) => lesser(value, least), first.value);
    case "max":
      return values.reduce((most, { value }) => greater(most, value), first.value);
    default: {
      const sum = values.reduce((total, { value }) => total + value, 0n);
      const count = values.reduce((total, { meta }) => total + meta, 0n);
      const wrapped = signed ? BigInt.asIntN(64, sum) : BigInt.asUintN(64, sum);
      return keep === "sum" || count === 0n ? wrapped : wrapped / count;
    }
  }
}
