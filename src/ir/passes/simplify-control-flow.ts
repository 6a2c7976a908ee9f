import { edgesOf, graphOf } from "../graph.js";
import type { Block, BlockId, IrFunction, IrInstr } from "../ir.js";
import { Rewriter } from "./rewriter.js";
import { simplifyParameters } from "./simplify-parameters.js";
import { sinkParameters } from "./sink-parameters.js";
import { threadJumps } from "./thread-jumps.js";

/** Unreachable blocks go, jumps to jumps become one, branches that an edge decides are passed by, straight lines one block. */
export function simplifyControlFlow(fn: IrFunction): IrFunction {
  const threaded = threadJumps(sinkParameters(simplifyParameters(fn)));
  return mergeLines(simplifyParameters(threaded));
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
