import { edgesOf, graphOf } from "../graph.js";
import type { BlockId, Edge, IrFunction, IrInstr, Terminator, Value } from "../ir.js";
import { isPure, operandsOf, resultOf } from "../ops.js";

/** Drops unreachable blocks, and instructions and block parameters that nothing with an effect depends on. */
export function removeDeadCode(fn: IrFunction): IrFunction {
  const { order } = graphOf(fn);
  const live = liveValues(order);
  const keptParams = new Map<BlockId, readonly boolean[]>(
    order.map((block) => [block.id, block.params.map((param) => live.has(param))]),
  );
  const cutEdge = (edge: Edge): Edge => {
    const kept = keptParams.get(edge.block) ?? [];
    return { block: edge.block, args: edge.args.filter((_, i) => kept[i] === true) };
  };
  const blocks = order.map((block) => ({
    ...block,
    params: block.params.filter((param) => live.has(param)),
    instrs: block.instrs.filter((instr) => isNeeded(instr, live)),
    end: mapEdges(block.end, cutEdge),
  }));
  return { ...fn, blocks };
}

/** The same end with other edges. */
export function mapEdges(end: Terminator, to: (edge: Edge) => Edge): Terminator {
  if (end.op === "jump") return { ...end, to: to(end.to) };
  return end.op === "branch" ? { ...end, then: to(end.then), else: to(end.else) } : end;
}

function isNeeded(instr: IrInstr, live: ReadonlySet<Value>): boolean {
  if (!isPure(instr)) return true;
  const dst = resultOf(instr);
  return dst !== undefined && live.has(dst);
}

function liveValues(order: IrFunction["blocks"]): ReadonlySet<Value> {
  const definitions = new Map<Value, IrInstr>();
  /** What flows into a parameter, over all edges. */
  const incoming = new Map<Value, Value[]>();
  const params = new Map(order.map((block) => [block.id, block.params]));
  const live = new Set<Value>();
  const work: Value[] = [];
  const need = (value: Value): void => {
    if (live.has(value)) return;
    live.add(value);
    work.push(value);
  };
  for (const block of order) {
    for (const instr of block.instrs) {
      const dst = resultOf(instr);
      if (dst !== undefined) definitions.set(dst, instr);
      if (!isPure(instr)) operandsOf(instr).forEach(need);
    }
    const { end } = block;
    if (end.op === "ret") need(end.value);
    if (end.op === "branch") [end.a, end.b].forEach(need);
    for (const edge of edgesOf(end)) {
      params.get(edge.block)?.forEach((param, i) => {
        const arg = edge.args[i];
        if (arg === undefined) return;
        const list = incoming.get(param);
        if (list === undefined) incoming.set(param, [arg]);
        else list.push(arg);
      });
    }
  }
  for (let value = work.pop(); value !== undefined; value = work.pop()) {
    const instr = definitions.get(value);
    if (instr !== undefined) operandsOf(instr).forEach(need);
    incoming.get(value)?.forEach(need);
  }
  return live;
}
