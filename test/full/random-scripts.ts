import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { openSys } from "../../src/sys/ffi.js";
import { failuresInKernel, programsFrom } from "../support/compare-runs.js";
import type { Check, CheckOptions, Row } from "./check.js";
import type { Batch, BatchResult } from "./random-worker.js";

/** As many as one script of all of them takes well: the kernel has the programs and maps of all at once. */
const batchSize = 50;

async function run({ count, seed, say }: CheckOptions): Promise<readonly Row[]> {
  const sys = openSys();
  const failures = { interpreter: [] as string[], c: [] as string[], kernel: [] as string[] };
  let hasCompiler = true;
  const tell = (list: string[], found: readonly string[]): void => {
    list.push(...found);
    for (const failure of found) say(failure);
  };
  const worker = new Worker(new URL("./random-worker.js", import.meta.url));
  for (let done = 0; done < count; done += batchSize) {
    const batch: Batch = { seed: seed + done, count: Math.min(batchSize, count - done) };
    worker.postMessage(batch);
    const answer = once(worker, "message") as Promise<[BatchResult]>;
    const programs = programsFrom(batch.seed, batch.count);
    for (const optimize of [true, false]) tell(failures.kernel, await failuresInKernel(sys, programs, optimize));
    const [{ interpreter, c }] = await answer;
    tell(failures.interpreter, interpreter);
    tell(failures.c, c ?? []);
    hasCompiler &&= c !== undefined;
  }
  await worker.terminate();
  const seeds = `${seed} to ${seed + count - 1}`;
  return [
    {
      what: "interpreter of bytecode",
      figures: { scripts: count, seeds, "runs each, of 4 compilations": 12 },
      failures: failures.interpreter,
    },
    {
      what: "C, by gcc",
      figures: { scripts: count, seeds, "runs each": 3 },
      failures: failures.c,
      ...(hasCompiler ? {} : { skipped: "there is no gcc" }),
    },
    {
      what: "kernel",
      figures: { scripts: count, seeds, "runs each, optimized and not": 2 },
      failures: failures.kernel,
    },
  ];
}

export const randomScripts: Check = {
  name: "random-scripts",
  about: "random scripts mean the same to an evaluator, to the interpreter, in C and in the kernel",
  count: 10_000,
  run,
};
