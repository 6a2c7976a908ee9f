import {
  BPF_ADD,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_END,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_TO_BE,
  BPF_XOR,
} from "../abi/bpf-insn.js";
import { swapBytes } from "../ir/ops.js";
import type { DecodedInsn } from "./disassemble.js";
import { InterpreterError } from "./sim-memory.js";

/** What an arithmetic instruction leaves in its register; results of 32-bit ones are zero-extended (RFC 9669). */
export function alu({ code, off, imm }: DecodedInsn, left: bigint, right: bigint): bigint {
  const bits = (code & 7) === BPF_ALU64 ? 64 : 32;
  const operation = code & 0xf0;
  if (operation === BPF_END) {
    if (imm !== 16 && imm !== 32 && imm !== 64) throw new InterpreterError(`no swap of ${imm} bits`);
    // cpu v4's bswap is the 64-bit class; the older ones are named for the order that they convert to.
    const swap = bits === 64 || (code & BPF_TO_BE) !== 0;
    return BigInt.asUintN(imm, swap ? swapBytes(left, imm / 8) : left);
  }
  const a = BigInt.asUintN(bits, left);
  const b = BigInt.asUintN(bits, right);
  return BigInt.asUintN(64, BigInt.asUintN(bits, compute(operation, bits, off, a, b)));
}

function compute(operation: number, bits: number, off: number, a: bigint, b: bigint): bigint {
  const signed = (v: bigint): bigint => BigInt.asIntN(bits, v);
  const shift = b & BigInt(bits - 1);
  switch (operation) {
    case BPF_ADD:
      return a + b;
    case BPF_SUB:
      return a - b;
    case BPF_MUL:
      return a * b;
    case BPF_DIV:
      if (b === 0n) return 0n;
      return off === 1 ? signed(a) / signed(b) : a / b;
    case BPF_MOD:
      if (b === 0n) return a;
      return off === 1 ? signed(a) % signed(b) : a % b;
    case BPF_OR:
      return a | b;
    case BPF_AND:
      return a & b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return a << shift;
    case BPF_RSH:
      return a >> shift;
    case BPF_ARSH:
      return signed(a) >> shift;
    case BPF_NEG:
      return -a;
    case BPF_MOV:
      if (off !== 0 && off !== 8 && off !== 16 && off !== 32) throw new InterpreterError(`no move of ${off} bits`);
      return off === 0 ? b : BigInt.asIntN(off, b);
    default:
      throw new InterpreterError(`unknown arithmetic 0x${operation.toString(16)}`);
  }
}

/** Whether a conditional jump is taken. */
export function isTaken({ code }: DecodedInsn, left: bigint, right: bigint): boolean {
  const bits = (code & 7) === BPF_JMP32 ? 32 : 64;
  const a = BigInt.asUintN(bits, left);
  const b = BigInt.asUintN(bits, right);
  const sa = BigInt.asIntN(bits, left);
  const sb = BigInt.asIntN(bits, right);
  switch (code & 0xf0) {
    case BPF_JEQ:
      return a === b;
    case BPF_JNE:
      return a !== b;
    case BPF_JGT:
      return a > b;
    case BPF_JGE:
      return a >= b;
    case BPF_JLT:
      return a < b;
    case BPF_JLE:
      return a <= b;
    case BPF_JSGT:
      return sa > sb;
    case BPF_JSGE:
      return sa >= sb;
    case BPF_JSLT:
      return sa < sb;
    case BPF_JSLE:
      return sa <= sb;
    case BPF_JSET:
      return (a & b) !== 0n;
    default:
      throw new InterpreterError(`unknown jump 0x${code.toString(16)}`);
  }
}

/** What an atomic operation (without its fetch bit) leaves in memory. */
export function atomicResult(operation: number, old: bigint, operand: bigint): bigint {
  switch (operation) {
    case BPF_ADD:
      return old + operand;
    case BPF_OR:
      return old | operand;
    case BPF_AND:
      return old & operand;
    case BPF_XOR:
      return old ^ operand;
    default:
      throw new InterpreterError(`unknown atomic operation 0x${operation.toString(16)}`);
  }
}
