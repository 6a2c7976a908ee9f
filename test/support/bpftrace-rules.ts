// What bpftrace does otherwise than beetrace, as rules: each difference of a random program must be explained by one.
import { inputOf, type Outcome } from "./bpftrace-runs.js";
import { disagreement } from "./compare-runs.js";
import { describe, type Program } from "./program-ast.js";
import { type Dialect, meaningOf } from "./program-meaning.js";

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
  [/Variable \$t\d+ was already declared/, "makes the key twice in compound assignments"],
  [/Error loading BPF program for begin_\d+\. Error code: -7/, "makes programs that are too large for the verifier"],
  // bpf_map_lookup_elem() of a map of short texts, then __bpf_trap(): its compiler knows that the bytes behind them are not there.
  [/Error loading BPF program for begin_\d+\. Error code: -14/, "reads behind texts that are shorter than a literal"],
];

/** What bpftrace computes otherwise. */
const dialects: readonly (readonly [Dialect, string])[] = [
  [{ dividesUnsigned: true }, "divides unsigned"],
  [{ shiftsUnsigned: true }, "shifts to the right unsigned"],
  [{ constantsGrow: true }, "has constants above int64 unsigned"],
  [{ rangesAreNarrow: true }, "has ranges of the smallest type"],
  [{ castsAreTyped: true }, "takes no literal that was cast for one"],
  [{ literalsShiftUnsigned: true }, "shifts literals unsigned"],
  [{ truthsAreBits: true }, "computes with constant truths in one bit"],
  [{ unrollIsNoLoop: true }, "leaves the loop around an unroll by break and continue"],
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
export function explain(program: Program, outcome: Outcome): string | undefined {
  if (outcome.kind === "refused") return refusals.find(([message]) => message.test(outcome.message))?.[1];
  const args = inputOf(program);
  const found = describe(outcome.maps);
  let isWide = false;
  const onWideShift = (): void => {
    isWide = true;
  };
  let isNested = false;
  const onNestedTuples = (): void => {
    isNested = true;
  };
  meaningOf(program, args, { onWideShift, onNestedTuples });
  const rule = combinations.find(([dialect]) => describe(meaningOf(program, args, dialect)) === found)?.[1];
  if (rule !== undefined) return rule;
  if (isWide) return "shifts by 64 bits or more somehow";
  return isNested ? "mixes up tuples that are compared in one another" : undefined;
}

/** What there is to say of a program that no rule explains. */
export function unexplained(program: Program, outcome: Outcome): string {
  if (outcome.kind === "refused") return `seed ${program.seed}: bpftrace says ${outcome.message}`;
  const all = combinations.at(-1)?.[0];
  return `${disagreement("bpftrace", program, inputOf(program), outcome.maps, all)}`;
}
