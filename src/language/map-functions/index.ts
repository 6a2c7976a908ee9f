import type { AggregateType } from "../../types/type.js";
import type { MapFunction } from "../map-function.js";
import { histogramFunctions } from "./histograms.js";
import { numberFunctions } from "./numbers.js";
import { tseries } from "./tseries.js";

export const mapFunctions: readonly MapFunction[] = [...numberFunctions, ...histogramFunctions, tseries];

const byName = new Map<string, MapFunction>(mapFunctions.map((entry) => [entry.name, entry]));

export const findMapFunction = (name: string): MapFunction | undefined => byName.get(name);

/** Whether two aggregates can share a map. */
export const sameAggregate = (a: AggregateType, b: AggregateType): boolean => {
  if (a.kind !== b.kind) return false;
  if (a.kind === "hist" && b.kind === "hist") return a.bits === b.bits;
  if (a.kind === "lhist" && b.kind === "lhist") return a.min === b.min && a.max === b.max && a.step === b.step;
  if (a.kind === "tseries" && b.kind === "tseries")
    return a.interval === b.interval && a.intervals === b.intervals && a.keep === b.keep;
  return true;
};
