import {
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_END,
  BPF_EXIT,
  BPF_FETCH,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_MOV,
  BPF_NEG,
  BPF_ST,
  BPF_STX,
  BPF_X,
} from "../abi/bpf-insn.js";
import type { Span } from "../base/span.js";

/** r0 to r10, or a virtual register from {@link firstVirtual} on. */
export type Reg = number;
export const firstVirtual = 16;

/** What a 16-byte load or a call refers to by name. */
export type Reference =
  | { readonly kind: "map"; readonly map: string }
  | { readonly kind: "mapvalue"; readonly map: string; readonly offset: number }
  | { readonly kind: "cookie" }
  | { readonly kind: "func"; readonly func: string };

/**
 * A BPF instruction whose registers may be virtual. `code` is the opcode byte or {@link loadAddress}. A conditional jump
 * with `result` is a pseudo instruction: it leaves 0 in that register if the condition does not hold.
 */
export interface MInsn {
  readonly code: number;
  readonly dst: Reg;
  readonly src: Reg;
  readonly off: number;
  readonly imm: number;
  readonly span: Span | undefined;
  /** The 64-bit immediate of a 16-byte load. */
  readonly wide?: bigint;
  readonly ref?: Reference;
  /** The memory operand lies in this stack slot; the base register is not used. */
  readonly slot?: number;
  /** How many of r1 to r5 a call reads. */
  readonly args?: number;
  readonly result?: Reg;
}

/** Pseudo opcode: dst = address of byte `off` of `slot`. */
export const loadAddress = 0x100;

export type MEnd =
  | { readonly kind: "jump"; readonly to: number; readonly span: Span | undefined }
  | { readonly kind: "branch"; readonly insn: MInsn; readonly then: number; readonly else: number }
  | { readonly kind: "exit"; readonly insn: MInsn };

export interface MBlock {
  insns: MInsn[];
  end: MEnd;
  /** How often it runs, the entry being 1. */
  readonly frequency: number;
}

/** A function in machine instructions; blocks refer to each other by index, `[0]` is the entry. */
export interface MFunction {
  readonly name: string;
  readonly blocks: MBlock[];
  /** Registers from {@link firstVirtual} up to this are in use. */
  registers: number;
  /** Slots from the IR's on: spilled registers get further ones. */
  slots: number;
}

export function successors(end: MEnd): readonly number[] {
  if (end.kind === "jump") return [end.to];
  return end.kind === "branch" ? [end.then, end.else] : [];
}

export const isMove = (insn: MInsn): boolean => insn.code === (BPF_ALU64 | BPF_MOV | BPF_X) && insn.off === 0;
export const isCall = (insn: MInsn): boolean => insn.code === (BPF_JMP | BPF_CALL);

/** Calls `use` with each register that is read. */
export function forEachUse(insn: MInsn, use: (reg: Reg) => void): void {
  const { code } = insn;
  if (code === loadAddress) return;
  if (insn.result !== undefined) use(insn.result);
  const operation = code & 0xf0;
  switch (code & 0x07) {
    case BPF_LD:
      return;
    case BPF_LDX:
      if (insn.slot === undefined) use(insn.src);
      return;
    case BPF_ST:
      if (insn.slot === undefined) use(insn.dst);
      return;
    case BPF_STX:
      if (insn.slot === undefined) use(insn.dst);
      use(insn.src);
      return;
    case BPF_ALU:
    case BPF_ALU64:
      if (operation !== BPF_MOV) use(insn.dst);
      if ((code & BPF_X) !== 0 && operation !== BPF_END && operation !== BPF_NEG) use(insn.src);
      return;
    case BPF_JMP:
    case BPF_JMP32:
      if (operation === BPF_CALL) {
        for (let reg = 1; reg <= (insn.args ?? 0); reg++) use(reg);
      } else if (operation === BPF_EXIT) {
        use(0);
      } else if (operation !== BPF_JA) {
        use(insn.dst);
        if ((code & BPF_X) !== 0) use(insn.src);
      }
      return;
  }
}

/** The register that is written, or -1; a call writes r0 (and leaves r1 to r5 unusable). */
export function definitionOf(insn: MInsn): Reg {
  const { code } = insn;
  if (insn.result !== undefined) return insn.result;
  if (code === loadAddress) return insn.dst;
  switch (code & 0x07) {
    case BPF_LD:
    case BPF_LDX:
    case BPF_ALU:
    case BPF_ALU64:
      return insn.dst;
    case BPF_STX:
      return (code & 0xe0) === BPF_ATOMIC && (insn.imm & BPF_FETCH) !== 0 ? insn.src : -1;
    case BPF_JMP:
      return isCall(insn) ? 0 : -1;
    default:
      return -1;
  }
}

/** Nothing but the register that it writes depends on it. */
export function isRemovable(insn: MInsn): boolean {
  if (insn.result !== undefined || insn.code === loadAddress) return true;
  switch (insn.code & 0x07) {
    case BPF_LD:
    case BPF_LDX:
    case BPF_ALU:
    case BPF_ALU64:
      return true;
    default:
      return false;
  }
}

/** The same instruction with other registers; `slot`ted memory operands keep their unused base. */
export function mapRegisters(insn: MInsn, use: (reg: Reg) => Reg, define: (reg: Reg) => Reg): MInsn {
  const { code } = insn;
  if (insn.result !== undefined) {
    return { ...insn, dst: use(insn.dst), src: (code & BPF_X) !== 0 ? use(insn.src) : 0, result: define(insn.result) };
  }
  if (code === loadAddress) return { ...insn, dst: define(insn.dst) };
  const operation = code & 0xf0;
  switch (code & 0x07) {
    case BPF_LD:
      return { ...insn, dst: define(insn.dst) };
    case BPF_LDX: {
      const src = insn.slot === undefined ? use(insn.src) : insn.src;
      return { ...insn, src, dst: define(insn.dst) };
    }
    case BPF_ST:
      return insn.slot === undefined ? { ...insn, dst: use(insn.dst) } : insn;
    case BPF_STX: {
      const dst = insn.slot === undefined ? use(insn.dst) : insn.dst;
      return { ...insn, dst, src: definitionOf(insn) === -1 ? use(insn.src) : define(insn.src) };
    }
    case BPF_ALU:
    case BPF_ALU64: {
      const reads = (code & BPF_X) !== 0 && operation !== BPF_END && operation !== BPF_NEG;
      return { ...insn, src: reads ? use(insn.src) : insn.src, dst: define(insn.dst) };
    }
    case BPF_JMP:
    case BPF_JMP32:
      if (operation === BPF_CALL || operation === BPF_EXIT || operation === BPF_JA) return insn;
      return { ...insn, dst: use(insn.dst), src: (code & BPF_X) !== 0 ? use(insn.src) : insn.src };
    default:
      return insn;
  }
}
