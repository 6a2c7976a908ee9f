import type { Value } from "../wire/value.js";
import { objectJson, stringJson } from "./value-json.js";

/**
 * What JSON says of the addresses in some values that have no name, as a further member behind the others: why, and
 * in which file they lie where that is known. Empty if each has one.
 *
 *   , "unnamed": {"0x7f1ab2c45170": {"reason": "stripped", "module": "/usr/lib/libx.so"}}
 */
export function unnamedJson(values: readonly Value[]): string {
  const found = new Map<string, string>();
  for (const value of values) collectUnnamed(value, found);
  return unnamedMember(found);
}

/** The member for what {@link collectUnnamed} has found. */
export const unnamedMember = (found: ReadonlyMap<string, string>): string =>
  found.size === 0 ? "" : `, "unnamed": ${objectJson([...found])}`;

/** Adds the addresses in a value that have no name. */
export function collectUnnamed(value: Value, found: Map<string, string>): void {
  switch (value.kind) {
    case "tuple":
    case "array":
      for (const item of value.items) collectUnnamed(item, found);
      break;
    case "record":
      for (const field of value.fields) collectUnnamed(field.value, found);
      break;
    case "symbol":
      if (value.unnamed !== undefined) found.set(value.value, reasonJson(value.unnamed, undefined));
      break;
    case "stack":
      for (const { address, symbol, reason, module } of value.frames)
        if (symbol === undefined && reason !== undefined)
          found.set(`0x${BigInt.asUintN(64, address).toString(16)}`, reasonJson(reason, module));
      break;
    default:
      break;
  }
}

const reasonJson = (reason: string, module: string | undefined): string =>
  objectJson([
    ["reason", stringJson(reason)],
    ...(module === undefined ? [] : [["module", stringJson(module)] as const]),
  ]);
