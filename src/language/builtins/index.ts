import type { Builtin } from "../builtin.js";
import { outputBuiltins } from "./output.js";
import { probeBuiltins } from "./probe.js";
import { processBuiltins } from "./process.js";
import { symbolBuiltins } from "./symbols.js";
import { textBuiltins } from "./text.js";
import { timeBuiltins } from "./time.js";

export const builtins: readonly Builtin[] = [
  ...processBuiltins,
  ...timeBuiltins,
  ...probeBuiltins,
  ...textBuiltins,
  ...symbolBuiltins,
  ...outputBuiltins,
];

const byName = new Map(
  builtins.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])].map((name) => [name, entry] as const)),
);

export const findBuiltin = (name: string): Builtin | undefined => byName.get(name);
export const builtinNames: readonly string[] = [...byName.keys()];
