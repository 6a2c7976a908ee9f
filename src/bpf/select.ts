import { BPF_EXIT, BPF_JMP } from "../abi/bpf-insn.js";
import { dominatorsOf, graphOf, loopDepths } from "../ir/graph.js";
import type { Block, BlockId, Edge, IrFunction, Value } from "../ir/ir.js";
import { negated } from "../ir/ops.js";
import type { MBlock, MEnd, MFunction, MInsn, Reg } from "./machine.js";
import { SelectContext, type SelectOptions } from "./select-context.js";
import { condition, markFused, markTested, selectInstr } from "./select-instr.js";

/** How much of the flow goes the way that is not likely. */
const unlikely = 1 / 32;
/** How often a loop is taken to run. */
const loopRuns = 8;

/** Chooses machine instructions on virtual registers for a function; blocks stand in reverse postorder. */
export function select(fn: IrFunction, options: SelectOptions): MFunction {
  const graph = graphOf(fn);
  const frequency = frequencies(graph);
  const c = new SelectContext(fn, options);
  for (const block of graph.order) {
    for (const instr of block.instrs) markFused(c, instr);
    if (block.end.op === "branch") markTested(c, block.end.cmp, block.end.a, block.end.b);
  }
  const params = new Map<BlockId, readonly Value[]>(graph.order.map((block) => [block.id, block.params]));
  const blocks: MBlock[] = [];
  const splits: MBlock[] = [];
  const indexOf = (id: BlockId): number => graph.position(id) ?? 0;

  /** Where a branch's edge leads: to its block, or to a new one that first hands over the arguments. */
  const edgeTarget = (edge: Edge, share: number): number => {
    if (edge.args.length === 0) return indexOf(edge.block);
    const outer = c.insns;
    c.startBlock();
    moveArguments(c, params.get(edge.block) ?? [], edge.args);
    splits.push({ insns: c.insns, end: { kind: "jump", to: indexOf(edge.block), span: c.span }, frequency: share });
    c.insns = outer;
    return graph.order.length + splits.length - 1;
  };

  graph.order.forEach((block, i) => {
    c.startBlock();
    c.span = undefined;
    if (i === 0) c.emitEntry();
    for (const instr of block.instrs) selectInstr(c, instr);
    const share = frequency[i] ?? 1;
    const end = selectEnd(c, block, share, params, indexOf, edgeTarget);
    blocks.push({ insns: c.insns, end, frequency: share });
  });
  return { name: fn.name, blocks: [...blocks, ...splits], registers: c.nextRegister, slots: slotCount(fn) };
}

const slotCount = (fn: IrFunction): number => fn.slots.reduce((most, slot) => Math.max(most, slot.id + 1), 0);

function selectEnd(
  c: SelectContext,
  block: Block,
  share: number,
  params: ReadonlyMap<BlockId, readonly Value[]>,
  indexOf: (id: BlockId) => number,
  edgeTarget: (edge: Edge, share: number) => number,
): MEnd {
  const { end } = block;
  c.span = end.span;
  if (end.op === "ret") {
    c.load(end.value, 0);
    const insn: MInsn = { code: BPF_JMP | BPF_EXIT, dst: 0, src: 0, off: 0, imm: 0, span: end.span };
    return { kind: "exit", insn };
  }
  if (end.op === "jump") {
    moveArguments(c, params.get(end.to.block) ?? [], end.to.args);
    return { kind: "jump", to: indexOf(end.to.block), span: end.span };
  }
  // JSET has no counterpart for "no bit set", so an `eq` on a mask is turned round.
  const turned = end.cmp === "eq" && c.fused.has(end.a);
  const insn = condition(c, turned ? negated[end.cmp] : end.cmp, end.a, end.b);
  const likelyShare = end.likely === undefined ? 0.5 : 1 - unlikely;
  const thenShare = end.likely === "else" ? 1 - likelyShare : likelyShare;
  const thenTarget = edgeTarget(end.then, share * thenShare);
  const elseTarget = edgeTarget(end.else, share * (1 - thenShare));
  return turned
    ? { kind: "branch", insn, then: elseTarget, else: thenTarget }
    : { kind: "branch", insn, then: thenTarget, else: elseTarget };
}

/**
 * Gives each parameter its argument, all at once: a move waits until nobody needs what it overwrites, and a cycle is
 * opened with one more register. Arguments made on the spot (constants, addresses) come last, they need nothing.
 */
function moveArguments(c: SelectContext, params: readonly Value[], args: readonly Value[]): void {
  const made: { readonly to: Reg; readonly value: Value }[] = [];
  const pending = new Map<Reg, Reg>();
  params.forEach((param, i) => {
    const arg = args[i];
    if (arg === undefined) throw new Error("internal: an edge lacks an argument");
    const to = c.registerFor(param);
    if (c.rematerialized(arg)) made.push({ to, value: arg });
    else if (to !== c.registerFor(arg)) pending.set(to, c.registerFor(arg));
  });
  while (pending.size > 0) {
    const needed = new Set(pending.values());
    const free = [...pending.keys()].filter((to) => !needed.has(to));
    for (const to of free) {
      c.move(to, pending.get(to) ?? to);
      pending.delete(to);
    }
    if (free.length > 0) continue;
    const [first] = pending.keys();
    if (first === undefined) break;
    const saved = c.newRegister();
    c.move(saved, first);
    for (const [to, from] of pending) if (from === first) pending.set(to, saved);
  }
  for (const { to, value } of made) c.load(value, to);
}

/** By position: the share of the entry's flow that comes through, loops taken as running {@link loopRuns} times. */
function frequencies(graph: ReturnType<typeof graphOf>): readonly number[] {
  const depths = loopDepths(graph, dominatorsOf(graph));
  const flow: number[] = graph.order.map((_, i) => (i === 0 ? 1 : 0));
  const add = (id: BlockId, from: number, share: number): void => {
    const to = graph.position(id) ?? 0;
    if (to > from) flow[to] = Math.min(1, (flow[to] ?? 0) + share);
  };
  graph.order.forEach((block, i) => {
    const { end } = block;
    const share = flow[i] ?? 0;
    if (end.op === "jump") add(end.to.block, i, share);
    if (end.op !== "branch") return;
    const likelyShare = end.likely === undefined ? 0.5 : 1 - unlikely;
    const thenShare = end.likely === "else" ? 1 - likelyShare : likelyShare;
    add(end.then.block, i, share * thenShare);
    add(end.else.block, i, share * (1 - thenShare));
  });
  return flow.map((share, i) => Math.max(share, 1e-6) * loopRuns ** Math.min(4, depths[i] ?? 0));
}
