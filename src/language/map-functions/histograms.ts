// Histograms: one word for each bucket and processor.

import type { Value } from "../../ir/ir.js";
import { lhistBuckets } from "../../wire/layout.js";
import type { CheckContext } from "../builtin.js";
import { literalNumber } from "../builtins/define.js";
import type { Lowering } from "../lowering.js";
import type { Cell, MapFunction } from "../map-function.js";
import { add, needed, number, ofCells } from "./define.js";

/** A bucket is a cell of one word. */
const bucket = (l: Lowering, index: Value): Cell => ({
  index,
  update: (dest, shared) => {
    const one = l.b.const(1);
    if (shared === undefined) add(l, dest, 0, one);
    else l.b.atomic("add", 8, dest.base, dest.offset, one);
  },
});

/**
 * Position of the highest set bit of 0 < n < 2^63, without branches: each would double the paths that the verifier has
 * to walk. `(2^s - 1 - n) >> 63` is 1 if n has a bit at s or above.
 */
function log2(l: Lowering, n: Value): Value {
  const { b } = l;
  let rest = n;
  let result = b.const(0);
  for (const step of [5, 4, 3, 2, 1, 0]) {
    const above = b.bin("lshr", b.bin("sub", b.const((1n << (1n << BigInt(step))) - 1n), rest), b.const(63));
    const shift = b.bin("shl", above, b.const(step));
    rest = b.bin("lshr", rest, shift);
    result = b.bin("or", result, shift);
  }
  return result;
}

const hist: MapFunction = {
  name: "hist",
  doc: "A histogram whose buckets double in width; with k (0 to 5), 2^k buckets for each doubling.",
  params: [number, { name: "k", kind: "literal-int", optional: true }],
  result: ({ diags, span }, args) => {
    const bits = literalNumber(args, 1) ?? 0n;
    if (bits < 0n || bits > 5n) diags.error("bad-argument", span, "hist() takes a k from 0 to 5");
    return { kind: "hist", bits: Number(bits < 0n || bits > 5n ? 0n : bits) };
  },
  ...ofCells((l, n, type) => {
    if (type.kind !== "hist") throw new Error("internal: hist of another type");
    const { b } = l;
    const value = needed(n);
    const bits = type.bits;
    const large = (): Value => {
      const shift = b.bin("sub", log2(l, value), b.const(bits));
      const group = b.bin("shl", shift, b.const(bits));
      const place = b.bin("lshr", value, b.bin("and", shift, b.const(63)));
      return b.bin("add", b.bin("add", group, place), b.const(1));
    };
    const small = (): Value => b.bin("add", value, b.const(1));
    const natural = (): Value => b.select("ult", value, b.const(1n << BigInt(bits)), small, large, "else");
    return bucket(
      l,
      b.select("slt", value, b.const(0), () => b.const(0), natural, "else"),
    );
  }),
};

/** bpftrace's limit. */
const maxLhistBuckets = 1000n;
const mostSigned = (1n << 63n) - 1n;

const lhist: MapFunction = {
  name: "lhist",
  doc: "A histogram with buckets of step from min to max.",
  params: [
    number,
    { name: "min", kind: "literal-int" },
    { name: "max", kind: "literal-int" },
    { name: "step", kind: "literal-int" },
  ],
  result: ({ diags, span }: CheckContext, args) => {
    const min = literalNumber(args, 1) ?? 0n;
    const max = literalNumber(args, 2) ?? 0n;
    const step = literalNumber(args, 3) ?? 1n;
    const problem =
      step <= 0n
        ? "lhist() needs a step of at least 1"
        : max <= min
          ? `lhist() needs a max above its min, not ${min} to ${max}`
          : max > mostSigned
            ? `lhist() takes its values as signed, none is above ${mostSigned}`
            : max - min > maxLhistBuckets * step
              ? `lhist() would have ${(max - min + step - 1n) / step} buckets, more than ${maxLhistBuckets}`
              : max - min < step
                ? `lhist() has a step of ${step}, wider than its range`
                : undefined;
    if (problem === undefined) return { kind: "lhist", min, max, step };
    diags.error("bad-argument", span, problem, { hint: "lhist(n, min, max, step), e.g. lhist(retval, 0, 2000, 200)" });
    return { kind: "lhist", min: 0n, max: 1n, step: 1n };
  },
  ...ofCells((l, n, type) => {
    if (type.kind !== "lhist") throw new Error("internal: lhist of another type");
    const { b } = l;
    const value = needed(n);
    const buckets = lhistBuckets(type);
    const above = (): Value => b.const(buckets - 1);
    const inside = (): Value =>
      b.bin("add", b.bin("udiv", b.bin("sub", value, b.const(type.min)), b.const(type.step)), b.const(1));
    const notBelow = (): Value => b.select("sgt", value, b.const(type.max), above, inside, "else");
    return bucket(
      l,
      b.select("slt", value, b.const(type.min), () => b.const(0), notBelow, "else"),
    );
  }),
};

export const histogramFunctions: readonly MapFunction[] = [hist, lhist];
