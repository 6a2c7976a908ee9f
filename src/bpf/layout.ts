import { type MEnd, type MFunction, successors } from "./machine.js";

/** Blocks this much rarer than the entry go to the end. */
const cold = 0.1;

/**
 * The order in which blocks are laid out: each is followed by its likely successor if that is not placed yet and no
 * other block would rather fall into it. Unreachable blocks are left out: the verifier refuses them (check_cfg(), v6.18
 * kernel/bpf/verifier.c).
 */
export function layOutBlocks(fn: MFunction): readonly number[] {
  const { blocks } = fn;
  const frequency = (i: number): number => blocks[i]?.frequency ?? 0;
  const reachable = reachableBlocks(fn);
  const waiting = predecessorsOf(fn, reachable);
  const isCold = (i: number): boolean => frequency(i) < cold;
  const queue = [...reachable].sort((a, b) => Number(isCold(a)) - Number(isCold(b)) || a - b);
  const placed = new Set<number>();
  const order: number[] = [];
  let head = 0;
  for (;;) {
    while (head < queue.length && placed.has(queue[head] ?? 0)) head++;
    const start = queue[head];
    if (start === undefined) return order;
    for (let at: number | undefined = start; at !== undefined; ) {
      placed.add(at);
      order.push(at);
      const from: number = at;
      at = undefined;
      const end: MEnd | undefined = blocks[from]?.end;
      if (end === undefined) continue;
      let best = -1;
      for (const to of successors(end) as readonly number[]) {
        if (placed.has(to) || (isCold(to) && !isCold(from))) continue;
        // A block where ways meet waits for the ways that are as usual as this one.
        const others = waiting.get(to) ?? [];
        if (others.some((other) => !placed.has(other) && other < to && !isCold(other))) continue;
        if (frequency(to) > best) {
          best = frequency(to);
          at = to;
        }
      }
    }
  }
}

/** Leads jumps past blocks that have become empty: moves for an edge that turned out to be in place already. */
export function skipEmptyBlocks(fn: MFunction): void {
  const target = (from: number): number => {
    let at = from;
    for (let steps = 0; steps < fn.blocks.length; steps++) {
      const block = fn.blocks[at];
      if (block === undefined || block.insns.length > 0 || block.end.kind !== "jump") return at;
      at = block.end.to;
    }
    return from; // an empty endless loop
  };
  for (const block of fn.blocks) {
    const { end } = block;
    if (end.kind === "jump") block.end = { ...end, to: target(end.to) };
    else if (end.kind === "branch") block.end = { ...end, then: target(end.then), else: target(end.else) };
  }
}

function reachableBlocks(fn: MFunction): Set<number> {
  const seen = new Set<number>([0]);
  const work = [0];
  for (let i = work.pop(); i !== undefined; i = work.pop()) {
    const end = fn.blocks[i]?.end;
    if (end === undefined) continue;
    for (const to of successors(end)) {
      if (seen.has(to)) continue;
      seen.add(to);
      work.push(to);
    }
  }
  return seen;
}

function predecessorsOf(fn: MFunction, reachable: ReadonlySet<number>): ReadonlyMap<number, readonly number[]> {
  const predecessors = new Map<number, number[]>();
  for (const i of reachable) {
    const end = fn.blocks[i]?.end;
    if (end === undefined) continue;
    for (const to of successors(end)) {
      const list = predecessors.get(to);
      if (list === undefined) predecessors.set(to, [i]);
      else list.push(i);
    }
  }
  return predecessors;
}
