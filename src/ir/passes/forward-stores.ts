import { graphOf } from "../graph.js";
import type { Block, IrFunction, IrInstr, SlotId, Value } from "../ir.js";
import { accessesOf, type SlotPointers, slotPointersOf } from "../slot-access.js";
import { Rewriter } from "./rewriter.js";

/** Bytes of a slot whose contents are known: the low bytes of `value`, or zeros. */
interface Known {
  readonly start: number;
  readonly end: number;
  readonly value: Value | undefined;
}

type State = Map<SlotId, readonly Known[]>;

/** More than this is not carried from block to block. */
const mostCarried = 32;

/** Loads from the stack take what was stored there on the only way to them, instead of reading it back. */
export function forwardStores(fn: IrFunction): IrFunction {
  const graph = graphOf(fn);
  const slots = slotPointersOf(fn);
  const rewriter = new Rewriter(fn);
  const states: State[] = [];
  const blocks = graph.order.map((block, b): Block => {
    const [pred, ...others] = graph.predecessors[b] ?? [];
    const before = pred !== undefined && pred < b && others.length === 0 ? states[pred] : undefined;
    const state: State = new Map(before !== undefined && before.size <= mostCarried ? before : []);
    const instrs: IrInstr[] = [];
    for (const old of block.instrs) {
      const instr = rewriter.instr(old);
      const forwarded = instr.op === "load" ? forward(instr, state, slots, rewriter) : undefined;
      if (forwarded === "gone") continue;
      instrs.push(forwarded ?? instr);
      if (forwarded === undefined) step(state, instr, slots);
    }
    states[b] = state;
    return { ...block, instrs, end: rewriter.end(block.end) };
  });
  return rewriter.finish(fn, blocks);
}

function forward(
  load: IrInstr & { op: "load" },
  state: State,
  slots: SlotPointers,
  rewriter: Rewriter,
): IrInstr | "gone" | undefined {
  const pointer = slots.pointers.get(load.base);
  if (pointer?.offset === undefined) return undefined;
  const start = pointer.offset + load.offset;
  const end = start + load.width;
  const known = state.get(pointer.slot)?.find((k) => k.start <= start && end <= k.end);
  if (known === undefined) return undefined;
  const { dst, width, signed, span } = load;
  if (known.value === undefined) return { op: "const", dst, value: 0n, span };
  // Machines are little-endian: the first bytes of a store are the low ones.
  if (known.start !== start) return undefined;
  if (width !== 8) return { op: "ext", dst, width, signed, a: known.value, span };
  rewriter.replace(dst, known.value);
  return "gone";
}

function step(state: State, instr: IrInstr, slots: SlotPointers): void {
  for (const { slot, kind, start, end } of accessesOf(instr, slots)) {
    const known = state.get(slot);
    if (kind === "read" || known === undefined) continue;
    state.set(
      slot,
      known.flatMap((k) => without(k, start, end)),
    );
  }
  if (instr.op !== "store" && instr.op !== "zero" && instr.op !== "load") return;
  const pointer = slots.pointers.get(instr.base);
  if (pointer?.offset === undefined || slots.escaped.has(pointer.slot)) return;
  const start = pointer.offset + instr.offset;
  const end = start + (instr.op === "zero" ? instr.size : instr.width);
  const value = instr.op === "store" ? instr.value : instr.op === "load" ? instr.dst : undefined;
  state.set(pointer.slot, [...(state.get(pointer.slot) ?? []), { start, end, value }]);
}

/** What stays known when the bytes from `start` to `end` change: zeros stay zeros, values must stay whole. */
function without(known: Known, start: number, end: number): readonly Known[] {
  if (end <= known.start || known.end <= start) return [known];
  if (known.value !== undefined) return [];
  const left = { ...known, end: start };
  const right = { ...known, start: end };
  return [left, right].filter((piece) => piece.start < piece.end);
}
