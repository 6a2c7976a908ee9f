// Compiled scripts in files: beetrace build, beetrace run.

import { writeFileSync } from "node:fs";
import { version } from "node:os";
import { pathOf } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Unit } from "../unit.js";
import { readUnit, storeUnit, type UnitKernel } from "../unit-file.js";
import { type Options, UsageError } from "./options.js";
import { version as beetrace } from "./version.js";

const identityOf = ({ release, arch }: KernelView): UnitKernel => ({ release, version: version(), arch });

/** Options that are a matter of compiling, by the names that messages call them. */
const ofCompiling = (options: Options): readonly string[] => {
  const { targets, command, unwound, include, positional, named, probeFilter } = options;
  const given: readonly (readonly [string, boolean])[] = [
    ["-p", targets.pid !== undefined],
    ["--tree", targets.tree !== undefined],
    ...(["cgroup", "container", "uid", "comm"] as const).map(
      (name) => [`--${name}`, (targets[name]?.length ?? 0) > 0] as const,
    ),
    ["-c", command !== undefined],
    ["--dwarf-pid", unwound.length > 0],
    ["--include", include.length > 0],
    ["--probe-filter", probeFilter !== undefined],
    ["-k", options.checkHelpers],
    ["arguments of the script", positional.length > 0 || named.size > 0],
  ];
  return given.flatMap(([name, is]) => (is ? [name] : []));
};

/** Options that name processes or places of one machine, which a file is not for. */
const ofMachine = new Set(["-p", "--tree", "--cgroup", "--container", "--uid", "--comm", "-c", "--dwarf-pid"]);

/** Throws UsageError if what is asked for cannot be put into a file. */
export function checkBuild(options: Options): void {
  const [wrong] = ofCompiling(options).filter((name) => ofMachine.has(name));
  if (wrong !== undefined)
    throw new UsageError(`${wrong} is no option of build: a compiled script is for all tasks`, {
      hint: "the script can compare pid, uid, comm and cgroup",
    });
}

/** Writes what was compiled; answers the file's name. */
export function writeUnit(unit: Unit, kernel: KernelView, options: Options): string {
  const name = options.script?.name ?? "script";
  const file = options.outputFile ?? `${name.replace(/\.bt$/, "")}.btu`;
  try {
    writeFileSync(pathOf(file), storeUnit({ beetrace, kernel: identityOf(kernel), unit }));
  } catch (error) {
    throw new BeetraceError(`failed to write '${file}': ${(error as Error).message}`);
  }
  return file;
}

/** The Unit of a file's bytes. Throws FormatError if it has none, BeetraceError if it is for another kernel. */
export function unitIn(bytes: Uint8Array, file: string, kernel: KernelView, options: Options): Unit {
  const { kernel: made, unit } = readUnit(bytes, `'${file}'`);
  const here = identityOf(kernel);
  const hint = "compile it here: beetrace build SCRIPT";
  if (made.arch !== here.arch)
    throw new BeetraceError(`'${file}' was compiled for ${made.arch}, and this machine is ${here.arch}`, { hint });
  if (made.release !== here.release || made.version !== here.version)
    throw new BeetraceError(
      `'${file}' was compiled for Linux ${made.release} (${made.version}), and this is ${here.release} (${here.version}), which may have other structures and functions`,
      { hint },
    );
  const [wrong] = ofCompiling(options);
  if (wrong !== undefined)
    throw new UsageError(`'${file}' is compiled already: ${wrong} would have been for beetrace build`, {
      hint: "beetrace SCRIPT takes all options",
    });
  return unit;
}
