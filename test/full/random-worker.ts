// The part of random scripts that needs no kernel, beside the one that does.
import { parentPort } from "node:worker_threads";
import { failuresInC, failuresInInterpreter, programsFrom } from "../support/compare-runs.js";

export interface Batch {
  readonly seed: number;
  readonly count: number;
}

export interface BatchResult {
  readonly interpreter: readonly string[];
  /** Undefined where there is no compiler. */
  readonly c: readonly string[] | undefined;
}

parentPort?.on("message", ({ seed, count }: Batch) => {
  const programs = programsFrom(seed, count);
  const result: BatchResult = { interpreter: failuresInInterpreter(programs), c: failuresInC(programs) };
  parentPort?.postMessage(result);
});
