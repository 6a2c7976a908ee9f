import {
  BPF_ADD,
  BPF_ALU64,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_K,
  BPF_LDX,
  BPF_MOV,
  BPF_X,
  frameRegister,
  loadImm64,
} from "../abi/bpf-insn.js";
import type { Frame } from "./frame.js";
import { layOutBlocks, skipEmptyBlocks } from "./layout.js";
import { loadAddress, type MFunction, type MInsn } from "./machine.js";
import type { SelectOptions } from "./select-context.js";

/** An instruction with machine registers and offsets; jumps know their distance. */
export type FlatInsn = Omit<MInsn, "slot" | "result">;

/** A flat instruction or a jump that still wants its distance. */
interface Item {
  readonly insn: FlatInsn;
  /** Block that it jumps to, or an island by its negative number. */
  target: number | undefined;
  /** Unconditional with a 32-bit distance (BPF_JMP32 | BPF_JA, cpu v4). */
  far?: boolean;
}

const opposite: ReadonlyMap<number, number> = new Map([
  [BPF_JEQ, BPF_JNE],
  [BPF_JNE, BPF_JEQ],
  [BPF_JGT, BPF_JLE],
  [BPF_JLE, BPF_JGT],
  [BPF_JGE, BPF_JLT],
  [BPF_JLT, BPF_JGE],
  [BPF_JSGT, BPF_JSLE],
  [BPF_JSLE, BPF_JSGT],
  [BPF_JSGE, BPF_JSLT],
  [BPF_JSLT, BPF_JSGE],
]);

/** The condition turned round; undefined for JSET, which has no opposite. */
function invert(insn: MInsn): MInsn | undefined {
  const operation = opposite.get(insn.code & 0xf0);
  return operation === undefined ? undefined : { ...insn, code: (insn.code & ~0xf0) | operation };
}

const jumpAlways = (span: MInsn["span"]): FlatInsn => ({
  code: BPF_JMP | BPF_JA,
  dst: 0,
  src: 0,
  off: 0,
  imm: 0,
  span,
});

/** Lays a function out as one run of instructions; jumps farther than 16 bits go over cpu v4's jump or islands. */
export function flatten(fn: MFunction, frame: Frame, options: Pick<SelectOptions, "cpuV4">): readonly FlatInsn[] {
  skipEmptyBlocks(fn);
  const order = layOutBlocks(fn);
  const pieces: { readonly label: number; items: Item[] }[] = [];
  order.forEach((index, n) => {
    const block = fn.blocks[index];
    if (block === undefined) return;
    const items: Item[] = [];
    for (const insn of block.insns) expand(insn, frame, items);
    const next = order[n + 1];
    const { end } = block;
    if (end.kind === "exit") items.push({ insn: end.insn, target: undefined });
    else if (end.kind === "jump") {
      if (end.to !== next) items.push({ insn: jumpAlways(end.span), target: end.to });
    } else {
      const turned = end.then === next ? invert(end.insn) : undefined;
      if (end.then === end.else) {
        if (end.then !== next) items.push({ insn: jumpAlways(end.insn.span), target: end.then });
      } else if (turned !== undefined) items.push({ insn: turned, target: end.else });
      else {
        items.push({ insn: end.insn, target: end.then });
        if (end.else !== next) items.push({ insn: jumpAlways(end.insn.span), target: end.else });
      }
    }
    pieces.push({ label: index, items });
  });
  return resolveJumps(pieces, options);
}

/** Pseudo instructions and slots become what the machine has. */
function expand(insn: MInsn, frame: Frame, items: Item[]): void {
  const { slot, result, ...plain } = insn;
  const push = (flat: FlatInsn): void => {
    items.push({ insn: flat, target: undefined });
  };
  if (result !== undefined) {
    push({ ...plain, off: 1 });
    push({ code: BPF_ALU64 | BPF_MOV | BPF_K, dst: result, src: 0, off: 0, imm: 0, span: insn.span });
    return;
  }
  if (slot === undefined) {
    push(plain);
    return;
  }
  const base = frame.offsets.get(slot);
  if (base === undefined) throw new Error(`internal: slot ${slot} has no place in the frame`);
  if (insn.code === loadAddress) {
    push({ ...plain, code: BPF_ALU64 | BPF_MOV | BPF_X, src: frameRegister, off: 0, imm: 0 });
    push({ ...plain, code: BPF_ALU64 | BPF_ADD | BPF_K, src: 0, off: 0, imm: base + insn.off });
    return;
  }
  const off = base + insn.off;
  if ((insn.code & 7) === BPF_LDX) push({ ...plain, src: frameRegister, off });
  else push({ ...plain, dst: frameRegister, off });
}

