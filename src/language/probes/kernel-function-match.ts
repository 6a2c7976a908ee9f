// What attach points on functions of the kernel mean: modules, wildcards, functions that must not be traced.
import { compileGlob, hasWildcard } from "../../base/glob.js";
import { type KernelFunction, type KernelFunctions, kernelModule } from "../kernel-functions.js";
import type { BindContext } from "../probe.js";
import { noMatches, probeType, unknownProbe } from "./common.js";
import { copyOf } from "./compiler-copies.js";

/** `vfs_read` or `MODULE:vfs_read`, either with wildcards. */
export interface FunctionPattern {
  readonly module: string | undefined;
  readonly symbol: string;
}

/** Reports a module that is not there; bpftrace, too, takes that for an error whatever missing_probes says. */
export function isLoaded({ module }: FunctionPattern, attachPoint: string, context: BindContext): boolean {
  if (module === undefined || module === kernelModule || hasWildcard(module)) return true;
  if (context.kernel.modules().includes(module)) return true;
  context.diags.error(
    "unknown-module",
    context.span,
    `specified module ${module} in probe ${attachPoint} is not loaded.`,
    { hint: `the kernel's own functions are in '${kernelModule}'; lsmod lists modules, modprobe loads them` },
  );
  return false;
}

/** All functions of a pattern, sorted by name. */
export function matchingFunctions(
  functions: KernelFunctions,
  { module, symbol }: FunctionPattern,
): readonly KernelFunction[] {
  const inModule = compileGlob(module ?? "*");
  const found = hasWildcard(symbol) ? functions.matching(compileGlob(symbol)) : functions.find(symbol);
  return found.filter((fn) => inModule(fn.module));
}

/** Says how many functions a wildcard leaves out because they must not be traced. */
export function sayRefused(functions: KernelFunctions, { symbol }: FunctionPattern, context: BindContext): void {
  if (!hasWildcard(symbol) || context.missing === "ignore") return;
  const count = functions.countRefused(compileGlob(symbol));
  if (count === 0) return;
  const some = count === 1 ? "1 function that matches is" : `${count} functions that match are`;
  context.diags.warning("functions-left-out", context.span, `${some} left out: probes there can hang the machine`, {
    hint: "they are of RCU, of the idle loop, or the kernel forbids probes in them",
  });
}

/** Reports a pattern that no function matches: why one of that name cannot be traced, or what there is like it. */
export function noFunction(
  functions: KernelFunctions,
  { module, symbol }: FunctionPattern,
  context: BindContext,
  advice?: string,
): readonly never[] {
  const refusal = functions.refusal(symbol);
  if (refusal !== undefined) return noMatches(context, `${symbol} is not to be traced: ${refusal}`);
  const elsewhere = functions.find(symbol).map((fn) => fn.module);
  if (elsewhere.length > 0) return noMatches(context, `${symbol} is in ${elsewhere.join(", ")}, not in ${module}`);
  if (context.kernel.kernelSymbol(symbol) !== undefined)
    return noMatches(
      context,
      `the kernel has a function ${symbol}, but cannot trace it: it is marked notrace, or was compiled without the call that tracing needs`,
      advice ?? "a function that calls it, or that it calls, may do",
    );
  const why = hasWildcard(symbol)
    ? `no function that can be traced matches '${symbol}'`
    : `there is no function '${symbol}' that can be traced: it may be called otherwise here, or inlined into its callers`;
  const copy = copyOf(symbol, functions, (name) => `${probeType(context)}:${name}`);
  return unknownProbe(context, why, symbol, copy === undefined ? functions.names : [], advice ?? copy);
}
