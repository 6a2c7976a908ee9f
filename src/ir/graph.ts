import type { Block, BlockId, Edge, IrFunction, Terminator } from "./ir.js";

/** The edges that leave a block. */
export function edgesOf(end: Terminator): readonly Edge[] {
  if (end.op === "jump") return [end.to];
  return end.op === "branch" ? [end.then, end.else] : [];
}

/** The flow graph of a function: its reachable blocks in reverse postorder, and who comes before and above whom. */
export interface Graph {
  /** Reverse postorder; `[0]` is the entry. The likely way of a branch comes first. */
  readonly order: readonly Block[];
  /** Position in `order`; undefined for an unreachable block. */
  position(id: BlockId): number | undefined;
  /** By position: positions of the blocks with an edge to it, one entry per edge. */
  readonly predecessors: readonly (readonly number[])[];
}

export function graphOf(fn: IrFunction): Graph {
  const byId: (Block | undefined)[] = [];
  for (const block of fn.blocks) byId[block.id] = block;
  const entry = fn.blocks[0];
  if (entry === undefined) throw new Error(`internal: function ${fn.name} has no block`);
  const postorder: Block[] = [];
  const seen = new Uint8Array(byId.length);
  seen[entry.id] = 1;
  const stack: { block: Block; next: Edge[] }[] = [{ block: entry, next: visitOrder(entry.end) }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const edge = top.next.pop();
    if (edge === undefined) {
      postorder.push(top.block);
      stack.pop();
      continue;
    }
    if (seen[edge.block] === 1) continue;
    seen[edge.block] = 1;
    const block = byId[edge.block];
    if (block === undefined) throw new Error(`internal: function ${fn.name} jumps to b${edge.block}, which it has not`);
    stack.push({ block, next: visitOrder(block.end) });
  }
  const order = postorder.reverse();
  const positions = new Int32Array(byId.length).fill(-1);
  order.forEach((block, i) => {
    positions[block.id] = i;
  });
  const predecessors: number[][] = order.map(() => []);
  order.forEach((block, i) => {
    for (const edge of edgesOf(block.end)) predecessors[positions[edge.block] ?? -1]?.push(i);
  });
  const position = (id: BlockId): number | undefined => {
    const at = positions[id] ?? -1;
    return at < 0 ? undefined : at;
  };
  return { order, position, predecessors };
}

/** Edges as a stack: what is popped last ends up nearest behind the block in reverse postorder. */
function visitOrder(end: Terminator): Edge[] {
  if (end.op !== "branch") return [...edgesOf(end)];
  return end.likely === "else" ? [end.else, end.then] : [end.then, end.else];
}

/**
 * Immediate dominators by position (the entry's is itself): K. Cooper, T. Harvey, K. Kennedy, "A Simple, Fast Dominance
 * Algorithm", 2001.
 */
export function dominatorsOf(graph: Graph): readonly number[] {
  const idom: number[] = graph.order.map((_, i) => (i === 0 ? 0 : -1));
  const at = (i: number): number => idom[i] ?? 0;
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (a > b) a = at(a);
      while (b > a) b = at(b);
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 1; i < idom.length; i++) {
      let best = -1;
      for (const pred of graph.predecessors[i] ?? []) {
        if (at(pred) < 0) continue;
        best = best < 0 ? pred : meet(best, pred);
      }
      if (best >= 0 && idom[i] !== best) {
        idom[i] = best;
        changed = true;
      }
    }
  }
  return idom;
}

/** Entry and exit times of a walk over the dominator tree: `a` dominates `b` iff `b`'s interval lies in `a`'s. */
export function dominance(idom: readonly number[]): (a: number, b: number) => boolean {
  const { enter, leave } = dominatorWalk(idom);
  return (a, b) => (enter[a] ?? 0) <= (enter[b] ?? 0) && (leave[b] ?? 0) <= (leave[a] ?? 0);
}

/** Children in the dominator tree, by position. */
export function dominatorChildren(idom: readonly number[]): readonly (readonly number[])[] {
  const children: number[][] = idom.map(() => []);
  for (let i = 1; i < idom.length; i++) children[idom[i] ?? 0]?.push(i);
  return children;
}

function dominatorWalk(idom: readonly number[]): { enter: readonly number[]; leave: readonly number[] } {
  const children = dominatorChildren(idom);
  const enter = idom.map(() => 0);
  const leave = idom.map(() => 0);
  let clock = 0;
  const stack: { node: number; next: number }[] = [{ node: 0, next: 0 }];
  enter[0] = clock++;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const child = children[top.node]?.[top.next++];
    if (child === undefined) {
      leave[top.node] = clock++;
      stack.pop();
    } else {
      enter[child] = clock++;
      stack.push({ node: child, next: 0 });
    }
  }
  return { enter, leave };
}

/** Loop depth by position: how many natural loops a block lies in. */
export function loopDepths(graph: Graph, idom: readonly number[]): readonly number[] {
  const dominates = dominance(idom);
  const depth = graph.order.map(() => 0);
  const headers = new Map<number, number[]>();
  graph.predecessors.forEach((preds, header) => {
    for (const pred of preds) {
      if (pred >= header && dominates(header, pred)) headers.set(header, [...(headers.get(header) ?? []), pred]);
    }
  });
  for (const [header, tails] of headers) {
    const body = new Set<number>([header]);
    const work = [...tails];
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      if (body.has(node)) continue;
      body.add(node);
      work.push(...(graph.predecessors[node] ?? []));
    }
    for (const node of body) depth[node] = (depth[node] ?? 0) + 1;
  }
  return depth;
}
