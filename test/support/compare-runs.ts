// Random programs, each wherever it can run; what does not agree is told with all that is needed to repeat it.
import type { Sys } from "../../src/sys/sys.js";
import { FixtureKernel } from "./fixture-kernel.js";
import { type Contents, describe, type Program } from "./program-ast.js";
import { meaningOf } from "./program-meaning.js";
import { programText } from "./program-text.js";
import { runInC, runInInterpreter, runInKernel } from "./random-runs.js";
import { randomProgram } from "./random-statements.js";

const kernels = [new FixtureKernel(), new FixtureKernel({ features: { cpuV4: "no" } })];

export const programsFrom = (seed: number, count: number): readonly Program[] =>
  Array.from({ length: count }, (_, i) => randomProgram(seed + i));

/** What differs, entry by entry. */
function difference(found: Contents, meant: Contents): readonly string[] {
  const names = new Set([...Object.keys(found), ...Object.keys(meant)]);
  return [...names].flatMap((map) => {
    const keys = new Set([...Object.keys(found[map] ?? {}), ...Object.keys(meant[map] ?? {})]);
    return [...keys].flatMap((key) => {
      const [a, b] = [found[map]?.[key], meant[map]?.[key]];
      return a === b ? [] : [`${map}[${key}]: ${a ?? "nothing"}, not ${b ?? "nothing"}`];
    });
  });
}

/** The failure of one run, if it failed. */
export function disagreement(
  where: string,
  program: Program,
  args: readonly bigint[] | undefined,
  found: Contents | undefined,
  dialect = {},
): string | undefined {
  const meant = meaningOf(program, args ?? [], dialect);
  if (found !== undefined && describe(found) === describe(meant)) return undefined;
  const what = difference(found ?? {}, meant)
    .slice(0, 5)
    .join("; ");
  return `seed ${program.seed}, ${where}, of ${args?.join(", ")}: ${what}\n  ${programText(program)}`;
}

const present = <T>(list: readonly (T | undefined)[]): readonly T[] => list.filter((each) => each !== undefined);

/** By the interpreter, with and without optimisation, for old and new processors' instructions. */
export function failuresInInterpreter(programs: readonly Program[]): readonly string[] {
  return programs.flatMap((program) =>
    kernels.flatMap((kernel, i) =>
      [true, false].flatMap((optimize) => {
        const where = `interpreter${optimize ? "" : ", not optimized"}${i === 0 ? "" : ", old instructions"}`;
        try {
          const runs = runInInterpreter(program, { kernel, optimize });
          return present(program.inputs.map((args, j) => disagreement(where, program, args, runs[j])));
        } catch (error) {
          return [`seed ${program.seed}, ${where}: ${messageOf(error)}\n  ${programText(program)}`];
        }
      }),
    ),
  );
}

const messageOf = (error: unknown): string => (error instanceof Error ? `${error.stack}` : `${error}`);

/** By a compiler of C; undefined if there is none. */
export function failuresInC(programs: readonly Program[]): readonly string[] | undefined {
  const runs = runInC(programs);
  return (
    runs &&
    present(
      programs.flatMap((program, i) => program.inputs.map((args, j) => disagreement("C", program, args, runs[i]?.[j]))),
    )
  );
}

/** By the kernel, all in one script. If that does not run they run one by one, to find out which of them does not. */
export async function failuresInKernel(
  sys: Sys,
  programs: readonly Program[],
  optimize: boolean,
): Promise<readonly string[]> {
  const input = ({ inputs, seed }: Program): readonly bigint[] =>
    inputs[(seed + (optimize ? 0 : 1)) % inputs.length] ?? [];
  const where = `kernel${optimize ? "" : ", not optimized"}`;
  let maps: readonly Contents[];
  try {
    maps = await runInKernel(sys, programs, input, optimize);
  } catch (error) {
    const [only] = programs;
    if (programs.length === 1 && only !== undefined)
      return [`seed ${only.seed}, ${where}: ${messageOf(error)}\n  ${programText(only)}`];
    const failures: string[] = [];
    for (const program of programs) failures.push(...(await failuresInKernel(sys, [program], optimize)));
    return failures.length > 0 ? failures : [`seeds from ${only?.seed}, ${where}, together: ${messageOf(error)}`];
  }
  return present(programs.map((program, i) => disagreement(where, program, input(program), maps[i])));
}
