import { disagreement, programsFrom } from "../support/compare-runs.js";
import { describe, type Program } from "../support/program-ast.js";
import { type Dialect, meaningOf } from "../support/program-meaning.js";
import { inputOf, missing, type Outcome, runInBpftrace } from "./bpftrace.js";
import type { Check, CheckOptions, Row } from "./check.js";

const batchSize = 50;
/** Programs of which none runs would go on for ever. */
const mostTries = 5;

/** What bpftrace refuses of what beetrace takes, by its message. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [
    /unable to fold literals due to overflow or underflow|negative value will underflow/,
    "refuses constants that overflow",
  ],
  [/The [-~] operator can not be used on expressions of type 'bool'/, "neither negates nor inverts truths"],
  [/'(?:break|continue)' statement is not allowed in a probe/, "knows no break and continue of unroll"],
  [/increment\/decrement requires a variable or map/, "reads ++ and -- with parentheses otherwise"],
  [/used as a map with an explicit key .*, previously used without/, "takes a cast map in front of ?: for all of it"],
  // bpf_map_lookup_elem() of a map of short texts, then __bpf_trap(): its compiler knows that the bytes behind them are not there.
  [/Error loading BPF program for begin_\d+\. Error code: -14/, "reads behind texts that are shorter than a literal"],
];

/** What bpftrace computes otherwise. */
const dialects: readonly (readonly [Dialect, string])[] = [
  [{ dividesUnsigned: true }, "divides unsigned"],
  [{ shiftsUnsigned: true }, "shifts to the right unsigned"],
  [{ constantsGrow: true }, "has constants above int64 unsigned"],
  [{ keysTwice: true }, "makes the key twice in compound assignments"],
];

/** One rule, or several together. */
const combinations: readonly (readonly [Dialect, string])[] = Array.from({ length: 2 ** dialects.length }, (_, set) => {
  const chosen = dialects.filter((__, i) => (set & (1 << i)) !== 0);
  return [
    Object.assign({}, ...chosen.map(([dialect]) => dialect)) as Dialect,
    chosen.map(([, what]) => what).join(" and "),
  ] as const;
}).sort(([, a], [, b]) => a.split(" and ").length - b.split(" and ").length);

/** The rule that explains what bpftrace has done; "" if nothing has to be explained, undefined if nothing does. */
function explain(program: Program, outcome: Outcome): string | undefined {
  if (outcome.kind === "refused") return refusals.find(([message]) => message.test(outcome.message))?.[1];
  const args = inputOf(program);
  const found = describe(outcome.maps);
  let isWide = false;
  const onWideShift = (): void => {
    isWide = true;
  };
  meaningOf(program, args, { onWideShift });
  const rule = combinations.find(([dialect]) => describe(meaningOf(program, args, dialect)) === found)?.[1];
  return rule ?? (isWide ? "shifts by 64 bits or more somehow" : undefined);
}

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
      const failure =
        outcome.kind === "ran"
          ? disagreement("bpftrace", program, inputOf(program), outcome.maps, combinations.at(-1)?.[0])
          : `seed ${program.seed}: bpftrace says ${outcome.message}`;
      failures.push(failure ?? "");
      say(failure ?? "");
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
