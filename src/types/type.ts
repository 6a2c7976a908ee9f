import type { BtfId } from "../base/branded.js";
import type { Btf } from "../formats/btf.js";

/** Which memory a pointer points into; decides between probe_read_kernel and probe_read_user. */
export type AddressSpace = "kernel" | "user" | "none";

export type IntSize = 1 | 2 | 4 | 8;

/** Clocks of the kernel that nsecs() asks, in the order of their numbers in a record. */
export const clocks = ["monotonic", "boot", "tai"] as const;
export type Clock = (typeof clocks)[number];

export interface IntType {
  readonly kind: "int";
  readonly size: IntSize;
  readonly signed: boolean;
  /** Of nanoseconds: the clock that has counted them, for strftime(). */
  readonly clock?: Clock | "several" | undefined;
}

/** A C structure or union whose members are looked up when they are asked for. */
export interface RecordType {
  readonly kind: "record";
  /** `struct task_struct`, `union sigval`; anonymous ones say `struct (anonymous)`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Where the kernel's type information has it; not of types of scripts and programs. */
  readonly kernel?: { readonly btf: Btf; readonly id: BtfId };
  /** Members in order of declaration; those of anonymous structures and unions inside are found by name too. */
  members(): readonly Member[];
}

export interface Member {
  readonly name: string;
  readonly type: Type;
  /** Bits from the start of the record. */
  readonly bitOffset: number;
  /** Width of a bit field, 0 otherwise. */
  readonly bitSize: number;
  /** A tracefs `__data_loc` field: a 32-bit word of offset (low half) and length, not the data itself. */
  readonly dataLoc?: boolean;
}

export type StackMode = "bpftrace" | "perf" | "raw" | "build_id";

/** Stack id and, for user stacks, the process: see wire. Resolved in user space. */
export interface StackType {
  readonly kind: "stack";
  readonly user: boolean;
  readonly mode: StackMode;
  readonly depth: number;
  /** A program has unwound it by tables; else the kernel has walked it by frame pointers. */
  readonly unwound?: boolean;
}

/** What `hist`, `count` ... leave in a map; the layout of the bytes is wire/map-values.ts. */
export type AggregateType =
  | { readonly kind: "count" }
  | { readonly kind: "sum" | "min" | "max" | "avg" | "stats"; readonly signed: boolean }
  | { readonly kind: "hist"; readonly bits: number }
  | { readonly kind: "lhist"; readonly min: bigint; readonly max: bigint; readonly step: bigint }
  /** `interval` in nanoseconds. */
  | {
      readonly kind: "tseries";
      readonly interval: bigint;
      readonly intervals: number;
      readonly keep: SeriesKeep;
      readonly signed: boolean;
    };

/** What tseries() keeps of the values of one interval. */
export const seriesKeeps = ["last", "avg", "max", "min", "sum"] as const;
export type SeriesKeep = (typeof seriesKeeps)[number];

export type AggregateKind = AggregateType["kind"];

/** A type of the language. Values live in a register (`int`, `bool`, `pointer`, `enum`, ids) or in memory (the rest). */
export type Type =
  | { readonly kind: "none" }
  | IntType
  | { readonly kind: "bool" }
  | {
      readonly kind: "enum";
      readonly name: string;
      readonly size: IntSize;
      readonly signed: boolean;
      readonly values: readonly { readonly name: string; readonly value: bigint }[];
    }
  /**
   * NUL-terminated text in `size` bytes, the NUL included. `chars`: an array of so many char that the script declares, which
   * has no NUL if it is full: its text takes a byte more than the array. Those of the kernel end in a NUL.
   */
  | { readonly kind: "string"; readonly size: number; readonly chars?: number }
  | { readonly kind: "buffer"; readonly size: number }
  | { readonly kind: "pointer"; readonly to: Type; readonly space: AddressSpace }
  | RecordType
  | { readonly kind: "array"; readonly of: Type; readonly count: number }
  /** With names it is a record of the language's own: `(a=1, b="x")`. */
  | { readonly kind: "tuple"; readonly items: readonly Type[]; readonly names?: readonly string[] }
  | StackType
  /** A kernel address shown as symbol. */
  | { readonly kind: "ksym" }
  /** A user address with its process, shown as symbol. */
  | { readonly kind: "usym" }
  /** An uid shown as name. */
  | { readonly kind: "username" }
  /** Index of an attach point plus one, 0 for none; shown as the probe's full name or its function. */
  | { readonly kind: "probe" }
  | { readonly kind: "func" }
  /** Address family and 16 bytes, shown as an IP address. */
  | { readonly kind: "inet" }
  /** A moment of a clock with the index of its strftime format. */
  | { readonly kind: "timestamp" }
  /** Six bytes, shown as a hardware address. */
  | { readonly kind: "mac" }
  /** Id of a cgroup with the index of a pattern for hierarchies, shown as its paths. */
  | { readonly kind: "cgroup-path" }
  | AggregateType;

export type TypeKind = Type["kind"];

export const int = (size: IntSize, signed: boolean): IntType => ({ kind: "int", size, signed });
export const u8 = int(1, false);
export const u16 = int(2, false);
export const u32 = int(4, false);
export const u64 = int(8, false);
export const i8 = int(1, true);
export const i16 = int(2, true);
export const i32 = int(4, true);
export const i64 = int(8, true);
export const none: Type = { kind: "none" };
export const bool: Type = { kind: "bool" };
export const string = (size: number): Type => ({ kind: "string", size });
/** The text in an array of `char`; one without a length ends where its NUL is. */
export const charArray = (count: number): Type =>
  count === 0 ? string(0) : { kind: "string", size: count + 1, chars: count };
export const pointer = (to: Type, space: AddressSpace): Type => ({ kind: "pointer", to, space });
