import type { Interference, Move } from "./interference.js";
import { firstVirtual, type Reg } from "./machine.js";

/** Registers free for use: r0 to r9. */
const allRegisters: readonly Reg[] = [1, 2, 3, 4, 5, 0, 6, 7, 8, 9];

export interface Coloring {
  /** The register of each virtual register; -1 where it must be spilled. */
  readonly colors: Int8Array;
  readonly spilled: readonly Reg[];
  /** The register that stands for those that were made one with it. */
  rootOf(reg: Reg): Reg;
}

const status = { none: 0, simplify: 1, freeze: 2, spill: 3, stacked: 4, coalesced: 5 } as const;

/**
 * Colours the graph: L. George and A. Appel, "Iterated Register Coalescing", 1996. Moves are undone where that cannot
 * cost a spill; what has no colour is spilled, the least used per neighbour first. `fixed` registers (they hold what was
 * spilled, for one instruction) are never chosen.
 */
export function colorGraph(graph: Interference, fixed: ReadonlySet<Reg>, limit = allRegisters.length): Coloring {
  return new Colorer(graph, fixed, limit).run();
}

class Colorer {
  private readonly graph: Interference;
  private readonly fixed: ReadonlySet<Reg>;
  private readonly registers: readonly Reg[];
  private readonly degree: Int32Array;
  private readonly state: Uint8Array;
  private readonly alias: Int32Array;
  private readonly moveList: Move[][];
  private readonly simplifyWork: Reg[] = [];
  private readonly freezeWork: Reg[] = [];
  private readonly spillWork = new Set<Reg>();
  private readonly stack: Reg[] = [];
  /** Moves to look at, the most frequent last. */
  private pendingMoves: Move[];
  private readonly activeMoves = new Set<Move>();
  private readonly pending = new Set<Move>();

  constructor(graph: Interference, fixed: ReadonlySet<Reg>, limit: number) {
    const { size } = graph;
    this.graph = graph;
    this.fixed = fixed;
    // Fewer registers (tests of spilling) take away the last ones that calls preserve and the first that they do not.
    this.registers = limit >= allRegisters.length ? allRegisters : [...allRegisters.slice(0, limit)];
    this.degree = new Int32Array(size);
    this.state = new Uint8Array(size);
    this.alias = new Int32Array(size).map((_, i) => i);
    this.moveList = Array.from({ length: size }, () => []);
    this.pendingMoves = graph.moves
      .filter((move) => move.dst !== move.src && move.dst !== 10 && move.src !== 10)
      .sort((a, b) => a.frequency - b.frequency);
    for (const move of this.pendingMoves) {
      this.pending.add(move);
      this.moveList[move.dst]?.push(move);
      this.moveList[move.src]?.push(move);
    }
  }

  run(): Coloring {
    const { size } = this.graph;
    for (let reg = firstVirtual; reg < size; reg++) {
      this.degree[reg] = this.graph.neighbours[reg]?.length ?? 0;
      this.classify(reg);
    }
    for (;;) {
      const simple = this.simplifyWork.pop();
      if (simple !== undefined) {
        if (this.state[simple] === status.simplify) this.simplify(simple);
        continue;
      }
      const move = this.pendingMoves.pop();
      if (move !== undefined) {
        if (this.pending.delete(move)) this.coalesce(move);
        continue;
      }
      const frozen = this.freezeWork.pop();
      if (frozen !== undefined) {
        if (this.state[frozen] === status.freeze) this.freeze(frozen);
        continue;
      }
      if (this.spillWork.size === 0) break;
      this.selectSpill();
    }
    return this.assign();
  }

  private get k(): number {
    return this.registers.length;
  }

  private degreeOf(reg: Reg): number {
    return reg < firstVirtual ? Number.POSITIVE_INFINITY : (this.degree[reg] ?? 0);
  }

  private moveRelated(reg: Reg): boolean {
    return (this.moveList[reg] ?? []).some((move) => this.pending.has(move) || this.activeMoves.has(move));
  }

  private classify(reg: Reg): void {
    if (this.degreeOf(reg) >= this.k) {
      this.state[reg] = status.spill;
      this.spillWork.add(reg);
    } else if (this.moveRelated(reg)) {
      this.state[reg] = status.freeze;
      this.freezeWork.push(reg);
    } else {
      this.state[reg] = status.simplify;
      this.simplifyWork.push(reg);
    }
  }

  private adjacent(reg: Reg): readonly Reg[] {
    const found: Reg[] = [];
    for (const other of this.graph.neighbours[reg] ?? []) {
      const state = this.state[other];
      if (state !== status.stacked && state !== status.coalesced) found.push(other);
    }
    return found;
  }

  private find(reg: Reg): Reg {
    let root = reg;
    while (this.state[root] === status.coalesced) root = this.alias[root] ?? root;
    // The next one to ask gets there at once.
    if (root !== reg) this.alias[reg] = root;
    return root;
  }

  private simplify(reg: Reg): void {
    this.state[reg] = status.stacked;
    this.stack.push(reg);
    for (const other of this.adjacent(reg)) this.decrementDegree(other);
  }

  private decrementDegree(reg: Reg): void {
    if (reg < firstVirtual) return;
    const before = this.degree[reg] ?? 0;
    this.degree[reg] = before - 1;
    if (before !== this.k) return;
    // It has become easy to colour, so moves around it may now be safe to undo.
    this.enableMoves(reg);
    for (const other of this.adjacent(reg)) this.enableMoves(other);
    if (this.state[reg] !== status.spill) return;
    this.spillWork.delete(reg);
    this.classify(reg);
  }

