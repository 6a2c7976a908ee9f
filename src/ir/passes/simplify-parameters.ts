import { edgesOf, graphOf } from "../graph.js";
import type { Block, BlockId, Edge, IrFunction, IrInstr, Value } from "../ir.js";
import { mapEdges } from "./remove-dead-code.js";
import { definitionsOf, Rewriter } from "./rewriter.js";

/** Sweeps over the function; what is left after that many is rare and harmless. */
const mostSweeps = 4;

/** Removes block parameters that are given the same value, or the same constant, on every way in. */
export function simplifyParameters(fn: IrFunction): IrFunction {
  let result = fn;
  for (let i = 0; i < mostSweeps; i++) {
    const next = sweep(result);
    if (next === result) break;
    result = next;
  }
  return result;
}

function sweep(fn: IrFunction): IrFunction {
  const { order } = graphOf(fn);
  const definitions = definitionsOf(fn);
  const incoming = new Map<BlockId, Edge[]>();
  for (const block of order) {
    for (const edge of edgesOf(block.end)) incoming.set(edge.block, [...(incoming.get(edge.block) ?? []), edge]);
  }
  const rewriter = new Rewriter(fn);
  const removed = new Map<BlockId, ReadonlySet<number>>();
  const constants = new Map<BlockId, IrInstr[]>();
  for (const block of order) {
    const gone = new Set<number>();
    block.params.forEach((param, i) => {
      const only = onlyArgument(incoming.get(block.id) ?? [], i, param, rewriter, definitions);
      if (only === undefined) return;
      gone.add(i);
      if (typeof only !== "bigint") {
        rewriter.replace(param, only);
        return;
      }
      // Each way in has a constant of its own, none of which need reach this block.
      const instr: IrInstr = { op: "const", dst: param, value: only, span: block.end.span };
      constants.set(block.id, [...(constants.get(block.id) ?? []), instr]);
    });
    if (gone.size > 0) removed.set(block.id, gone);
  }
  if (removed.size === 0) return fn;
  const cut = (edge: Edge): Edge => {
    const gone = removed.get(edge.block);
    return gone === undefined ? edge : { block: edge.block, args: edge.args.filter((_, i) => !gone.has(i)) };
  };
  const blocks = order.map((block): Block => {
    const gone = removed.get(block.id);
    const params = gone === undefined ? block.params : block.params.filter((_, i) => !gone.has(i));
    const instrs = [...(constants.get(block.id) ?? []), ...block.instrs];
    return { ...block, params, instrs, end: mapEdges(block.end, cut) };
  });
  return rewriter.finish(fn, blocks);
}

function onlyArgument(
  edges: readonly Edge[],
  index: number,
  param: Value,
  rewriter: Rewriter,
  definitions: readonly (IrInstr | undefined)[],
): Value | bigint | undefined {
  let value: Value | undefined;
  let constant: bigint | undefined;
  let sameValue = true;
  let sameConstant = true;
  for (const edge of edges) {
    const raw = edge.args[index];
    if (raw === undefined) return undefined;
    const arg = rewriter.resolve(raw);
    if (arg === rewriter.resolve(param)) continue;
    const instr = definitions[arg];
    const number = instr?.op === "const" ? instr.value : undefined;
    if (value === undefined) {
      value = arg;
      constant = number;
    } else {
      if (arg !== value) sameValue = false;
      if (number !== constant) sameConstant = false;
    }
    if (number === undefined) sameConstant = false;
  }
  if (value === undefined) return undefined;
  if (sameValue) return value;
  return sameConstant ? constant : undefined;
}
