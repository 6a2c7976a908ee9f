import { BPF_LDX, BPF_ST, BPF_STX, maxStack } from "../abi/bpf-insn.js";
import { BeetraceError } from "../base/errors.js";
import type { Span } from "../base/span.js";
import type { IrFunction } from "../ir/ir.js";
import { usedSlots } from "../ir/slot-access.js";
import { SlotConflicts } from "../ir/slot-liveness.js";
import { liveOut } from "./liveness.js";
import type { MFunction, MInsn } from "./machine.js";

/** What a function keeps on the stack does not fit into the kernel's 512 bytes. */
export class StackOverflowError extends BeetraceError {
  readonly functionName: string;
  readonly size: number;
  /** The largest pieces first. */
  readonly slots: readonly { readonly name: string; readonly size: number; readonly span: Span | undefined }[];

  constructor(functionName: string, size: number, slots: StackOverflowError["slots"]) {
    const largest = slots
      .slice(0, 3)
      .map((slot) => `${slot.name} (${slot.size} bytes)`)
      .join(", ");
    super(
      `${functionName} needs ${size} bytes of stack, a BPF program has ${maxStack}; largest: ${largest || "none"}`,
      {
        hint: "use shorter strings and fewer values at a time",
      },
    );
    this.functionName = functionName;
    this.size = size;
    this.slots = slots;
  }
}

/** Where a slot of that many bytes may begin: so that it can be filled with the widest stores. */
export const slotAlign = (size: number): 1 | 2 | 4 | 8 => (size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1);

export interface Frame {
  /** Of byte 0 of each slot, relative to r10; negative. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Bytes below r10. */
  readonly size: number;
}

/**
 * Places slots and spilled registers. Those that never hold something at the same time share bytes. Drops stores to spill
 * slots that nothing reads.
 */
export function layOutFrame(ir: IrFunction, fn: MFunction): Frame {
  const spills = spillConflicts(fn, ir);
  const offsets = new Map<number, number>();
  const spillBytes = place(
    [...spills.keys()].map((id) => ({ id, size: 8, align: 8 })),
    (a, b) => spills.get(a)?.has(b) ?? false,
    0,
    offsets,
  );
  const used = usedSlots(ir);
  const slots = ir.slots
    .filter((slot) => used.has(slot.id))
    .map(({ id, size, align }) => ({ id: id as number, size, align: Math.max(align, slotAlign(size)) }));
  const conflicts = new SlotConflicts(ir);
  type Id = Parameters<SlotConflicts["has"]>[0];
  const bytes = place(slots, (a, b) => conflicts.has(a as Id, b as Id), spillBytes, offsets);
  if (bytes > maxStack) throw new StackOverflowError(ir.name, bytes, largestSlots(ir));
  return { offsets, size: Math.ceil(bytes / 8) * 8 };
}

/** The slots that the function uses, largest first, each with the place of its first use. */
export function largestSlots(ir: IrFunction): StackOverflowError["slots"] {
  const spans = new Map<number, Span | undefined>();
  for (const block of ir.blocks) {
    for (const instr of block.instrs) {
      if (instr.op === "slot" && spans.get(instr.slot) === undefined) spans.set(instr.slot, instr.span);
    }
  }
  return ir.slots
    .filter((slot) => spans.has(slot.id))
    .map((slot) => ({ name: slot.name, size: slot.size, span: spans.get(slot.id) }))
    .sort((a, b) => b.size - a.size);
}

/** Gives each item, the largest first, the highest place that no conflicting item has; answers the bytes used. */
function place(
  items: readonly { readonly id: number; readonly size: number; readonly align: number }[],
  conflict: (a: number, b: number) => boolean,
  from: number,
  offsets: Map<number, number>,
): number {
  const placed: { readonly id: number; readonly start: number; readonly end: number }[] = [];
  let most = from;
  for (const { id, size, align } of [...items].sort((a, b) => b.size - a.size || a.id - b.id)) {
    const taken = placed.filter((other) => conflict(id, other.id)).sort((a, b) => a.start - b.start);
    // Bytes count downwards from r10: an item at depth `end` begins at r10 - end.
    let start = from;
    let end = alignUp(start + size, align);
    for (const other of taken) {
      if (end - size >= other.end || end <= other.start) continue;
      start = other.end;
      end = alignUp(start + size, align);
    }
    placed.push({ id, start: end - size, end });
    offsets.set(id, -end);
    most = Math.max(most, end);
  }
  return most;
}

const alignUp = (n: number, align: number): number => Math.ceil(n / align) * align;

type SpillAccess = "load" | "store" | undefined;

/** Which spill slots are in use at the same time; each that is used has an entry. */
function spillConflicts(fn: MFunction, ir: IrFunction): ReadonlyMap<number, ReadonlySet<number>> {
  const firstSpill = ir.slots.reduce((most, slot) => Math.max(most, slot.id + 1), 0);
  const accessOf = (insn: MInsn): SpillAccess => {
    if (insn.slot === undefined || insn.slot < firstSpill) return undefined;
    const kind = insn.code & 7;
    return kind === BPF_LDX ? "load" : kind === BPF_ST || kind === BPF_STX ? "store" : undefined;
  };
  const live = liveOut(fn, {
    summarize(index, use, define) {
      for (const insn of fn.blocks[index]?.insns ?? []) {
        const access = accessOf(insn);
        if (access === "load") use(insn.slot ?? 0);
        else if (access === "store") define(insn.slot ?? 0);
      }
    },
  });
  const conflicts = new Map<number, Set<number>>();
  const entry = (slot: number): Set<number> => {
    const set = conflicts.get(slot) ?? new Set();
    conflicts.set(slot, set);
    return set;
  };
  fn.blocks.forEach((block, i) => {
    const now = new Set(live[i]);
    const kept: MInsn[] = [];
    for (let j = block.insns.length - 1; j >= 0; j--) {
      const insn = block.insns[j];
      if (insn === undefined) continue;
      const access = accessOf(insn);
      const slot = insn.slot ?? 0;
      if (access === "load") now.add(slot);
      if (access === "store") {
        if (!now.has(slot)) continue; // overwritten or never read
        now.delete(slot);
        for (const other of now) {
          entry(slot).add(other);
          entry(other).add(slot);
        }
        entry(slot);
      }
      kept.push(insn);
    }
    if (kept.length !== block.insns.length) block.insns = kept.reverse();
  });
  return conflicts;
}
