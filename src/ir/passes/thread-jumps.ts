import { graphOf } from "../graph.js";
import type { Block, BlockId, CmpOp, Edge, IrFunction, Terminator, Value } from "../ir.js";
import { cmpFold, negated, operandsOf, usesOfEnd } from "../ops.js";
import { mapEdges } from "./remove-dead-code.js";
import { definitionsOf } from "./rewriter.js";

/** A chain of empty blocks is followed this far: longer ones are loops. */
const longestChain = 32;

/** A comparison that holds on an edge, because the edge leaves the branch that made it. */
export interface Fact {
  readonly cmp: CmpOp;
  readonly a: Value;
  readonly b: Value;
}

export type ConstantOf = (value: Value) => bigint | undefined;

export function constantsOf(fn: IrFunction): ConstantOf {
  const definitions = definitionsOf(fn);
  return (value) => {
    const instr = definitions[value];
    return instr?.op === "const" ? instr.value : undefined;
  };
}

/** Leads each edge past blocks that only pass it on, or that ask what is known on the edge. */
export function threadJumps(fn: IrFunction): IrFunction {
  const { order } = graphOf(fn);
  const passable = passableBlocks(order);
  if (passable.size === 0) return { ...fn, blocks: order };
  const constant = constantsOf(fn);
  const follow = (edge: Edge, fact: Fact | undefined): Edge => {
    let at = edge;
    for (let i = 0; i < longestChain; i++) {
      const block = passable.get(at.block);
      const next = block === undefined ? undefined : passThrough(block, at, fact, constant);
      if (next === undefined) return at;
      at = next;
    }
    return edge;
  };
  const blocks = order.map((block): Block => ({ ...block, end: sameWay(mapEdgesWithFacts(block.end, follow)) }));
  const threaded = { ...fn, blocks };
  return { ...fn, blocks: graphOf(threaded).order };
}

/** The same end with other edges; each is given with what its branch tells. */
export function mapEdgesWithFacts(end: Terminator, to: (edge: Edge, fact: Fact | undefined) => Edge): Terminator {
  if (end.op !== "branch") return mapEdges(end, (edge) => to(edge, undefined));
  const { cmp, a, b } = end;
  return { ...end, then: to(end.then, { cmp, a, b }), else: to(end.else, { cmp: negated[cmp], a, b }) };
}

/** A branch whose ways are the same is a jump. */
function sameWay(end: Terminator): Terminator {
  if (end.op !== "branch" || end.then.block !== end.else.block) return end;
  const same = end.then.args.every((arg, i) => arg === end.else.args[i]);
  return same ? { op: "jump", span: end.span, to: end.then } : end;
}

/** Nothing happens in the block: it has an end to follow and, before that, constants at most. */
export const isEmpty = (block: Block): boolean =>
  block.end.op !== "ret" && block.instrs.every((instr) => instr.op === "const");

/**
 * Empty blocks whose parameters and constants are used by their own end alone, so that nothing is missed when they are
 * not run.
 */
function passableBlocks(order: readonly Block[]): ReadonlyMap<BlockId, Block> {
  const candidates = new Map<BlockId, Block>();
  const owner = new Map<Value, BlockId>();
  order.forEach((block, i) => {
    if (i === 0 || !isEmpty(block)) return;
    candidates.set(block.id, block);
    for (const param of block.params) owner.set(param, block.id);
    for (const instr of block.instrs) if (instr.op === "const") owner.set(instr.dst, block.id);
  });
  const usedIn = (value: Value, block: BlockId, own: boolean): void => {
    const of = owner.get(value);
    if (of !== undefined && (of !== block || !own)) candidates.delete(of);
  };
  for (const block of order) {
    for (const instr of block.instrs) for (const value of operandsOf(instr)) usedIn(value, block.id, false);
    for (const value of usesOfEnd(block.end)) usedIn(value, block.id, true);
  }
  return candidates;
}

/** The edge that follows when the block is entered by `edge`, or undefined if that is not certain. */
function passThrough(block: Block, edge: Edge, fact: Fact | undefined, constant: ConstantOf): Edge | undefined {
  const next = nextEdge(block, edge, fact, constant);
  if (next === undefined) return undefined;
  const local = new Set<Value>(block.instrs.flatMap((instr) => (instr.op === "const" ? [instr.dst] : [])));
  // A constant made in the block does not exist on the way past it.
  if (next.args.some((arg) => local.has(arg))) return undefined;
  const given = new Map(block.params.map((param, i) => [param, edge.args[i]]));
  return { block: next.block, args: next.args.map((arg) => given.get(arg) ?? arg) };
}

/** The edge by which an empty block is left when it is entered by `edge` and `fact` holds; its arguments are the block's. */
export function nextEdge(block: Block, edge: Edge, fact: Fact | undefined, constant: ConstantOf): Edge | undefined {
  const { end } = block;
  if (end.op === "jump") return end.to;
  if (end.op !== "branch") return undefined;
  const given = new Map(block.params.map((param, i) => [param, edge.args[i]]));
  const left = given.get(end.a) ?? end.a;
  const right = given.get(end.b) ?? end.b;
  const taken = decide(end.cmp, left, right, fact, constant);
  return taken === undefined ? undefined : taken ? end.then : end.else;
}

function decide(cmp: CmpOp, a: Value, b: Value, fact: Fact | undefined, constant: ConstantOf): boolean | undefined {
  if (a === b) return cmpFold[cmp](0n, 0n);
  const [left, right] = [constant(a), constant(b)];
  if (left !== undefined && right !== undefined) return cmpFold[cmp](left, right);
  if (fact === undefined) return undefined;
  const same = (v: Value, w: Value): boolean => v === w || (constant(v) !== undefined && constant(v) === constant(w));
  if (!same(a, fact.a) || !same(b, fact.b)) return undefined;
  if (cmp === fact.cmp) return true;
  return cmp === negated[fact.cmp] ? false : undefined;
}
