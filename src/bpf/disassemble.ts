import {
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_DIV,
  BPF_END,
  BPF_EXIT,
  BPF_FETCH,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_LDX,
  BPF_LSH,
  BPF_MEMSX,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TO_BE,
  BPF_X,
  BPF_XCHG,
  BPF_XOR,
  loadImm64,
} from "../abi/bpf-insn.js";
import { helperName } from "../abi/helpers.js";
import { FormatError } from "../base/errors.js";
import type { Relocation } from "./object.js";

export interface DisassembleOptions {
  /** Names of maps and offsets in them, for the 16-byte loads. */
  readonly relocations?: readonly Relocation[];
  /** Helper's name by id; the table of abi/helpers.ts if absent. */
  readonly helperNames?: (id: number) => string | undefined;
}

const sizes: Readonly<Record<number, string>> = { 0: "u32", 8: "u16", 16: "u8", 24: "u64" };
const signedSizes: Readonly<Record<number, string>> = { 0: "s32", 8: "s16", 16: "s8", 24: "s64" };

const operators: Readonly<Record<number, string>> = {
  [BPF_ADD]: "+=",
  [BPF_SUB]: "-=",
  [BPF_MUL]: "*=",
  [BPF_DIV]: "/=",
  [BPF_OR]: "|=",
  [BPF_AND]: "&=",
  [BPF_LSH]: "<<=",
  [BPF_RSH]: ">>=",
  [BPF_MOD]: "%=",
  [BPF_XOR]: "^=",
  [BPF_MOV]: "=",
  [BPF_ARSH]: "s>>=",
};

const comparisons: Readonly<Record<number, string>> = {
  [BPF_JEQ]: "==",
  [BPF_JNE]: "!=",
  [BPF_JGT]: ">",
  [BPF_JGE]: ">=",
  [BPF_JLT]: "<",
  [BPF_JLE]: "<=",
  [BPF_JSGT]: "s>",
  [BPF_JSGE]: "s>=",
  [BPF_JSLT]: "s<",
  [BPF_JSLE]: "s<=",
  [BPF_JSET]: "&",
};

const atomicNames: Readonly<Record<number, string>> = {
  [BPF_ADD]: "add",
  [BPF_OR]: "or",
  [BPF_AND]: "and",
  [BPF_XOR]: "xor",
};

/** One line per instruction, as the kernel's verifier log writes them (kernel/bpf/disasm.c, v6.18): `3: r1 = r6`. */
export function disassemble(code: Uint8Array, options: DisassembleOptions = {}): string[] {
  if (code.length % 8 !== 0) throw new FormatError("BPF code: its length is no multiple of 8");
  const relocations = new Map((options.relocations ?? []).map((r) => [r.insn, r]));
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const lines: string[] = [];
  for (let at = 0; at < code.length / 8; at++) {
    const insn = decodeInsn(view, at);
    if (insn.code === loadImm64) {
      const high = (at + 1) * 8 < code.length ? view.getInt32((at + 1) * 8 + 4, true) : 0;
      lines.push(`${at}: r${insn.dst} = ${wideOperand(insn, high, at, relocations.get(at))}`);
      at++;
    } else lines.push(`${at}: ${plain(insn, at, options)}`);
  }
  return lines;
}

/** The fields of one 8-byte instruction. */
export interface DecodedInsn {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly off: number;
  readonly imm: number;
}

/** Instruction `at` (counted in 8 bytes) of the code. */
export function decodeInsn(view: DataView, at: number): DecodedInsn {
  const byte = at * 8;
  const registers = view.getUint8(byte + 1);
  return {
    code: view.getUint8(byte),
    dst: registers & 15,
    src: registers >> 4,
    off: view.getInt16(byte + 2, true),
    imm: view.getInt32(byte + 4, true),
  };
}

function wideOperand(insn: DecodedInsn, high: number, at: number, relocation: Relocation | undefined): string {
  switch (relocation?.kind) {
    case "map":
      return `map[${relocation.map}]`;
    case "mapvalue":
      return `map_value[${relocation.map}]${signed(relocation.offset)}`;
    case "cookie":
      return "attach_cookie";
    case undefined:
      break;
  }
  if (insn.src === BPF_PSEUDO_FUNC) return `func[${at + insn.imm + 1}]`;
  const value = (BigInt(high) << 32n) | BigInt.asUintN(32, BigInt(insn.imm));
  return `0x${BigInt.asUintN(64, value).toString(16)} ll`;
}

