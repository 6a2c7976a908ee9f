import { type Graph, graphOf } from "./graph.js";
import type { IrFunction, SlotId } from "./ir.js";
import { accessesOf, byteMask, type SlotAccess, type SlotPointers, slotPointersOf } from "./slot-access.js";

/** Bytes of each slot (as bits) that may be read before they are written again. */
export type LiveBytes = Map<SlotId, bigint>;

export interface SlotLiveness {
  readonly graph: Graph;
  readonly slots: SlotPointers;
  /** By block position. */
  readonly liveOut: readonly LiveBytes[];
}

/** The live bytes before an instruction, from those after it. */
export function stepBack(live: LiveBytes, accesses: readonly SlotAccess[]): void {
  for (const { slot, kind, start, end } of accesses) {
    if (kind !== "write") continue;
    const left = (live.get(slot) ?? 0n) & ~byteMask(start, end);
    if (left === 0n) live.delete(slot);
    else live.set(slot, left);
  }
  for (const { slot, kind, start, end } of accesses) {
    if (kind === "read") live.set(slot, (live.get(slot) ?? 0n) | byteMask(start, end));
  }
}

/** Byte by byte, which slots are still needed at the end of each block. */
export function slotLiveness(fn: IrFunction): SlotLiveness {
  const graph = graphOf(fn);
  const slots = slotPointersOf(fn);
  // Per block and slot: what it reads before writing it, and what it writes.
  const reads: LiveBytes[] = [];
  const writes: LiveBytes[] = [];
  const work: (readonly [block: number, slot: SlotId, bytes: bigint])[] = [];
  graph.order.forEach((block, b) => {
    const gen: LiveBytes = new Map();
    const kill: LiveBytes = new Map();
    for (let i = block.instrs.length - 1; i >= 0; i--) {
      const instr = block.instrs[i];
      if (instr === undefined) continue;
      const accesses = accessesOf(instr, slots);
      stepBack(gen, accesses);
      for (const { slot, kind, start, end } of accesses) {
        if (kind === "write") kill.set(slot, (kill.get(slot) ?? 0n) | byteMask(start, end));
      }
    }
    reads.push(gen);
    writes.push(kill);
    for (const [slot, bytes] of gen) work.push([b, slot, bytes]);
  });
  const liveOut: LiveBytes[] = graph.order.map(() => new Map());
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const [block, slot, bytes] = item;
    for (const pred of graph.predecessors[block] ?? []) {
      const out = liveOut[pred];
      const before = out?.get(slot) ?? 0n;
      const fresh = bytes & ~before;
      if (fresh === 0n || out === undefined) continue;
      out.set(slot, before | fresh);
      const through = fresh & ~(writes[pred]?.get(slot) ?? 0n) & ~(reads[pred]?.get(slot) ?? 0n);
      if (through !== 0n) work.push([pred, slot, through]);
    }
  }
  return { graph, slots, liveOut };
}

/** Pairs of slots that hold something at the same time, `a * most + b` with a < b. */
export class SlotConflicts {
  private readonly pairs = new Set<number>();
  private readonly escaped: ReadonlySet<SlotId>;

  constructor(fn: IrFunction) {
    const { graph, slots, liveOut } = slotLiveness(fn);
    this.escaped = slots.escaped;
    const touchedIn = touchedBefore(graph, slots);
    graph.order.forEach((block, b) => {
      const accesses = block.instrs.map((instr) => accessesOf(instr, slots));
      const first = new Map<SlotId, number>();
      accesses.forEach((list, i) => {
        for (const { slot } of list) if (!first.has(slot)) first.set(slot, i);
      });
      const live: LiveBytes = new Map(liveOut[b]);
      for (let i = accesses.length - 1; i >= 0; i--) {
        const list = accesses[i] ?? [];
        for (const { slot } of list) {
          for (const { slot: other } of list) this.add(slot, other);
          for (const other of live.keys()) {
            // What nothing has touched yet holds nothing, however much of it is read later.
            if (touchedIn[b]?.has(other) || (first.get(other) ?? i) < i) this.add(slot, other);
          }
        }
        stepBack(live, list);
      }
    });
  }

  private add(a: SlotId, b: SlotId): void {
    if (a !== b) this.pairs.add(Math.min(a, b) * 2 ** 20 + Math.max(a, b));
  }

  has(a: SlotId, b: SlotId): boolean {
    if (this.escaped.has(a) || this.escaped.has(b)) return true;
    return this.pairs.has(Math.min(a, b) * 2 ** 20 + Math.max(a, b));
  }
}

/** By block position: slots that something on some way to the block has accessed. */
function touchedBefore(graph: Graph, slots: SlotPointers): readonly BitSet[] {
  const own = graph.order.map((block) => {
    const set = new BitSet();
    for (const instr of block.instrs) for (const { slot } of accessesOf(instr, slots)) set.add(slot);
    return set;
  });
  const before = graph.order.map(() => new BitSet());
  for (let changed = true; changed; ) {
    changed = false;
    before.forEach((set, b) => {
      for (const pred of graph.predecessors[b] ?? []) {
        const more = set.addAll(before[pred]);
        if (set.addAll(own[pred]) || more) changed = true;
      }
    });
  }
  return before;
}

class BitSet {
  private words: number[] = [];

  has(n: number): boolean {
    return (((this.words[n >>> 5] ?? 0) >>> (n & 31)) & 1) === 1;
  }

  add(n: number): void {
    const word = n >>> 5;
    while (this.words.length <= word) this.words.push(0);
    this.words[word] = (this.words[word] ?? 0) | (1 << (n & 31));
  }

  /** Answers whether that added anything. */
  addAll(other: BitSet | undefined): boolean {
    if (other === undefined) return false;
    let changed = false;
    while (this.words.length < other.words.length) this.words.push(0);
    other.words.forEach((word, i) => {
      const merged = (this.words[i] ?? 0) | word;
      if (merged !== this.words[i]) changed = true;
      this.words[i] = merged;
    });
    return changed;
  }
}
