import type { IrFunction } from "../ir.js";
import { verifyIr } from "../verify.js";
import { foldConstants } from "./fold-constants.js";
import { forwardStores } from "./forward-stores.js";
import { mergeEqual } from "./merge-equal.js";
import { removeDeadCode } from "./remove-dead-code.js";
import { removeDeadStores } from "./remove-dead-stores.js";
import { simplifyControlFlow } from "./simplify-control-flow.js";

export interface Pass {
  readonly name: string;
  readonly run: (fn: IrFunction) => IrFunction;
  /** Passes that must have run before, and why. */
  readonly after: readonly { readonly pass: string; readonly because: string }[];
}

/** What is done to a function, in this order. */
export const passes: readonly Pass[] = [
  { name: "straighten", run: simplifyControlFlow, after: [] },
  {
    name: "fold-constants",
    run: foldConstants,
    after: [{ pass: "straighten", because: "parameters with one argument hide constants" }],
  },
  {
    name: "merge-equal",
    run: mergeEqual,
    after: [{ pass: "fold-constants", because: "equal things look equal once they are in their plainest form" }],
  },
  {
    name: "forward-stores",
    run: forwardStores,
    after: [{ pass: "straighten", because: "knowledge goes along straight lines only" }],
  },
  {
    name: "fold-forwarded",
    run: foldConstants,
    after: [
      { pass: "forward-stores", because: "loads have become values and zeros" },
      { pass: "merge-equal", because: "x - x shows when both are one value" },
    ],
  },
  {
    name: "merge-forwarded",
    run: mergeEqual,
    after: [{ pass: "fold-forwarded", because: "folding makes constants anew" }],
  },
  {
    name: "thread-jumps",
    run: simplifyControlFlow,
    after: [{ pass: "fold-forwarded", because: "branches on constants have become jumps" }],
  },
  {
    name: "fold-threaded",
    run: foldConstants,
    after: [{ pass: "thread-jumps", because: "blocks that have lost a way in have lost parameters" }],
  },
  {
    name: "remove-dead-code",
    run: removeDeadCode,
    after: [{ pass: "fold-threaded", because: "folding leaves its operands behind" }],
  },
  {
    name: "remove-dead-stores",
    run: removeDeadStores,
    after: [{ pass: "remove-dead-code", because: "a dead load keeps a store alive" }],
  },
  {
    name: "sweep",
    run: (fn) => simplifyControlFlow(removeDeadCode(fn)),
    after: [{ pass: "remove-dead-stores", because: "what was stored is not needed any more" }],
  },
];

export interface OptimizeOptions {
  /** Whether each pass's result is verified, which takes as long as a pass; the last one's always is. */
  readonly verify?: boolean | undefined;
  /** Told of the function after each pass. */
  readonly dump?: ((pass: string, fn: IrFunction) => void) | undefined;
  /** Names of passes to leave out. */
  readonly disable?: ReadonlySet<string> | readonly string[] | undefined;
}

/** Runs the passes over a function and verifies the result. */
export function optimize(fn: IrFunction, options: OptimizeOptions = {}): IrFunction {
  const disabled = new Set(options.disable ?? []);
  let result = fn;
  if (options.verify === true) verifyIr(result, "lower");
  for (const { name, run } of passes) {
    if (disabled.has(name)) continue;
    result = run(result);
    if (options.verify === true) verifyIr(result, name);
    options.dump?.(name, result);
  }
  verifyIr(result, "optimize");
  return result;
}
