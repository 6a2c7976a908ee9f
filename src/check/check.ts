import { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import type { Config } from "../language/config.js";
import { markEmptied } from "../language/emptied-maps.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Parameters } from "../language/parameters.js";
import type { TypedProgram, TypedScript } from "../language/typed.js";
import type { UserStacks } from "../language/user-stacks.js";
import type { AstMapDeclaration } from "../syntax/ast.js";
import type { Bound } from "./bind.js";
import { Environment } from "./environment.js";
import { shownName } from "./expression.js";
import { declareMaps } from "./map-declarations.js";
import type { ScriptTypes } from "./preamble.js";
import { type Scope, Variables } from "./scope.js";
import { StatementChecker } from "./statement.js";

export interface CheckOptions {
  readonly types: ScriptTypes;
  readonly config: Config;
  /** Some attach points were not found. */
  readonly incomplete: boolean;
  readonly positional: readonly string[];
  readonly parameters: Parameters;
  /** Of maps. */
  readonly declarations: readonly AstMapDeclaration[];
  readonly unsafe: boolean;
  readonly childPid: number | undefined;
  /** Tables of unwinding are read for some processes. */
  readonly hasUnwindTargets: boolean;
  /** How ustack takes stacks; asked if the script has any. */
  readonly userStacks: () => UserStacks;
  /** Names of the registers in struct pt_regs of the kernel's machine. */
  readonly registerNames: readonly string[];
}

/** Types only grow along short chains (string sizes, signedness), so few rounds settle them; more means a bug of ours. */
const maxRounds = 50;

/**
 * Expressions of a program, with what unroll() repeats. The verifier walks a million instructions at most
 * (BPF_COMPLEXITY_LIMIT_INSNS, include/linux/bpf.h); a larger program would cost minutes before it says so.
 */
const maxSize = 50_000;

/** Gives every expression a type and settles the types of maps and variables; what is wrong goes to `diags`. */
export function check(bound: Bound, kernel: KernelView, options: CheckOptions, diags: Diagnostics): TypedScript {
  const env = new Environment();
  // First without guesses: a map that is read above its assignment must not pass for an integer meanwhile.
  for (const stage of ["facts", "guesses"] as const) {
    for (let round = 0; ; round++) {
      env.startRound();
      checkAll(bound, kernel, options, env, new Diagnostics(), stage);
      if (!env.changed) break;
      if (round > maxRounds) throw new Error("internal: the types of maps and variables do not settle");
    }
  }
  const programs = checkAll(bound, kernel, options, env, diags, "final");
  const unknown = options.parameters.unknown().map((name) => `--${name}`);
  if (unknown.length > 0) {
    const known = options.parameters.declared.map(({ name }) => `--${name}`).join(", ");
    diags.error("unknown-parameter", undefined, `unexpected program command line options: ${unknown.join(", ")}`, {
      hint: known === "" ? "the script takes none: it calls getopt() for each" : `expected program options: ${known}`,
    });
  }
  const maps = declareMaps(options.declarations, env.finishedMaps(), diags);
  return { programs, maps: markEmptied(maps, programs), stackLengths: env.stackLengths, targets: bound.targets };
}

function checkAll(
  bound: Bound,
  kernel: KernelView,
  options: CheckOptions,
  env: Environment,
  diags: Diagnostics,
  stage: "facts" | "guesses" | "final",
): readonly TypedProgram[] {
  const idOf = new Map(bound.targets.map((target, id) => [target, id] as const));
  return bound.programs.map((program, index): TypedProgram => {
    const prefix = `${index}:`;
    const ids = program.targets.map((target) => idOf.get(target) ?? 0);
    const scope: Scope = {
      diags,
      env,
      kernel,
      types: options.types,
      config: options.config,
      variant: program.variant,
      targets: program.targets,
      allTargets: bound.targets,
      firstId: ids[0] ?? 0,
      ids,
      positional: options.positional,
      parameters: options.parameters,
      unsafe: options.unsafe,
      childPid: options.childPid,
      hasUnwindTargets: options.hasUnwindTargets,
      userStacks: options.userStacks,
      prefix,
      final: stage === "final",
      incomplete: options.incomplete,
      guess: stage !== "facts",
      pending: 0,
      variables: new Variables(env, prefix),
      registerNames: options.registerNames,
      loopDepth: 0,
      copies: 1,
      size: 0,
    };
    const statements = new StatementChecker(scope);
    if (stage === "final") warnOfHoisted(env.hoisted(prefix), diags);
    const predicate =
      program.ast.predicate === undefined ? undefined : statements.expressions.condition(program.ast.predicate);
    const body = statements.sequence(program.ast.body);
    if (scope.size > maxSize) {
      diags.error("program-too-large", program.ast.span, `this action has ${scope.size} expressions, unrolled`, {
        hint: `at most ${maxSize} fit the kernel's limit of a million instructions; a while loop takes the place of unroll()`,
      });
    }
    return {
      name: programName(program.targets[0]?.name ?? "program", index),
      variant: program.variant,
      targets: program.targets,
      inSessionOf: program.inSessionOf,
      predicate,
      body,
      variables: env.finishedVariables(prefix),
      span: program.ast.span,
    };
  });
}

/** bpftrace refuses this since 0.22; older tools need it. */
function warnOfHoisted(names: ReadonlyMap<string, Span>, diags: Diagnostics): void {
  for (const [name, span] of names) {
    diags.warning("used-outside", span, `${shownName(name)} is used outside of the block that assigns it`, {
      hint: `bpftrace 0.22 and later refuse that; let ${shownName(name)}; in front of the block makes it known to both`,
    });
  }
}

/** Longer names of functions are refused in BTF: KSYM_NAME_LEN, include/linux/kallsyms.h, before v6.1. */
const longestName = 100;

/** What the program is called as a function of its BTF: bpftrace's names, by which scripts attach to `fentry:bpf:NAME`. */
const programName = (target: string, index: number): string =>
  `${target.replace(/[^A-Za-z0-9_]/g, "_").slice(0, longestName)}_${index + 1}`;
