import { explain, unexplained } from "../support/bpftrace-rules.js";
import { missing, runInBpftrace } from "../support/bpftrace-runs.js";
import { programsFrom } from "../support/compare-runs.js";
import type { Check, CheckOptions, Row } from "./check.js";

const batchSize = 50;
/** Programs of which none runs would go on for ever. */
const mostTries = 5;

async function run({ count, seed, reference, say }: CheckOptions): Promise<readonly Row[]> {
  const what = "beside bpftrace";
  const problem = missing(reference);
  if (problem !== undefined) return [{ what, figures: {}, failures: [], skipped: problem }];
  const rules = new Map<string, number>();
  const failures: string[] = [];
  let ran = 0;
  let tried = 0;
  for (; ran < count && tried < mostTries * count; tried += batchSize) {
    const programs = programsFrom(seed + tried, batchSize);
    for (const [i, outcome] of runInBpftrace(reference, programs).entries()) {
      const program = programs[i];
      if (program === undefined || ran === count) continue;
      if (outcome.kind === "ran") ran++;
      const rule = explain(program, outcome);
      if (rule !== undefined) {
        rules.set(rule, (rules.get(rule) ?? 0) + 1);
        continue;
      }
      const failure = unexplained(program, outcome);
      failures.push(failure);
      say(failure);
    }
  }
  const { "": same = 0, ...explained } = Object.fromEntries(rules);
  const seeds = `${seed} to ${seed + tried - 1}`;
  return [
    { what, figures: { "ran in both": ran, seeds, "with the same result": same, ...prefixed(explained) }, failures },
  ];
}

const prefixed = (rules: Readonly<Record<string, number>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(rules).map(([rule, count]) => [`where bpftrace ${rule}`, count]));

export const besideBpftrace: Check = {
  name: "beside-bpftrace",
  about: "random scripts that bpftrace runs, too; each difference is explained by a rule",
  count: 500,
  run,
};
