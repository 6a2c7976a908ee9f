import { type MFunction, successors } from "./machine.js";

export interface Accesses {
  /** Calls `use` for what block `block` reads before it writes it, and `define` for all that it writes. */
  summarize(block: number, use: (variable: number) => void, define: (variable: number) => void): void;
}

/**
 * Which variables are live at each block's end. Walks up from each use to the definitions, so the work is in proportion to
 * the answer: B. Boissinot and others, "Computing Liveness Sets for SSA-Form Programs", 2011 (the set-based exploration;
 * it does not need SSA).
 */
export function liveOut(fn: MFunction, accesses: Accesses): readonly Set<number>[] {
  const predecessors: number[][] = fn.blocks.map(() => []);
  fn.blocks.forEach((block, i) => {
    for (const to of successors(block.end)) predecessors[to]?.push(i);
  });
  const live: Set<number>[] = fn.blocks.map(() => new Set());
  const defined: Set<number>[] = fn.blocks.map(() => new Set());
  const liveIn: Set<number>[] = fn.blocks.map(() => new Set());
  const work: (readonly [block: number, variable: number])[] = [];
  fn.blocks.forEach((_, i) => {
    accesses.summarize(
      i,
      (variable) => {
        if (defined[i]?.has(variable) || liveIn[i]?.has(variable)) return;
        liveIn[i]?.add(variable);
        work.push([i, variable]);
      },
      (variable) => defined[i]?.add(variable),
    );
  });
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const [block, variable] = item;
    for (const pred of predecessors[block] ?? []) {
      const out = live[pred];
      if (out === undefined || out.has(variable)) continue;
      out.add(variable);
      if (defined[pred]?.has(variable) || liveIn[pred]?.has(variable)) continue;
      liveIn[pred]?.add(variable);
      work.push([pred, variable]);
    }
  }
  return live;
}
