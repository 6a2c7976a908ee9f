import type { IrFunction, IrInstr } from "../ir.js";
import { accessesOf, byteMask, usedSlots } from "../slot-access.js";
import { slotLiveness, stepBack } from "../slot-liveness.js";

/** Granule in which a `zero` is cut: narrower pieces would need more stores than they save. */
const word = 8;

/** Drops stores to the stack that nothing reads, and the part of a `zero` that is overwritten before it is read. */
export function removeDeadStores(fn: IrFunction): IrFunction {
  if (fn.slots.length === 0) return fn;
  const { graph, slots, liveOut } = slotLiveness(fn);
  const blocks = graph.order.map((block, b) => {
    const live = new Map(liveOut[b]);
    const kept: IrInstr[] = [];
    for (let i = block.instrs.length - 1; i >= 0; i--) {
      const instr = block.instrs[i];
      if (instr === undefined) continue;
      const accesses = accessesOf(instr, slots);
      const written = accesses.find((access) => access.kind === "write");
      const plain = instr.op === "store" || instr.op === "zero" || instr.op === "copy";
      if (plain && written !== undefined) {
        const needed = (live.get(written.slot) ?? 0n) & byteMask(written.start, written.end);
        if (needed === 0n) continue;
        if (instr.op === "zero" && needed !== byteMask(written.start, written.end)) {
          stepBack(live, accesses);
          kept.push(...cut(instr, written.start, needed).reverse());
          continue;
        }
      }
      stepBack(live, accesses);
      kept.push(instr);
    }
    return { ...block, instrs: kept.reverse() };
  });
  const used = usedSlots(fn);
  return { ...fn, blocks, slots: fn.slots.filter((slot) => used.has(slot.id)) };
}

/** The zeroing of those words that are needed; `start` is where the instruction's first byte lies in its slot. */
function cut(instr: IrInstr & { op: "zero" }, start: number, needed: bigint): (IrInstr & { op: "zero" })[] {
  const pieces: (IrInstr & { op: "zero" })[] = [];
  const end = start + instr.size;
  let from: number | undefined;
  for (let at = start; at < end; ) {
    const next = Math.min(end, (Math.floor(at / word) + 1) * word);
    const wanted = (needed & byteMask(at, next)) !== 0n;
    if (wanted && from === undefined) from = at;
    if (!wanted && from !== undefined) {
      pieces.push({ ...instr, offset: instr.offset + from - start, size: at - from });
      from = undefined;
    }
    at = next;
  }
  if (from !== undefined) pieces.push({ ...instr, offset: instr.offset + from - start, size: end - from });
  return pieces;
}
