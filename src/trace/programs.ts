// --test and --bench: programs that are run on request, one after the other, instead of being attached.
import type { LoadedObject } from "../load/loaded-object.js";
import { enableRunStats, programInfo } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import type { TraceEvent } from "../wire/event.js";

/** A run of a program of the script. */
export interface ProgramRun {
  /** What the program returned. */
  readonly result: number;
  /** What it said. */
  readonly events: readonly TraceEvent[];
  /** exit() was called with this. */
  readonly exitCode: number;
  readonly nanoseconds: number;
}

/** Runs a program once. */
export type RunProgram = () => Promise<ProgramRun>;

export interface Measured {
  readonly nanoseconds: number;
  readonly runs: number;
  /** It called exit(), or one of its events tells of an error. */
  readonly failed: boolean;
}

/** Events that make a test or benchmark fail. */
const errors: ReadonlySet<string> = new Set(["errorf", "runtime-error", "helper-error"]);

const hasFailed = (run: ProgramRun): boolean =>
  run.exitCode !== 0 || run.events.some((event) => errors.has(event.kind));

export const hasPassed = (run: ProgramRun): boolean => run.result === 0 && !hasFailed(run);

/** A benchmark runs for at least this long. */
const enough = 1_000_000n;

/** And so often, unless that takes far longer: a first run may take as long as thousands. */
const fewestRuns = 1000;
const tooLong = 100n * enough;

/** And no longer than this, however quick it is. */
const mostRuns = 100_000;

/**
 * Runs a program a thousand times, and until the kernel has spent a millisecond in it; a slow one for 100 ms. Undefined if it returned something but 0: it does not
 * want to be measured here. The time is the kernel's own, without the system call that starts a run.
 */
export async function measure(
  sys: Sys,
  loaded: LoadedObject,
  program: string,
  run: RunProgram,
): Promise<Measured | undefined> {
  using _ = enableRunStats(sys);
  const fd = loaded.program(program, 0n);
  const before = programInfo(sys, fd);
  let runs = 0;
  for (let spent = 0n; spent < (runs < fewestRuns ? tooLong : enough) && runs < mostRuns; ) {
    const one = await run();
    runs++;
    if (hasFailed(one)) return { nanoseconds: 0, runs, failed: true };
    if (one.result !== 0) return undefined;
    if (runs % 100 === 0 || one.nanoseconds >= enough)
      spent = programInfo(sys, fd).runNanoseconds - before.runNanoseconds;
  }
  const after = programInfo(sys, fd);
  const counted = Number(after.runs - before.runs);
  const nanoseconds = Math.round(Number(after.runNanoseconds - before.runNanoseconds) / Math.max(counted, 1));
  return { nanoseconds, runs, failed: false };
}