const signed = (n: number): string => (n < 0 ? ` -${-n}` : ` +${n}`);
const distance = (n: number): string => (n < 0 ? `${n}` : `+${n}`);
const unknown = (insn: DecodedInsn): string => `(unknown instruction 0x${insn.code.toString(16).padStart(2, "0")})`;

function plain(insn: DecodedInsn, at: number, options: DisassembleOptions): string {
  const { code, dst, src, off, imm } = insn;
  const size = sizes[code & 0x18];
  const memory = (type: string | undefined, base: number): string => `*(${type} *)(r${base}${signed(off)})`;
  switch (code & 7) {
    case BPF_LDX:
      return `r${dst} = ${memory((code & 0xe0) === BPF_MEMSX ? signedSizes[code & 0x18] : size, src)}`;
    case BPF_ST:
      return `${memory(size, dst)} = ${imm}`;
    case BPF_STX:
      return (code & 0xe0) === BPF_ATOMIC ? atomic(insn, size ?? "?") : `${memory(size, dst)} = r${src}`;
    case BPF_ALU:
    case BPF_ALU64:
      return arithmetic(insn);
    case BPF_JMP:
    case BPF_JMP32:
      return jump(insn, at, options);
    default:
      return unknown(insn);
  }
}

function atomic({ dst, src, off, imm }: DecodedInsn, size: string): string {
  const place = `(${size} *)(r${dst}${signed(off)})`;
  if (imm === BPF_XCHG) return `r${src} = atomic_xchg(${place}, r${src})`;
  if (imm === BPF_CMPXCHG) return `r0 = atomic_cmpxchg(${place}, r0, r${src})`;
  const name = atomicNames[imm & ~BPF_FETCH] ?? "?";
  if ((imm & BPF_FETCH) !== 0) return `r${src} = atomic_fetch_${name}(${place}, r${src})`;
  return `lock *${place} ${operators[imm] ?? "?="} r${src}`;
}

function arithmetic(insn: DecodedInsn): string {
  const { code, dst, src, off, imm } = insn;
  const operation = code & 0xf0;
  const wide = (code & 7) === BPF_ALU64;
  const r = wide ? "r" : "w";
  if (operation === BPF_NEG) return `${r}${dst} = -${r}${dst}`;
  if (operation === BPF_END) {
    const how = wide ? "bswap" : (code & BPF_TO_BE) !== 0 ? "be" : "le";
    return `r${dst} = ${how}${imm} r${dst}`;
  }
  const operator = operators[operation];
  if (operator === undefined) return unknown(insn);
  const right = (code & BPF_X) !== 0 ? `${r}${src}` : `${imm}`;
  if (operation === BPF_MOV && off !== 0) return `${r}${dst} = (s${off})${right}`;
  const signedOperation = (operation === BPF_DIV || operation === BPF_MOD) && off === 1;
  return `${r}${dst} ${signedOperation ? "s" : ""}${operator} ${right}`;
}

function jump(insn: DecodedInsn, at: number, options: DisassembleOptions): string {
  const { code, dst, src, off, imm } = insn;
  const operation = code & 0xf0;
  const narrow = (code & 7) === BPF_JMP32;
  if (operation === BPF_JA) return narrow ? `gotol pc${distance(imm)}` : `goto pc${distance(off)}`;
  if (operation === BPF_EXIT) return "exit";
  if (operation === BPF_CALL) {
    if (src === BPF_PSEUDO_CALL) return `call func[${at + imm + 1}]`;
    if (src === BPF_PSEUDO_KFUNC_CALL) return `call kernel-function#${imm}`;
    const name = (options.helperNames ?? helperName)(imm);
    return name === undefined ? `call helper#${imm}` : `call ${name}#${imm}`;
  }
  const comparison = comparisons[operation];
  if (comparison === undefined) return unknown(insn);
  const r = narrow ? "w" : "r";
  const right = (code & BPF_X) !== 0 ? `${r}${src}` : `${imm}`;
  return `if ${r}${dst} ${comparison} ${right} goto pc${distance(off)}`;
}