  private enableMoves(reg: Reg): void {
    // Whether a move to a machine register is safe depends on its other side only, which is asked itself.
    if (reg < firstVirtual) return;
    for (const move of this.moveList[reg] ?? []) {
      if (!this.activeMoves.delete(move)) continue;
      this.pending.add(move);
      this.pendingMoves.push(move);
    }
  }

  private coalesce(move: Move): void {
    let into = this.find(move.dst);
    let gone = this.find(move.src);
    if (gone < firstVirtual) [into, gone] = [gone, into];
    if (into === gone) {
      this.leaveMoves(into);
      return;
    }
    if (gone < firstVirtual || this.graph.has(into, gone) || !this.usable(into)) {
      this.leaveMoves(into);
      this.leaveMoves(gone);
      return;
    }
    const safe = into < firstVirtual ? this.fitsBeside(into, gone) : this.staysEasy(into, gone);
    if (!safe) {
      this.activeMoves.add(move);
      return;
    }
    this.combine(into, gone);
    this.leaveMoves(into);
  }

  private usable(reg: Reg): boolean {
    return reg >= firstVirtual || this.registers.includes(reg);
  }

  /** A register that has no moves left and few neighbours can be simplified. */
  private leaveMoves(reg: Reg): void {
    if (reg < firstVirtual || this.state[reg] !== status.freeze) return;
    if (!this.moveRelated(reg) && this.degreeOf(reg) < this.k) {
      this.state[reg] = status.simplify;
      this.simplifyWork.push(reg);
    }
  }

  /** George's test, for a machine register. */
  private fitsBeside(into: Reg, gone: Reg): boolean {
    for (const other of this.adjacent(gone)) {
      const harmless = other < firstVirtual || this.degreeOf(other) < this.k || this.graph.has(other, into);
      if (!harmless) return false;
    }
    return true;
  }

  /** Briggs's test: fewer than k neighbours of the union are hard to colour. */
  private staysEasy(a: Reg, b: Reg): boolean {
    let hard = 0;
    for (const reg of [a, b]) {
      for (const other of this.adjacent(reg)) {
        const common = this.graph.has(other, a) && this.graph.has(other, b);
        if (common && reg === b) continue; // counted as a neighbour of a
        if (this.degreeOf(other) - (common ? 1 : 0) >= this.k && ++hard >= this.k) return false;
      }
    }
    return true;
  }

  private combine(into: Reg, gone: Reg): void {
    this.spillWork.delete(gone);
    this.state[gone] = status.coalesced;
    this.alias[gone] = into;
    const moves = this.moveList[into];
    if (moves !== undefined) for (const move of this.moveList[gone] ?? []) moves.push(move);
    this.graph.weight[into] = (this.graph.weight[into] ?? 0) + (this.graph.weight[gone] ?? 0);
    this.enableMoves(gone);
    for (const other of this.adjacent(gone)) {
      if (this.graph.has(other, into)) {
        this.decrementDegree(other);
        continue;
      }
      this.graph.add(other, into);
      if (into >= firstVirtual) this.degree[into] = (this.degree[into] ?? 0) + 1;
    }
    if (into >= firstVirtual && this.degreeOf(into) >= this.k && this.state[into] === status.freeze) {
      this.state[into] = status.spill;
      this.spillWork.add(into);
    }
  }

  private freeze(reg: Reg): void {
    this.state[reg] = status.simplify;
    this.simplifyWork.push(reg);
    this.freezeMoves(reg);
  }

  private freezeMoves(reg: Reg): void {
    for (const move of this.moveList[reg] ?? []) {
      if (!this.activeMoves.delete(move) && !this.pending.delete(move)) continue;
      const dst = this.find(move.dst);
      this.leaveMoves(dst === this.find(reg) ? this.find(move.src) : dst);
    }
  }

  private selectSpill(): void {
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    for (const reg of this.spillWork) {
      const cost = this.fixed.has(reg) ? Number.MAX_VALUE : (this.graph.weight[reg] ?? 0) / this.degreeOf(reg);
      if (cost < bestCost || best < 0) {
        best = reg;
        bestCost = cost;
      }
    }
    this.spillWork.delete(best);
    this.state[best] = status.simplify;
    this.simplifyWork.push(best);
    this.freezeMoves(best);
  }

  private assign(): Coloring {
    const { size } = this.graph;
    const colors = new Int8Array(size).fill(-1);
    for (let reg = 0; reg < firstVirtual; reg++) colors[reg] = reg;
    const spilled = new Set<Reg>();
    for (let reg = this.stack.pop(); reg !== undefined; reg = this.stack.pop()) {
      let taken = 0;
      for (const other of this.graph.neighbours[reg] ?? []) {
        const color = colors[this.find(other)] ?? -1;
        if (color >= 0) taken |= 1 << color;
      }
      const color = this.choose(reg, taken, colors);
      if (color === undefined) spilled.add(reg);
      else colors[reg] = color;
    }
    const all: Reg[] = [];
    for (let reg = firstVirtual; reg < size; reg++) {
      const root = this.find(reg);
      if (root !== reg) colors[reg] = colors[root] ?? -1;
      if (spilled.has(root)) all.push(reg);
    }
    return { colors, spilled: all, rootOf: (reg) => this.find(reg) };
  }

  /** A free register, one that makes a left-over move a no-op if there is one. */
  private choose(reg: Reg, taken: number, colors: Int8Array): number | undefined {
    for (const move of this.moveList[reg] ?? []) {
      const dst = this.find(move.dst);
      const color = colors[dst === reg ? this.find(move.src) : dst] ?? -1;
      if (color >= 0 && color < firstVirtual && this.registers.includes(color) && (taken & (1 << color)) === 0)
        return color;
    }
    return this.registers.find((color) => (taken & (1 << color)) === 0);
  }
}
