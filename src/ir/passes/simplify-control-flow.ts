import { edgesOf, graphOf } from "../graph.js";
import type { Block, BlockId, Edge, IrFunction, IrInstr, Terminator, Value } from "../ir.js";
import { cmpFold, operandsOf, usesOfEnd } from "../ops.js";
import { mapEdges } from "./remove-dead-code.js";
import { definitionsOf, Rewriter } from "./rewriter.js";
import { simplifyParameters } from "./simplify-parameters.js";

/** Unreachable blocks go, jumps to jumps become one, branches that an edge decides are passed by, straight lines one block. */
export function simplifyControlFlow(fn: IrFunction): IrFunction {
  return mergeLines(threadJumps(simplifyParameters(fn)));
}

/** A chain of empty blocks is followed this far: longer ones are loops. */
const longestChain = 32;

/** Leads each edge past blocks that only pass it on. */
function threadJumps(fn: IrFunction): IrFunction {
  const { order } = graphOf(fn);
  const passable = passableBlocks(fn, order);
  if (passable.size === 0) return { ...fn, blocks: order };
  const definitions = definitionsOf(fn);
  const constant = (value: Value): bigint | undefined => {
    const instr = definitions[value];
    return instr?.op === "const" ? instr.value : undefined;
  };
  const follow = (edge: Edge): Edge => {
    let at = edge;
    for (let i = 0; i < longestChain; i++) {
      const block = passable.get(at.block);
      const next = block === undefined ? undefined : passThrough(block, at, constant);
      if (next === undefined) return at;
      at = next;
    }
    return edge;
  };
  const blocks = order.map((block): Block => ({ ...block, end: sameWay(mapEdges(block.end, follow)) }));
  const threaded = { ...fn, blocks };
  return { ...fn, blocks: graphOf(threaded).order };
}

/** A branch whose ways are the same is a jump. */
function sameWay(end: Terminator): Terminator {
  if (end.op !== "branch" || end.then.block !== end.else.block) return end;
  const same = end.then.args.every((arg, i) => arg === end.else.args[i]);
  return same ? { op: "jump", span: end.span, to: end.then } : end;
}

/**
 * Blocks without effect whose parameters and constants are used by their own end alone, so that nothing is missed when
 * they are not run.
 */
function passableBlocks(fn: IrFunction, order: readonly Block[]): ReadonlyMap<BlockId, Block> {
  const candidates = new Map<BlockId, Block>();
  const owner = new Map<Value, BlockId>();
  order.forEach((block, i) => {
    if (i === 0 || block.end.op === "ret" || !block.instrs.every((instr) => instr.op === "const")) return;
    candidates.set(block.id, block);
    for (const param of block.params) owner.set(param, block.id);
    for (const instr of block.instrs) if (instr.op === "const") owner.set(instr.dst, block.id);
  });
  const usedIn = (value: Value, block: BlockId, own: boolean): void => {
    const of = owner.get(value);
    if (of !== undefined && (of !== block || !own)) candidates.delete(of);
  };
  for (const block of fn.blocks) {
    for (const instr of block.instrs) for (const value of operandsOf(instr)) usedIn(value, block.id, false);
    for (const value of usesOfEnd(block.end)) usedIn(value, block.id, true);
  }
  return candidates;
}

/** The edge that follows when the block is entered by `edge`, or undefined if that is not certain. */
function passThrough(block: Block, edge: Edge, constant: (value: Value) => bigint | undefined): Edge | undefined {
  const given = new Map(block.params.map((param, i) => [param, edge.args[i]]));
  const local = new Set<Value>(block.instrs.flatMap((instr) => (instr.op === "const" ? [instr.dst] : [])));
  const substitute = (value: Value): Value => given.get(value) ?? value;
  let next: Edge;
  const { end } = block;
  if (end.op === "jump") next = end.to;
  else if (end.op === "branch") {
    const a = constant(substitute(end.a));
    const b = constant(substitute(end.b));
    const same = substitute(end.a) === substitute(end.b);
    if (!same && (a === undefined || b === undefined)) return undefined;
    next = (same ? cmpFold[end.cmp](0n, 0n) : cmpFold[end.cmp](a ?? 0n, b ?? 0n)) ? end.then : end.else;
  } else return undefined;
  // A constant made in the block does not exist on the way past it.
  if (next.args.some((arg) => local.has(arg))) return undefined;
  return { block: next.block, args: next.args.map(substitute) };
}

/** Appends blocks that only one jump leads to. */
function mergeLines(fn: IrFunction): IrFunction {
  const { order } = graphOf(fn);
  const entries = new Map<BlockId, number>();
  for (const block of order) {
    for (const edge of edgesOf(block.end)) entries.set(edge.block, (entries.get(edge.block) ?? 0) + 1);
  }
  const byId = new Map(order.map((block) => [block.id, block]));
  const rewriter = new Rewriter(fn);
  const merged = new Set<BlockId>();
  const blocks: Block[] = [];
  for (const block of order) {
    if (merged.has(block.id)) continue;
    const instrs: IrInstr[] = [...block.instrs];
    let { end } = block;
    while (end.op === "jump" && entries.get(end.to.block) === 1 && end.to.block !== block.id) {
      const next: Block | undefined = byId.get(end.to.block);
      if (next === undefined || merged.has(next.id)) break;
      const { args } = end.to;
      next.params.forEach((param, i) => {
        const arg = args[i];
        if (arg !== undefined) rewriter.replace(param, arg);
      });
      merged.add(next.id);
      for (const instr of next.instrs) instrs.push(instr);
      end = next.end;
    }
    blocks.push({ ...block, instrs, end });
  }
  return rewriter.finish(fn, blocks);
}
