import type { Builtin } from "../builtin.js";
import { skboutput } from "./capture.js";
import { cgroupBuiltins } from "./cgroup.js";
import { checkBuiltins } from "./checks.js";
import { fileBuiltins } from "./files.js";
import { mapBuiltins } from "./maps.js";
import { memoryBuiltins } from "./memory.js";
import { messageBuiltins } from "./messages.js";
import { networkBuiltins } from "./network.js";
import { outputBuiltins } from "./output.js";
import { parameterBuiltins } from "./parameters.js";
import { pointers } from "./pointers.js";
import { print } from "./print.js";
import { furtherArgument, probeBuiltins } from "./probe.js";
import { processBuiltins } from "./process.js";
import { recordBuiltins } from "./records.js";
import { stringBuiltins } from "./strings.js";
import { symbolBuiltins } from "./symbols.js";
import { systemNameBuiltins } from "./system-names.js";
import { taskBuiltins } from "./task.js";
import { textBuiltins } from "./text.js";
import { timeBuiltins } from "./time.js";

export const builtins: readonly Builtin[] = [
  ...processBuiltins,
  ...fileBuiltins,
  ...taskBuiltins,
  ...cgroupBuiltins,
  ...timeBuiltins,
  ...probeBuiltins,
  ...textBuiltins,
  ...stringBuiltins,
  ...systemNameBuiltins,
  ...networkBuiltins,
  skboutput,
  ...memoryBuiltins,
  ...symbolBuiltins,
  ...messageBuiltins,
  print,
  ...mapBuiltins,
  ...pointers,
  ...outputBuiltins,
  ...checkBuiltins,
  ...recordBuiltins,
  ...parameterBuiltins,
];

const byName = new Map(
  builtins.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])].map((name) => [name, entry] as const)),
);

/** By its name; bpftrace has the raw form of each as `__builtin_` and the name, too. */
export function findBuiltin(written: string): Builtin | undefined {
  const name = written.replace(/^__builtin_/, "");
  return byName.get(name) ?? furtherArgument(name);
}
export const builtinNames: readonly string[] = [...byName.keys()];
