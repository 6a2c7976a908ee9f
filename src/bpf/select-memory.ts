import type { IrInstr, Value, Width } from "../ir/ir.js";
import { slotAlign } from "./frame.js";
import type { Address, SelectContext } from "./select-context.js";

/** Up to this many bytes a copy is loads and stores; beyond, a call is shorter and no slower. */
const longestInlineCopy = 128;

/** Aligned pieces, widest first where they fit. `alignment` is that of the memory at offset 0 of the operand. */
export function* pieces(offset: number, size: number, alignment: number): Generator<{ at: number; width: Width }> {
  for (let at = 0; at < size; ) {
    let width: Width = 8;
    while (width > 1 && ((offset + at) % width !== 0 || width > alignment || at + width > size)) {
      width = (width / 2) as Width;
    }
    yield { at, width };
    at += width;
  }
}

/** Up to this many bytes zeros are stored; beyond, a call is shorter and no slower. */
const longestInlineZero = 512;

export function selectZero(c: SelectContext, instr: IrInstr & { op: "zero" }): void {
  if (instr.size > longestInlineZero) {
    zeroByHelper(c, instr);
    return;
  }
  const alignment = alignmentOf(c, instr.base);
  const { offset } = c.base(instr.base, instr.offset);
  const to = c.address(instr.base, instr.offset, instr.size);
  for (const { at, width } of pieces(offset, instr.size, alignment)) c.emitStoreImmediate(width, moved(to, at), 0);
}

export function selectCopy(c: SelectContext, instr: IrInstr & { op: "copy" }): void {
  const { base, offset, from, fromOffset, size } = instr;
  if (size > longestInlineCopy) {
    copyByHelper(c, instr);
    return;
  }
  const target = c.base(base, offset).offset;
  const source = c.base(from, fromOffset).offset;
  // A piece must be aligned on both sides: as far apart as they lie in alignment, so narrow the pieces are.
  const skew = lowestBit(target - source);
  const alignment = Math.min(alignmentOf(c, base), alignmentOf(c, from), skew);
  const sourceAt = c.address(from, fromOffset, size);
  const targetAt = c.address(base, offset, size);
  for (const { at, width } of pieces(target, size, alignment)) {
    const reg = c.newRegister();
    c.emitLoad(width, reg, moved(sourceAt, at));
    c.emitStore(width, moved(targetAt, at), reg);
  }
}

/** bpf_probe_read_kernel() of an address that cannot be read fills with zeros (kernel/trace/bpf_trace.c, v5.5 to v6.18). */
function zeroByHelper(c: SelectContext, { base, offset, size }: IrInstr & { op: "zero" }): void {
  c.loadPlus(1, base, offset);
  c.loadConstant(2, BigInt(size));
  c.loadConstant(3, 0n);
  c.emitCall("probe_read_kernel", 3);
}

/** bpf_probe_read_kernel(to, size, from) reads whatever the program itself can read. */
function copyByHelper(c: SelectContext, { base, offset, from, fromOffset, size }: IrInstr & { op: "copy" }): void {
  c.loadPlus(1, base, offset);
  c.loadConstant(2, BigInt(size));
  c.loadPlus(3, from, fromOffset);
  c.emitCall("probe_read_kernel", 3);
}

const moved = (address: Address, by: number): Address => ({ ...address, offset: address.offset + by });

const lowestBit = (n: number): number => (n === 0 ? 8 : n & -n);

/**
 * The alignment that may be used with the memory that `base` is based on, at offset 0. The verifier insists on aligned
 * accesses to the stack only (check_ptr_alignment(), v6.18 kernel/bpf/verifier.c; other memory is free where
 * CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS is set, as on x86-64 and arm64).
 */
function alignmentOf(c: SelectContext, base: Value): number {
  const { root } = c.base(base, 0);
  const instr = c.definition(root);
  if (instr?.op === "slot") return slotAlignment(c, instr.slot);
  return mayPointIntoStack(c, root, 0) ? alignmentOfSum(c, root) : 8;
}

function slotAlignment(c: SelectContext, id: number): number {
  return slotAlign(c.slotSize(id));
}

function mayPointIntoStack(c: SelectContext, value: Value, depth: number): boolean {
  const instr = c.definition(value);
  if (instr === undefined) return true; // a block parameter
  if (instr.op === "slot") return true;
  // What a subprogram is given points to the start of something, which is aligned as far as its size asks for it.
  if (instr.op !== "bin") return false;
  if (depth > 8) return true;
  return mayPointIntoStack(c, instr.a, depth + 1) || mayPointIntoStack(c, instr.b, depth + 1);
}

/** The alignment of a slot's address plus a computed index. */
function alignmentOfSum(c: SelectContext, value: Value): number {
  const instr = c.definition(value);
  if (instr?.op === "slot") return slotAlignment(c, instr.slot);
  if (instr?.op === "const") return Math.min(8, lowestBit(Number(BigInt.asUintN(3, instr.value))));
  if (instr?.op !== "bin") return 1;
  const by = c.constant(instr.b);
  switch (instr.bin) {
    case "add":
    case "sub":
      return Math.min(alignmentOfSum(c, instr.a), alignmentOfSum(c, instr.b));
    case "shl":
      return by === undefined ? 1 : Math.min(8, 2 ** Number(BigInt.asUintN(6, by)));
    case "mul":
      return by === undefined ? 1 : Math.min(8, lowestBit(Number(BigInt.asUintN(3, by))));
    default:
      return 1;
  }
}
