import { dominance, dominatorsOf, edgesOf, type Graph, graphOf } from "../graph.js";
import type { Block, BlockId, IrFunction, IrInstr, Terminator, Value } from "../ir.js";
import { mapEnd, mapOperands, operandsOf, usesOfEnd } from "../ops.js";
import { type ConstantOf, constantsOf, isEmpty, mapEdgesWithFacts, nextEdge } from "./thread-jumps.js";

/** A block whose parameters go to one of its successors instead. */
interface Sink {
  readonly from: BlockId;
  readonly into: BlockId;
  /** What each parameter or constant of `from` is called in `into` and below. */
  readonly renamed: ReadonlyMap<Value, Value>;
}

/**
 * Prepares what jump threading can then pass by: a block that only asks a question which some way in has answered already,
 * but whose parameters are used further down. Where all of that lies below one successor, the successor gets parameters of
 * its own. `p = lookup(); if (!p) p = insert(); if (p) use(p)` then asks each pointer once.
 */
export function sinkParameters(fn: IrFunction): IrFunction {
  const graph = graphOf(fn);
  const constant = constantsOf(fn);
  const worthwhile = decidedBlocks(graph, constant);
  if (worthwhile.size === 0) return fn;
  const uses = outsideUses(graph, worthwhile);
  const dominates = dominance(dominatorsOf(graph));
  const sinks = new Map<BlockId, Sink>();
  const taken = new Set<BlockId>();
  let values = fn.values;
  for (const [id, block] of worthwhile) {
    const used = uses.get(id);
    if (used === undefined || taken.has(id)) continue;
    const into = soleHeir(graph, block, used, dominates);
    if (into === undefined || taken.has(into) || sinks.has(into)) continue;
    taken.add(id).add(into);
    const renamed = new Map([...used.keys()].map((value) => [value, values++ as Value]));
    sinks.set(id, { from: id, into, renamed });
  }
  return sinks.size === 0 ? fn : { ...rewrite(graph, fn, sinks, constant), values };
}

/** Empty blocks with a branch that some edge into them decides. */
function decidedBlocks(graph: Graph, constant: ConstantOf): Map<BlockId, Block> {
  const candidates = new Map(
    graph.order.filter((b, i) => i > 0 && b.end.op === "branch" && isEmpty(b)).map((block) => [block.id, block]),
  );
  const decided = new Map<BlockId, Block>();
  for (const { end } of graph.order) {
    mapEdgesWithFacts(end, (edge, fact) => {
      const block = candidates.get(edge.block);
      if (block !== undefined && nextEdge(block, edge, fact, constant) !== undefined) decided.set(block.id, block);
      return edge;
    });
  }
  return decided;
}

/** Per block: its parameters and constants that others use, each with the positions of those blocks. */
function outsideUses(graph: Graph, blocks: ReadonlyMap<BlockId, Block>): Map<BlockId, Map<Value, number[]>> {
  const owner = new Map<Value, BlockId>();
  for (const block of blocks.values()) {
    for (const param of block.params) owner.set(param, block.id);
    for (const instr of block.instrs) if (instr.op === "const") owner.set(instr.dst, block.id);
  }
  const uses = new Map<BlockId, Map<Value, number[]>>();
  graph.order.forEach((user, position) => {
    const note = (value: Value): void => {
      const of = owner.get(value);
      if (of === undefined || of === user.id) return;
      const values = uses.get(of) ?? new Map<Value, number[]>();
      uses.set(of, values);
      values.set(value, [...(values.get(value) ?? []), position]);
    };
    for (const instr of user.instrs) operandsOf(instr).forEach(note);
    usesOfEnd(user.end).forEach(note);
  });
  return uses;
}

/** The successor that is entered from the block alone and above every use. */
function soleHeir(
  graph: Graph,
  block: Block,
  used: ReadonlyMap<Value, readonly number[]>,
  dominates: (a: number, b: number) => boolean,
): BlockId | undefined {
  for (const { block: id } of edgesOf(block.end)) {
    const position = graph.position(id);
    if (position === undefined || graph.predecessors[position]?.length !== 1) continue;
    if ([...used.values()].every((users) => users.every((user) => dominates(position, user)))) return id;
  }
  return undefined;
}

function rewrite(graph: Graph, fn: IrFunction, sinks: ReadonlyMap<BlockId, Sink>, constant: ConstantOf): IrFunction {
  const owner = new Map<Value, Sink>();
  const heirs = new Map<BlockId, Sink>();
  for (const sink of sinks.values()) {
    heirs.set(sink.into, sink);
    for (const value of sink.renamed.keys()) owner.set(value, sink);
  }
  const blocks = graph.order.map((block): Block => {
    const rename = (value: Value): Value => {
      const sink = owner.get(value);
      return sink === undefined || sink.from === block.id ? value : (sink.renamed.get(value) ?? value);
    };
    const own = sinks.get(block.id);
    const heir = heirs.get(block.id);
    const instrs = block.instrs.map((instr) => mapOperands(instr, rename));
    const end = mapEnd(block.end, rename);
    const params = [...block.params];
    const constants: IrInstr[] = [];
    for (const [old, value] of heir?.renamed ?? []) {
      const number = constant(old);
      if (number === undefined) params.push(value);
      else constants.push({ op: "const", dst: value, value: number, span: block.end.span });
    }
    return {
      ...block,
      params,
      instrs: [...constants, ...instrs],
      end: own === undefined ? end : handDown(end, own, constant),
    };
  });
  return { ...fn, blocks };
}

function handDown(end: Terminator, sink: Sink, constant: ConstantOf): Terminator {
  const given = [...sink.renamed.keys()].filter((value) => constant(value) === undefined);
  return mapEdgesWithFacts(end, (edge) =>
    edge.block === sink.into ? { block: edge.block, args: [...edge.args, ...given] } : edge,
  );
}
