import { BPF_ALU64, BPF_DW, BPF_K, BPF_LDX, BPF_MEM, BPF_MOV, BPF_ST, BPF_STX } from "../abi/bpf-insn.js";
import { colorGraph } from "./color.js";
import { interferenceOf, registersLiveOut, removeDead } from "./interference.js";
import {
  definitionOf,
  forEachUse,
  isMove,
  type MBlock,
  type MEnd,
  type MFunction,
  type MInsn,
  mapRegisters,
  type Reg,
} from "./machine.js";

/** Each round shortens what it spills to single instructions; a handful is usual. */
const mostRounds = 64;

/**
 * Gives every virtual register a machine register, or a stack slot of eight bytes (numbered on from `fn.slots`) and a
 * register for the moment of each use. Edits `fn`. `limit` takes registers away, to test spilling.
 */
export function allocateRegisters(fn: MFunction, limit?: number): void {
  const fixed = new Set<Reg>();
  for (let round = 0; round < mostRounds; round++) {
    let live = registersLiveOut(fn);
    // What is dead keeps its operands alive, so look again as long as something goes.
    while (round === 0 && removeDead(fn, live)) live = registersLiveOut(fn);
    const { colors, spilled, rootOf } = colorGraph(interferenceOf(fn, live), fixed, limit);
    if (spilled.length === 0) {
      applyColors(fn, colors);
      return;
    }
    spill(fn, spilled, rootOf, fixed);
  }
  throw new Error(`internal: registers of ${fn.name} cannot be allocated`);
}

function applyColors(fn: MFunction, colors: Int8Array): void {
  const color = (reg: Reg): Reg => {
    const found = colors[reg] ?? -1;
    if (found < 0) throw new Error(`internal: register ${reg} of ${fn.name} has no colour`);
    return found;
  };
  for (const block of fn.blocks) {
    block.insns = block.insns
      .map((insn) => mapRegisters(insn, color, color))
      .filter((insn) => !(isMove(insn) && insn.dst === insn.src));
    block.end = mapEnd(block.end, (insn) => mapRegisters(insn, color, color));
  }
}

function mapEnd(end: MEnd, map: (insn: MInsn) => MInsn): MEnd {
  return end.kind === "jump" ? end : { ...end, insn: map(end.insn) };
}

/** Registers that were coalesced share a slot: they hold the same wherever both are live. */
function spill(fn: MFunction, spilled: readonly Reg[], rootOf: (reg: Reg) => Reg, fixed: Set<Reg>): void {
  const slots = new Map<Reg, number>();
  for (const reg of spilled) {
    const root = rootOf(reg);
    const slot = slots.get(root) ?? fn.slots++;
    slots.set(root, slot);
    slots.set(reg, slot);
  }
  for (const block of fn.blocks) new SpillRewriter(fn, slots, fixed).rewrite(block);
}

class SpillRewriter {
  private readonly fn: MFunction;
  private readonly slots: ReadonlyMap<Reg, number>;
  private readonly fixed: Set<Reg>;
  private out: MInsn[] = [];
  /** What the instruction before this one left in registers. */
  private held = new Map<Reg, Reg>();

  constructor(fn: MFunction, slots: ReadonlyMap<Reg, number>, fixed: Set<Reg>) {
    this.fn = fn;
    this.slots = slots;
    this.fixed = fixed;
  }

  rewrite(block: MBlock): void {
    for (const insn of block.insns) this.rewriteInsn(insn);
    block.end = mapEnd(block.end, (insn) => this.replace(insn));
    block.insns = this.out;
  }

  private rewriteInsn(insn: MInsn): void {
    if (isMove(insn) && this.rewriteMove(insn)) return;
    const slot = this.slots.get(insn.dst);
    const constant = insn.code === (BPF_ALU64 | BPF_MOV | BPF_K);
    if (constant && slot !== undefined) {
      this.held.clear();
      this.out.push({ ...insn, code: BPF_ST | BPF_DW | BPF_MEM, dst: 0, off: 0, slot });
      return;
    }
    this.out.push(this.replace(insn));
    const defined = definitionOf(insn);
    if (this.slots.has(defined)) this.store(defined, this.held.get(defined) ?? defined, insn);
  }

  /** A move from or to a slot is the load or store itself. */
  private rewriteMove(insn: MInsn): boolean {
    const to = this.slots.get(insn.dst);
    const from = this.slots.get(insn.src);
    if (to === undefined && from === undefined) return false;
    if (to === from) return true;
    const held = this.held.get(insn.src);
    if (to === undefined) {
      if (held !== undefined) this.out.push({ ...insn, src: held });
      else this.load(insn.dst, insn.src, insn);
      this.held = new Map();
      return true;
    }
    if (from !== undefined && held === undefined) return false;
    const src = held ?? insn.src;
    this.store(insn.dst, src, insn);
    // Only a register of ours is known to stay as it is for the next instruction.
    this.held = held === undefined ? new Map() : new Map([[insn.src, held]]);
    return true;
  }

  /** The instruction with registers for the moment; loads go before it, the caller stores what it defines. */
  private replace(insn: MInsn): MInsn {
    const now = new Map<Reg, Reg>();
    forEachUse(insn, (reg) => {
      if (!this.slots.has(reg) || now.has(reg)) return;
      let temporary = this.held.get(reg);
      if (temporary === undefined) {
        temporary = this.temporary();
        this.load(temporary, reg, insn);
      }
      now.set(reg, temporary);
    });
    const defined = definitionOf(insn);
    if (this.slots.has(defined) && !now.has(defined)) now.set(defined, this.temporary());
    this.held = now;
    const to = (reg: Reg): Reg => now.get(reg) ?? reg;
    return mapRegisters(insn, to, to);
  }

  private temporary(): Reg {
    const reg = this.fn.registers++;
    this.fixed.add(reg);
    return reg;
  }

  private load(dst: Reg, spilled: Reg, { span }: MInsn): void {
    const slot = this.slots.get(spilled) ?? 0;
    this.out.push({ code: BPF_LDX | BPF_DW | BPF_MEM, dst, src: 0, off: 0, imm: 0, slot, span });
  }

  private store(spilled: Reg, src: Reg, { span }: MInsn): void {
    const slot = this.slots.get(spilled) ?? 0;
    this.out.push({ code: BPF_STX | BPF_DW | BPF_MEM, dst: 0, src, off: 0, imm: 0, slot, span });
  }
}
