import { BPF_JEQ, BPF_JNE } from "../abi/bpf-insn.js";
import { liveOut } from "./liveness.js";
import {
  definitionOf,
  firstVirtual,
  forEachUse,
  isCall,
  isMove,
  isRemovable,
  type MBlock,
  type MFunction,
  type MInsn,
  type Reg,
} from "./machine.js";

/** A move between registers that might become one. */
export interface Move {
  readonly dst: Reg;
  readonly src: Reg;
  readonly frequency: number;
}

/** Registers up to which a matrix of bits is used: 32 MiB of them. */
const mostForBits = 16384;

/** Which registers are needed at the same time. Nodes are r0 to r9 and the virtual registers. */
export class Interference {
  readonly size: number;
  readonly moves: Move[] = [];
  /** Neighbours of each virtual register. */
  readonly neighbours: Reg[][];
  /** Uses and definitions of each register, weighted by how often they run. */
  readonly weight: Float64Array;
  /** A bit a pair; functions of so many registers that it would be too large have a set instead. */
  private readonly bits: Uint32Array | undefined;
  private readonly pairs = new Set<number>();

  constructor(size: number) {
    this.size = size;
    if (size <= mostForBits) this.bits = new Uint32Array(Math.ceil((size * size) / 32));
    this.neighbours = Array.from({ length: size }, () => []);
    this.weight = new Float64Array(size);
  }

  has(a: Reg, b: Reg): boolean {
    const key = a < b ? a * this.size + b : b * this.size + a;
    if (this.bits === undefined) return this.pairs.has(key);
    return (((this.bits[key >>> 5] ?? 0) >>> (key & 31)) & 1) !== 0;
  }

  add(a: Reg, b: Reg): void {
    if (a === b) return;
    const key = a < b ? a * this.size + b : b * this.size + a;
    if (this.bits !== undefined) {
      const [word, bit] = [key >>> 5, 1 << (key & 31)];
      const before = this.bits[word] ?? 0;
      if ((before & bit) !== 0) return;
      this.bits[word] = before | bit;
    } else {
      if (this.pairs.has(key)) return;
      this.pairs.add(key);
    }
    if (a >= firstVirtual) this.neighbours[a]?.push(b);
    if (b >= firstVirtual) this.neighbours[b]?.push(a);
  }
}

/** Registers that are live at each block's end. */
export function registersLiveOut(fn: MFunction): readonly Set<Reg>[] {
  return liveOut(fn, {
    summarize(index, use, define) {
      const block = fn.blocks[index];
      if (block === undefined) return;
      const visit = (insn: MInsn): void => {
        forEachUse(insn, (reg) => {
          if (reg >= firstVirtual) use(reg);
        });
        const defined = definitionOf(insn);
        if (defined >= firstVirtual) define(defined);
      };
      block.insns.forEach(visit);
      if (block.end.kind !== "jump") visit(block.end.insn);
    },
  });
}

/** Drops instructions whose result nobody reads; answers whether there was one. */
export function removeDead(fn: MFunction, live: readonly Set<Reg>[]): boolean {
  let removed = false;
  fn.blocks.forEach((block, i) => {
    const now = new Set(live[i]);
    if (block.end.kind !== "jump") forEachUse(block.end.insn, (reg) => now.add(reg));
    const kept: MInsn[] = [];
    for (let j = block.insns.length - 1; j >= 0; j--) {
      const insn = block.insns[j];
      if (insn === undefined) continue;
      const defined = definitionOf(insn);
      if (defined >= 0 && !now.has(defined) && isRemovable(insn)) {
        removed = true;
        continue;
      }
      now.delete(defined);
      forEachUse(insn, (reg) => now.add(reg));
      kept.push(insn);
    }
    if (kept.length !== block.insns.length) block.insns = kept.reverse();
  });
  return removed;
}

export function interferenceOf(fn: MFunction, live: readonly Set<Reg>[]): Interference {
  const graph = new Interference(fn.registers);
  fn.blocks.forEach((block, i) => {
    scanBlock(graph, block, new Set(live[i]));
  });
  return graph;
}

function scanBlock(graph: Interference, block: MBlock, live: Set<Reg>): void {
  const { frequency } = block;
  const use = (reg: Reg): void => {
    live.add(reg);
    graph.weight[reg] = (graph.weight[reg] ?? 0) + frequency;
  };
  if (block.end.kind !== "jump") forEachUse(block.end.insn, use);
  if (block.end.kind === "branch") keepBounds(graph, block.end.insn, frequency);
  for (let j = block.insns.length - 1; j >= 0; j--) {
    const insn = block.insns[j];
    if (insn === undefined) continue;
    if (isMove(insn)) {
      // The source may share the target's register: they hold the same.
      live.delete(insn.src);
      graph.moves.push({ dst: insn.dst, src: insn.src, frequency });
    }
    if (isCall(insn)) {
      live.delete(0);
      for (let reg = 0; reg <= 5; reg++) for (const other of live) graph.add(reg, other);
      for (let reg = 1; reg <= 5; reg++) live.delete(reg);
    } else {
      const defined = definitionOf(insn);
      if (defined >= 0) {
        for (const other of live) graph.add(defined, other);
        live.delete(defined);
        graph.weight[defined] = (graph.weight[defined] ?? 0) + frequency;
      }
    }
    forEachUse(insn, use);
  }
}

/**
 * Older verifiers forget, when a number is loaded from the stack again, what a comparison of another copy told (scalar ids
 * survive a spill since v6.8). So what is compared for its size had better stay in a register.
 */
function keepBounds(graph: Interference, insn: MInsn, frequency: number): void {
  const operation = insn.code & 0xf0;
  if (operation === BPF_JEQ || operation === BPF_JNE) return;
  forEachUse(insn, (reg) => {
    graph.weight[reg] = (graph.weight[reg] ?? 0) + 16 * frequency;
  });
}
