import type { Value } from "../../ir/ir.js";
import { type AggregateType, type SeriesKeep, seriesKeeps } from "../../types/type.js";
import { seriesLayout } from "../../wire/layout.js";
import type { CheckContext } from "../builtin.js";
import { literalNumber, optionalText } from "../builtins/define.js";
import type { Dest, Lowering } from "../lowering.js";
import type { MapFunction } from "../map-function.js";
import type { TypedArg } from "../typed.js";
import { isSigned, needed, number, ofCells } from "./define.js";

/** A value for each processor may have 32 KiB (PCPU_MIN_UNIT_SIZE, include/linux/percpu.h). */
const mostIntervals = Math.floor(32768 / seriesLayout.size) - 1;

function checkSeries({ diags, span }: CheckContext, args: readonly TypedArg[]): AggregateType {
  const interval = literalNumber(args, 1) ?? 1n;
  const intervals = literalNumber(args, 2) ?? 1n;
  const wanted = optionalText(args, 3);
  const keep: SeriesKeep | undefined = wanted === undefined ? "last" : seriesKeeps.find((k) => k === wanted);
  const problem =
    interval < 1n
      ? `tseries() interval_ns must be >= 1 (${interval} provided)`
      : intervals < 1n
        ? `tseries() num_intervals must be >= 1 (${intervals} provided)`
        : intervals > BigInt(mostIntervals)
          ? `tseries() num_intervals must be <= ${mostIntervals} (${intervals} provided)`
          : keep === undefined || wanted === "last"
            ? `tseries() expects one of the following aggregation functions: avg, max, min, sum ("${wanted}" provided)`
            : undefined;
  if (problem !== undefined)
    diags.error("bad-argument", span, problem, {
      hint: 'tseries(n, interval, intervals, "avg"), e.g. tseries(args.ret, 100ms, 20)',
    });
  return problem === undefined
    ? {
        kind: "tseries",
        interval,
        intervals: Number(intervals),
        keep: keep ?? "last",
        signed: isSigned(args),
      }
    : { kind: "tseries", interval: 1n, intervals: 1, keep: "last", signed: true };
}

/** Nanoseconds on the wall clock, so that intervals begin on round times; or the time that a test's map says. */
function now(l: Lowering): Value {
  const map = l.config.dummy_ts_map;
  if (map !== "") return l.b.load(8, false, l.b.mapValue(map, 0), 0);
  return l.b.bin("add", l.b.call("ktime_get_ns", []), l.wallOffset());
}

export const tseries: MapFunction = {
  name: "tseries",
  doc: 'The last n of each of the latest intervals (nanoseconds, e.g. 100ms), or with a fourth argument their "avg", "max", "min" or "sum".',
  params: [
    number,
    { name: "interval", kind: "literal-int" },
    { name: "intervals", kind: "literal-int" },
    { name: "what", kind: "literal-string", optional: true },
  ],
  result: checkSeries,
  ...ofCells((l, n, type) => {
    if (type.kind !== "tseries") throw new Error("internal: tseries of another type");
    const { b } = l;
    const value = needed(n);
    const time = now(l);
    const epoch = b.bin("udiv", time, b.const(type.interval));
    return {
      // Intervals since 1970, modulo their number.
      index: b.bin("umod", epoch, b.const(type.intervals)),
      update: (dest) => updateInterval(l, type, dest, { value, time, epoch }),
    };
  }),
};

type Series = Extract<AggregateType, { kind: "tseries" }>;

function updateInterval(
  l: Lowering,
  type: Series,
  dest: Dest,
  { value, time, epoch }: { readonly value: Value; readonly time: Value; readonly epoch: Value },
): void {
  const { b } = l;
  const at = (field: number): number => dest.offset + field;
  const mark = b.bin("add", epoch, b.const(1));
  const load = (field: number): Value => b.load(8, false, dest.base, at(field));
  if (type.keep === "last") {
    b.store(8, dest.base, at(seriesLayout.value), value);
    b.store(8, dest.base, at(seriesLayout.meta), time);
    b.store(8, dest.base, at(seriesLayout.mark), mark);
    return;
  }
  b.when("ne", load(seriesLayout.mark), mark, undefined, () => {
    b.store(8, dest.base, at(seriesLayout.mark), mark);
    b.store(8, dest.base, at(seriesLayout.value), b.const(0));
    b.store(8, dest.base, at(seriesLayout.meta), b.const(0));
  });
  if (type.keep === "sum" || type.keep === "avg") {
    b.store(8, dest.base, at(seriesLayout.value), b.bin("add", load(seriesLayout.value), value));
    b.store(8, dest.base, at(seriesLayout.meta), b.bin("add", load(seriesLayout.meta), b.const(1)));
    return;
  }
  const better = type.keep === "max" ? (type.signed ? "sgt" : "ugt") : type.signed ? "slt" : "ult";
  const compare = b.newBlock();
  const take = b.newBlock();
  const done = b.newBlock();
  b.branch("eq", load(seriesLayout.meta), b.const(0), take, compare);
  b.seal(compare);
  b.setBlock(compare);
  b.branch(better, value, load(seriesLayout.value), take, done);
  b.seal(take);
  b.setBlock(take);
  b.store(8, dest.base, at(seriesLayout.value), value);
  b.store(8, dest.base, at(seriesLayout.meta), b.const(1));
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
}
