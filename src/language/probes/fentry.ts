import { BPF_TRACE_FENTRY, BPF_TRACE_FEXIT } from "../../abi/program-type.js";
import { compileGlob, hasWildcard } from "../../base/glob.js";
import type { Btf } from "../../formats/btf.js";
import {
  noTrampoline,
  type TrampolineSignature,
  type TrampolineValue,
  trampolineSignature,
} from "../../types/btf-function.js";
import { placeAs } from "../attach-place.js";
import { type KernelFunctions, kernelModule } from "../kernel-functions.js";
import type { BpfFunction, KernelView } from "../kernel-view.js";
import type { BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import type { ArgField } from "../typed.js";
import { noMatches, parseCount, unknownProbe, wrongForm } from "./common.js";
import { describedBy, describeFunction } from "./function-types.js";
import { type FunctionPattern, isLoaded, matchingFunctions, noFunction, sayRefused } from "./kernel-function-match.js";

/** What stands for BPF programs where a module could be. */
const programs = "bpf";

/**
 * Functions that BPF programs themselves are run with: a program there deadlocks when it uses a map that another processor
 * has locked. Kprobes are safe, because the kernel does not run one inside another.
 */
const locks: ReadonlySet<string> = new Set([
  "_raw_spin_lock",
  "_raw_spin_lock_irqsave",
  "_raw_spin_unlock_irqrestore",
  "queued_spin_lock_slowpath",
]);

function functionProbe(name: "fentry" | "fexit", aliases: readonly string[], doc: string): Probe {
  const exit = name === "fexit";
  const forms = [`${name}:FUNCTION`, `${name}:MODULE:FUNCTION`, `${name}:bpf:PROGRAM`, `${name}:bpf:ID:PROGRAM`];
  const base: ProgramVariant = {
    key: name,
    type: "tracing",
    expectedAttachType: exit ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY,
    loadedForEach: true,
    context: { kind: "slots" },
    args: [],
    argsAreValues: true,
    hasArgN: false,
    func: "kernel",
    // Only migration is off: __bpf_prog_enter_recur(), kernel/bpf/trampoline.c, since v5.12.
    preemptible: true,
  };

  /** The variant of a function; functions of one signature share what is compiled. */
  const variantOf = (signature: TrampolineSignature, module: string, context: BindContext): ProgramVariant => {
    const { usesArgs, usesArgN } = context.facts;
    if (!usesArgs && !usesArgN) return base;
    const { args, result, key } = signature;
    const returned = exit ? result : undefined;
    return {
      ...base,
      key: `${name} ${module} ${key}`,
      args: [
        ...args.map((arg) => fieldOf(arg, "trampoline-argument")),
        ...(returned === undefined ? [] : [{ ...fieldOf(returned, "trampoline-result"), name: "$retval" }]),
      ],
      ...(returned === undefined
        ? {}
        : { retval: returned.type, retvalSource: fieldOf(returned, "trampoline-result").source }),
    };
  };

  const candidate = (btf: Btf, module: string, symbol: string, context: BindContext): Candidate | string => {
    const typeId = btf.findOwn(symbol, "func");
    if (typeId === undefined)
      return "the kernel's type information does not describe it, so that its arguments are unknown";
    const signature = trampolineSignature(btf, typeId);
    if ("missing" in signature) return signature.missing;
    const place = { kind: "trampoline", fn: { kind: "kernel", name: symbol, module, typeId } } as const;
    return { name: `${name}:${module}:${symbol}`, func: symbol, place, variant: variantOf(signature, module, context) };
  };

  const bindKernel = (pattern: FunctionPattern, context: BindContext): readonly Candidate[] => {
    const { kernel } = context;
    const { module, symbol } = pattern;
    const functions = kernel.kernelFunctions();
    if ("missing" in functions)
      return noMatches(context, `the kernel's functions cannot be listed: ${functions.missing}`);
    const isPattern = hasWildcard(symbol) || (module !== undefined && hasWildcard(module));
    const matching = matchingFunctions(functions, pattern);
    if (isPattern) sayRefused(functions, pattern, context);
    if (matching.length === 0) return noFunction(functions, pattern, context);
    const found: Candidate[] = [];
    let left: { readonly count: number; readonly reason: string } | undefined;
    const seen = new Set<string>();
    for (const fn of matching) {
      const full = `${fn.module}:${fn.name}`;
      if (seen.has(full)) continue;
      seen.add(full);
      const one = locks.has(fn.name)
        ? lockReason
        : describedBy(kernel, fn.module, (btf) => candidate(btf, fn.module, fn.name, context));
      if (typeof one !== "string") found.push(one);
      else left = { count: (left?.count ?? 0) + 1, reason: `${fn.name}: ${one}` };
    }
    if (left === undefined) return found;
    const hint = `kprobe:${isPattern ? "..." : symbol} needs no type information`;
    if (found.length === 0) return noMatches(context, left.reason, hint);
    if (isPattern && context.missing !== "ignore")
      context.diags.warning(
        "functions-left-out",
        context.span,
        `${left.count} of ${seen.size} functions are left out, for example ${left.reason}`,
        { hint },
      );
    return found;
  };

  const bindProgram = (parts: readonly string[], context: BindContext): readonly Candidate[] => {
    const [id, symbol = "*"] = parts.length === 3 ? [parts[1], parts[2]] : [undefined, parts[1]];
    const number = id === undefined ? undefined : parseCount(id);
    if (id !== undefined && number === undefined)
      return wrongForm(context, forms, `'${id}' is no number of a BPF program`);
    const matches = compileGlob(symbol);
    const known = context.kernel.bpfFunctions();
    const found = distinct(
      known.filter((fn) => (number === undefined || BigInt(fn.program) === number) && matches(fn.name)),
    );
    if (found.length === 0) {
      const why = `no BPF program with type information ${number === undefined ? "" : `and the number ${number} `}has a function '${symbol}'`;
      return unknownProbe(
        context,
        why,
        symbol,
        known.map((fn) => fn.name),
        `beetrace -l '${name}:bpf:*' lists what there is.`,
      );
    }
    return found.map(
      (fn): Candidate => ({
        name: `${name}:${programs}:${fn.program}:${fn.name}`,
        func: fn.name,
        place: { kind: "trampoline", fn: { kind: "bpf", ...fn } },
        variant: {
          ...base,
          key: `${name} ${programs}`,
          args: undefined,
          noArgs: "what BPF programs are given is not known by name",
        },
      }),
    );
  };

  return {
    name,
    aliases,
    doc,
    forms,
    runsLastFirst: true,
    bind(parts, context) {
      const last = parts.at(-1) ?? "";
      if (parts.length < 1 || parts.length > (parts[0] === programs ? 3 : 2) || parts.includes("") || last === "")
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' names no function`);
      const { kernel } = context;
      const btf = kernel.btf();
      if ("missing" in btf) return noMatches(context, `${name} needs the kernel's type information: ${btf.missing}`);
      if (kernel.feature("fentry") === "no")
        return noMatches(
          context,
          "this kernel has no trampolines for BPF programs, or refuses them",
          "kprobe or a tracepoint may do: beetrace --info tells what there is",
        );
      if (parts[0] === programs && parts.length > 1) return bindProgram(parts, context);
      const pattern = { module: parts.length === 2 ? parts[0] : undefined, symbol: last };
      return isLoaded(pattern, [name, ...parts].join(":"), context) ? bindKernel(pattern, context) : [];
    },
    attach: (port, program, _variant, items) =>
      port.each(items, ({ target, id }) => port.trampoline(program, placeAs(target.place, "trampoline").fn, id)),
    listedByType: exit,
    needs: "fentry",
    *list(kernel, parts) {
      if (kernel.feature("fentry") === "no") return;
      if (parts[0] === programs) {
        for (const fn of distinct(kernel.bpfFunctions())) yield `${name}:${programs}:${fn.program}:${fn.name}`;
        return;
      }
      const functions = kernel.kernelFunctions();
      if ("missing" in functions) return;
      const [module, symbol] = parts.length > 1 ? parts : [undefined, parts[0]];
      const matches = compileGlob(symbol || "*");
      for (const { module: found, symbol: one } of typedFunctions(
        kernel,
        functions,
        compileGlob(module || "*"),
        matches,
      ))
        yield `${name}:${found}:${one}`;
    },
    describe(full, kernel) {
      const [, module = "", symbol = ""] = full.split(":");
      return describeFunction(kernel, module, symbol, exit);
    },
  };
}

const lockReason = "programs there can deadlock with programs of other processors; a kprobe is safe";

/** A program and its first function have one name, and come once. */
const distinct = (functions: readonly BpfFunction[]): readonly BpfFunction[] => [
  ...new Map(functions.map((fn) => [`${fn.program}:${fn.name}`, fn] as const)).values(),
];

function* typedFunctions(
  kernel: KernelView,
  functions: KernelFunctions,
  inModule: (module: string) => boolean,
  matches: (symbol: string) => boolean,
): Generator<{ readonly module: string; readonly symbol: string }> {
  for (const module of [kernelModule, ...kernel.modules()].filter(inModule)) {
    const btf = kernel.moduleBtf(module);
    if ("missing" in btf) continue;
    const seen = new Set<string>();
    for (const id of btf.ownIds("func")) {
      const symbol = btf.nameOf(id);
      if (!matches(symbol) || seen.has(symbol) || !functions.find(symbol).some((fn) => fn.module === module)) continue;
      seen.add(symbol);
      if (noTrampoline(btf, id) === undefined) yield { module, symbol };
    }
  }
}

const fieldOf = (
  { name, type, slot, holds }: TrampolineValue,
  kind: "trampoline-argument" | "trampoline-result",
): ArgField => ({ name, type, source: { kind, slot, holds } });

export const fentry = functionProbe(
  "fentry",
  ["f", "kfunc"],
  "Entry of a function of the kernel, of a module or of a BPF program, by a trampoline: cheaper than a kprobe, and with the names and types of its arguments.",
);
export const fexit = functionProbe(
  "fexit",
  ["fr", "kretfunc"],
  "Return of such a function, with its arguments and its result.",
);
