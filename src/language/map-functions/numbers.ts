// Counts, sums, extremes, averages: one or two words for each processor.

import { aggregateLayout } from "../../wire/layout.js";
import type { MapFunction } from "../map-function.js";
import { add, isSigned, needed, number } from "./define.js";

const count: MapFunction = {
  name: "count",
  doc: "Counts calls.",
  params: [],
  result: () => ({ kind: "count" }),
  update: (l, dest) => add(l, dest, aggregateLayout.count, l.b.const(1)),
};

const sum: MapFunction = {
  name: "sum",
  doc: "Adds up n.",
  params: [number],
  result: (_context, args) => ({ kind: "sum", signed: isSigned(args) }),
  update: (l, dest, n) => add(l, dest, aggregateLayout.sum, needed(n)),
};

function extreme(name: "min" | "max", doc: string): MapFunction {
  return {
    name,
    doc,
    params: [number],
    result: (_context, args) => ({ kind: name, signed: isSigned(args) }),
    update: (l, dest, n, type) => {
      const { b } = l;
      const value = needed(n);
      const signed = type.kind === name && type.signed;
      const compare = name === "max" ? (signed ? "sgt" : "ugt") : signed ? "slt" : "ult";
      const first = b.newBlock();
      const later = b.newBlock();
      const store = b.newBlock();
      const done = b.newBlock();
      b.branch(
        "eq",
        b.load(8, false, dest.base, dest.offset + aggregateLayout.extremeSet),
        b.const(0),
        first,
        later,
        "else",
      );
      b.seal(first);
      b.seal(later);
      b.setBlock(first);
      b.store(8, dest.base, dest.offset + aggregateLayout.extremeSet, b.const(1));
      b.jump(store);
      b.setBlock(later);
      b.branch(compare, value, b.load(8, false, dest.base, dest.offset + aggregateLayout.extreme), store, done, "else");
      b.seal(store);
      b.setBlock(store);
      b.store(8, dest.base, dest.offset + aggregateLayout.extreme, value);
      b.jump(done);
      b.seal(done);
      b.setBlock(done);
    },
  };
}

function averaged(name: "avg" | "stats", doc: string): MapFunction {
  return {
    name,
    doc,
    params: [number],
    result: (_context, args) => ({ kind: name, signed: isSigned(args) }),
    update: (l, dest, n) => {
      add(l, dest, aggregateLayout.samples, l.b.const(1));
      add(l, dest, aggregateLayout.total, needed(n));
    },
  };
}

export const numberFunctions: readonly MapFunction[] = [
  count,
  sum,
  averaged("avg", "The average of n."),
  extreme("min", "The least n."),
  extreme("max", "The greatest n."),
  averaged("stats", "Number, average and total of n."),
];
