import type { Branded } from "../base/branded.js";
import type { Span } from "../base/span.js";

/** A 64-bit value in a virtual register, defined exactly once (SSA). Narrow integers are kept extended by their producer. */
export type Value = Branded<number, "IrValue">;
export type BlockId = Branded<number, "IrBlock">;
export type SlotId = Branded<number, "IrSlot">;

export type Width = 1 | 2 | 4 | 8;
export type BinOp =
  | "add"
  | "sub"
  | "mul"
  | "udiv"
  | "umod"
  | "sdiv"
  | "smod"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "lshr"
  | "ashr";
export type CmpOp = "eq" | "ne" | "ult" | "ule" | "ugt" | "uge" | "slt" | "sle" | "sgt" | "sge";
export type AtomicOp = "add" | "or" | "and" | "xor" | "xchg";

/**
 * One instruction. Arithmetic is on 64 bits and wraps; division by zero gives 0 and modulo by zero the dividend, as in
 * BPF; signed division truncates. Shift counts are taken modulo 64.
 */
export type IrInstr = { readonly span: Span | undefined } & (
  | { readonly op: "const"; readonly dst: Value; readonly value: bigint }
  /** The program's context pointer (r1 at entry). */
  | { readonly op: "ctx"; readonly dst: Value }
  /** Argument `index` of a subprogram (r1.. at entry). */
  | { readonly op: "param"; readonly dst: Value; readonly index: number }
  /** The attach cookie as the user space set it: bpf_get_attach_cookie(ctx), or a constant patched in at load time. */
  | { readonly op: "cookie"; readonly dst: Value }
  /** Address of a stack slot. */
  | { readonly op: "slot"; readonly dst: Value; readonly slot: SlotId }
  /** A map, as an argument of a helper. */
  | { readonly op: "map"; readonly dst: Value; readonly map: string }
  /** Address of byte `offset` of the single value of an array map. */
  | { readonly op: "mapvalue"; readonly dst: Value; readonly map: string; readonly offset: number }
  /** Address of another function of the module, as a callback argument of a helper. */
  | { readonly op: "funcref"; readonly dst: Value; readonly func: string }
  | { readonly op: "bin"; readonly dst: Value; readonly bin: BinOp; readonly a: Value; readonly b: Value }
  /** Takes the low `width` bytes of `a`, sign- or zero-extended to 64 bits. */
  | { readonly op: "ext"; readonly dst: Value; readonly width: 1 | 2 | 4; readonly signed: boolean; readonly a: Value }
  /** Swaps the low `width` bytes, zero-extends. */
  | { readonly op: "bswap"; readonly dst: Value; readonly width: 2 | 4 | 8; readonly a: Value }
  /** 1 or 0. Never use it on a maybe-null pointer: the verifier learns only from a branch. */
  | { readonly op: "cmp"; readonly dst: Value; readonly cmp: CmpOp; readonly a: Value; readonly b: Value }
  | {
      readonly op: "load";
      readonly dst: Value;
      readonly width: Width;
      readonly signed: boolean;
      readonly base: Value;
      readonly offset: number;
    }
  | {
      readonly op: "store";
      readonly width: Width;
      readonly base: Value;
      readonly offset: number;
      readonly value: Value;
    }
  /** Atomic read-modify-write; `dst` set means that the old value is wanted (BPF_FETCH, since 5.12). */
  | {
      readonly op: "atomic";
      readonly dst: Value | undefined;
      readonly atomic: AtomicOp;
      readonly width: 4 | 8;
      readonly base: Value;
      readonly offset: number;
      readonly value: Value;
    }
  /** Zeroes `size` bytes of directly accessible memory. */
  | { readonly op: "zero"; readonly base: Value; readonly offset: number; readonly size: number }
  /** Copies `size` bytes between two directly accessible, non-overlapping places. */
  | {
      readonly op: "copy";
      readonly base: Value;
      readonly offset: number;
      readonly from: Value;
      readonly fromOffset: number;
      readonly size: number;
    }
  /** Calls a BPF helper by its kernel name without `bpf_`, e.g. `ktime_get_ns`; see abi/helpers.ts. */
  | { readonly op: "call"; readonly dst: Value | undefined; readonly helper: string; readonly args: readonly Value[] }
  /** Calls another function of the module. */
  /** Calls a function of the kernel (kfunc) by its BTF id. */
  | {
      readonly op: "callkernel";
      readonly dst: Value | undefined;
      readonly kfunc: string;
      readonly id: number;
      readonly args: readonly Value[];
    }
  | { readonly op: "callfunc"; readonly dst: Value | undefined; readonly func: string; readonly args: readonly Value[] }
);

/** A jump to a block with the values of its parameters (SSA phi as block arguments). */
export interface Edge {
  readonly block: BlockId;
  readonly args: readonly Value[];
}

export type Terminator = { readonly span: Span | undefined } & (
  | { readonly op: "jump"; readonly to: Edge }
  | {
      readonly op: "branch";
      readonly cmp: CmpOp;
      readonly a: Value;
      readonly b: Value;
      readonly then: Edge;
      readonly else: Edge /** Which way is usual, for block placement. */;
      readonly likely?: "then" | "else";
    }
  | { readonly op: "ret"; readonly value: Value }
);

export interface Block {
  readonly id: BlockId;
  readonly params: readonly Value[];
  readonly instrs: readonly IrInstr[];
  readonly end: Terminator;
}

/** A piece of the 512-byte stack; slots that are never live together share bytes. */
export interface Slot {
  readonly id: SlotId;
  readonly size: number;
  readonly align: 1 | 2 | 4 | 8;
  readonly name: string;
}

/** A BPF program or subprogram; `blocks[0]` is the entry. */
export interface IrFunction {
  readonly name: string;
  readonly kind: "program" | "subprogram";
  /**
   * Of a subprogram that the verifier is to look at by itself, once, instead of at each of its calls: how many bytes each
   * argument points to, 0 of a number. It must be ready for pointers that are null.
   */
  readonly pointsTo?: readonly number[] | undefined;
  readonly slots: readonly Slot[];
  readonly blocks: readonly Block[];
  /** Values are numbered from 0 to `values - 1`. */
  readonly values: number;
}