const lengthOf = (item: Item): number => (item.insn.code === loadImm64 ? 2 : 1);
const fits16 = (n: number): boolean => n >= -0x8000 && n <= 0x7fff;

type Piece = { readonly label: number; items: Item[] };

function resolveJumps(pieces: Piece[], options: Pick<SelectOptions, "cpuV4">): readonly FlatInsn[] {
  let islands = 0;
  for (;;) {
    const { labels, total } = measure(pieces);
    if (total <= 0x7fff) return patch(pieces, labels);
    let changed = false;
    for (let p = 0; p < pieces.length && !changed; p++) {
      const piece = pieces[p];
      if (piece === undefined) continue;
      let at = labels.get(piece.label) ?? 0;
      for (let i = 0; i < piece.items.length; i++) {
        const item = piece.items[i];
        if (item === undefined) continue;
        const here = at;
        at += lengthOf(item);
        if (item.target === undefined || item.far === true) continue;
        const distance = (labels.get(item.target) ?? 0) - (here + 1);
        if (fits16(distance)) continue;
        if (options.cpuV4) {
          makeFar(piece, i, item);
          at = here + (piece.items[i]?.far === true ? 1 : 3);
        } else {
          const label = -1 - ++islands;
          insertIsland(pieces, labels, here, distance, label, item);
        }
        changed = true;
        if (!options.cpuV4) break;
      }
    }
    if (!changed) return patch(pieces, labels);
  }
}

/** A conditional jump goes over a 32-bit one: `if c goto +1; goto +1; gotol target`. */
function makeFar(piece: Piece, i: number, item: Item): void {
  const far: Item = {
    insn: { ...jumpAlways(item.insn.span), code: BPF_JMP32 | BPF_JA },
    target: item.target,
    far: true,
  };
  if (item.insn.code === (BPF_JMP | BPF_JA)) {
    piece.items[i] = far;
    return;
  }
  const over: Item = { insn: { ...item.insn, off: 1 }, target: undefined };
  const past: Item = { insn: { ...jumpAlways(item.insn.span), off: 1 }, target: undefined };
  piece.items.splice(i, 1, over, past, far);
}

/** Redirects a jump to an island between two blocks at most half its reach away: `goto +1; island: goto target`. */
function insertIsland(
  pieces: Piece[],
  labels: ReadonlyMap<number, number>,
  from: number,
  distance: number,
  label: number,
  item: Item,
): void {
  const reach = distance > 0 ? from + 0x7000 : from - 0x7000;
  let best = -1;
  pieces.forEach((piece, p) => {
    const start = labels.get(piece.label) ?? 0;
    const between = distance > 0 ? start > from && start <= reach : start <= from && start >= reach;
    if (!between || p === 0) return;
    // As far on the way as it reaches.
    if (best < 0 || distance > 0) best = p;
  });
  if (best < 0) throw new Error("internal: a block is too long to jump over");
  const span = item.insn.span;
  const over: Item = { insn: jumpAlways(span), target: pieces[best]?.label };
  const hop: Item = { insn: jumpAlways(span), target: item.target };
  const before = pieces[best - 1];
  // What falls into the next block jumps over the island; after a jump or an exit nothing does.
  const last = before?.items.at(-1)?.insn.code;
  const falls = last !== (BPF_JMP | BPF_JA) && last !== (BPF_JMP | 0x90) && last !== (BPF_JMP32 | BPF_JA);
  if (falls) before?.items.push(over);
  pieces.splice(best, 0, { label, items: [hop] });
  item.target = label;
}

function measure(pieces: readonly Piece[]): { labels: Map<number, number>; total: number } {
  const labels = new Map<number, number>();
  let total = 0;
  for (const piece of pieces) {
    labels.set(piece.label, total);
    for (const item of piece.items) total += lengthOf(item);
  }
  return { labels, total };
}

function patch(pieces: readonly Piece[], labels: ReadonlyMap<number, number>): readonly FlatInsn[] {
  const out: FlatInsn[] = [];
  let at = 0;
  for (const piece of pieces) {
    for (const item of piece.items) {
      const { insn, target } = item;
      at += lengthOf(item);
      if (target === undefined) out.push(insn);
      else {
        const distance = (labels.get(target) ?? 0) - at;
        out.push(item.far === true ? { ...insn, imm: distance } : { ...insn, off: distance });
      }
    }
  }
  return out;
}
