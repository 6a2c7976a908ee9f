import type { Value } from "../wire/value.js";

/** A map's value as one number, undefined if it is none: of a histogram the sum of its counts. */
export function numberOf(value: Value, mean: "average" | "total"): bigint | undefined {
  switch (value.kind) {
    case "int":
    case "enum":
    case "count":
    case "sum":
    case "min":
    case "max":
      return value.value;
    case "avg":
    case "stats":
      return value[mean];
    case "hist":
    case "lhist": {
      let sum = 0n;
      for (const count of value.buckets.values()) sum += count;
      return sum;
    }
    default:
      return undefined;
  }
}
