import { graphOf } from "./graph.js";
import type { IrFunction, IrInstr, Value } from "./ir.js";

const bitLength = (v: bigint): number => (v < 0n ? 64 : v === 0n ? 0 : v.toString(2).length);

/**
 * For each value how many low bits it may have set (64: any, so it may be negative). A value that has 32 or fewer equals
 * its zero-extended low half. Only what the verifier derives too is counted, because a mask that does nothing by these
 * rules is dropped, and it may be there for the verifier: results of helpers, divisions and byte swaps are unknown to it
 * (adjust_scalar_min_max_vals(), v5.15 kernel/bpf/verifier.c).
 */
export function knownBits(fn: IrFunction): Uint8Array {
  const bits = new Uint8Array(fn.values).fill(64);
  const constants = new Map<Value, bigint>();
  for (const block of graphOf(fn).order) {
    for (const instr of block.instrs) {
      if (!("dst" in instr) || instr.dst === undefined) continue;
      if (instr.op === "const") constants.set(instr.dst, instr.value);
      bits[instr.dst] = bitsOf(
        instr,
        (value) => bits[value] ?? 64,
        (value) => constants.get(value),
      );
    }
  }
  return bits;
}

/** As {@link knownBits} for one instruction, given its operands'. */
export function bitsOf(
  instr: IrInstr,
  of: (value: Value) => number,
  constant: (value: Value) => bigint | undefined,
): number {
  switch (instr.op) {
    case "const":
      return bitLength(instr.value);
    case "cmp":
      return 1;
    case "ext":
      // A sign that is known to be 0 extends to nothing.
      if (instr.signed) return of(instr.a) < instr.width * 8 ? of(instr.a) : 64;
      return Math.min(instr.width * 8, of(instr.a));
    case "load":
      return instr.signed ? 64 : instr.width * 8;
    case "bin":
      return bitsOfBin(instr, of(instr.a), of(instr.b), constant(instr.b));
    default:
      return 64;
  }
}

function bitsOfBin(instr: IrInstr & { op: "bin" }, a: number, b: number, by: bigint | undefined): number {
  const upTo64 = (n: number): number => Math.min(64, n);
  switch (instr.bin) {
    case "and":
      return Math.min(a, b);
    case "or":
    case "xor":
      return Math.max(a, b);
    case "add":
      return upTo64(Math.max(a, b) + 1);
    case "mul":
      return a <= 32 && b <= 32 ? a + b : 64;
    case "shl":
      return by === undefined ? 64 : upTo64(a + Number(by & 63n));
    case "lshr":
      return by === undefined ? a : Math.max(0, a - Number(by & 63n));
    case "ashr":
      return a;
    case "udiv":
    case "umod":
    case "sub":
    case "sdiv":
    case "smod":
      return 64;
  }
}
