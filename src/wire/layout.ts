import { assertNever } from "../base/assert-never.js";
import type { ShownType } from "../types/shown-type.js";
import type { AggregateType, Type } from "../types/type.js";

/** A type of either half: while a script is compiled, or as its values are shown. */
export type AnyType = Type | ShownType;

/**
 * Where a value lives while a program computes with it and when it is stored: everything that fits into a register is
 * eight bytes, extended by its sign; the rest is bytes in memory. Keys, map values, tuples and records that go up the
 * ring all use this one layout.
 */
export type Residence = "register" | "memory" | "none";

export function residence(type: AnyType): Residence {
  switch (type.kind) {
    case "none":
      return "none";
    case "int":
    case "bool":
    case "enum":
    case "pointer":
    case "ksym":
    case "username":
    case "probe":
    case "func":
    case "mac":
      return "register";
    case "string":
    case "buffer":
    case "record":
    case "array":
    case "tuple":
    case "stack":
    case "usym":
    case "inet":
    case "timestamp":
    case "cgroup-path":
    case "count":
    case "sum":
    case "min":
    case "max":
    case "avg":
    case "stats":
    case "hist":
    case "lhist":
    case "tseries":
      return "memory";
    default:
      return assertNever(type);
  }
}

/**
 * `{ i64 stackId; u32 pid; u32 frames }`; a negative id is the error of bpf_get_stackid. The number of frames is there
 * in scripts that ask for it, and where the frames travel ({@link framesFollow}), else 0.
 */
export const stackLayout = { id: 0, pid: 8, frames: 12, size: 16 } as const;
/**
 * The upper half of the id of a stack whose frames travel in the same record; the lower half is how many bytes behind the
 * stack itself they begin. No hash of a stack is negative, no error so far below zero.
 */
export const framesFollow = -0x8000_0000;
/** `{ u64 address; u32 pid; u32 unused }` */
export const usymLayout = { address: 0, pid: 8, size: 16 } as const;
/** `{ u64 family; u8 address[16] }`, the address in network order. */
export const inetLayout = { family: 0, address: 8, size: 24 } as const;
/** `{ u64 nanoseconds; u32 format; u32 clock }`; indices into the texts of the object and into `clocks`. */
export const timestampLayout = { nanoseconds: 0, format: 8, clock: 12, size: 16 } as const;
/** `{ u64 id; u32 pattern; u32 unused }`; the pattern is 1 + an index into the texts of the object, 0 for all hierarchies. */
export const cgroupPathLayout = { id: 0, pattern: 8, size: 16 } as const;
/** `{ u32 length; u8 bytes[] }` */
export const bufferHeader = 4;

/** Bytes of a value of `type` in memory, a multiple of 8 except for C records and arrays. */
export function sizeOf(type: AnyType): number {
  switch (type.kind) {
    case "none":
      return 0;
    case "string":
      return align8(type.size);
    case "buffer":
      return align8(bufferHeader + type.size);
    case "record":
      return type.size;
    case "array":
      return cSizeOf(type.of) * type.count;
    case "tuple":
      return layoutOf(type.items).size;
    case "stack":
      return stackLayout.size;
    case "usym":
      return usymLayout.size;
    case "inet":
      return inetLayout.size;
    case "timestamp":
      return timestampLayout.size;
    case "cgroup-path":
      return cgroupPathLayout.size;
    case "count":
    case "sum":
    case "min":
    case "max":
    case "avg":
    case "stats":
    case "hist":
    case "lhist":
    case "tseries":
      return aggregateSize(type);
    default:
      return 8;
  }
}

/** Bytes of a value of `type` as C lays it out, in the memory of the kernel or of a process. */
export function cSizeOf(type: AnyType): number {
  switch (type.kind) {
    case "int":
    case "enum":
      return type.size;
    case "bool":
      return 1;
    case "none":
      return 1; // GNU C: arithmetic on void * counts bytes
    case "string":
      return type.chars ?? type.size;
    default:
      return sizeOf(type);
  }
}

/** Bytes that C would give a structure of these members, or a value of this type; what sizeof() says. */
export function naturalSize(type: Type): number {
  return naturalLayout(type).size;
}

function naturalLayout(type: Type): { readonly size: number; readonly align: number } {
  if (type.kind === "tuple") {
    let [size, align] = [0, 1];
    for (const item of type.items.map(naturalLayout)) {
      size = Math.ceil(size / item.align) * item.align + item.size;
      align = Math.max(align, item.align);
    }
    return { size: Math.ceil(size / align) * align, align };
  }
  if (type.kind === "array") {
    const { size, align } = naturalLayout(type.of);
    return { size: size * type.count, align };
  }
  // Of text with its NUL, as bpftrace has it.
  const size = type.kind === "string" ? type.size : cSizeOf(type);
  if (type.kind === "string" || type.kind === "buffer") return { size, align: 1 };
  if (type.kind === "record") {
    // Of packed ones the size says less than their members would want.
    const wanted = type.members().map((member) => naturalLayout(member.type).align);
    const align = Math.max(1, ...wanted.filter((bytes) => size % bytes === 0));
    return { size, align };
  }
  return { size, align: Math.min(8, Math.max(1, size)) };
}

export interface Layout {
  readonly offsets: readonly number[];
  /** A multiple of 8. */
  readonly size: number;
}

/** Values one after the other, each on an 8-byte boundary: map keys of several parts, tuples, ring records. */
export function layoutOf(types: readonly AnyType[], start = 0): Layout {
  const offsets: number[] = [];
  let at = start;
  for (const type of types) {
    offsets.push(at);
    at = align8(at + sizeOf(type));
  }
  return { offsets, size: at };
}

/**
 * Per-CPU parts of an aggregate: `count {n}`, `sum {total}`, `min`/`max {value, isSet}`, `avg`/`stats {n, total}`,
 * histograms one u64 a bucket.
 */
export const aggregateLayout = { count: 0, sum: 0, extreme: 0, extremeSet: 8, samples: 0, total: 8 } as const;

/**
 * One interval of tseries(): 1 + its number since 1970, 0 if it was never used; a value; when that was, or how many there
 * were.
 */
export const seriesLayout = { mark: 0, value: 8, meta: 16, size: 24 } as const;

export function aggregateSize(type: AggregateType): number {
  switch (type.kind) {
    case "count":
    case "sum":
      return 8;
    case "min":
    case "max":
    case "avg":
    case "stats":
      return 16;
    case "hist":
      return 8 * histBuckets(type.bits);
    case "lhist":
      return 8 * lhistBuckets(type);
    case "tseries":
      return seriesLayout.size * type.intervals;
    default:
      return assertNever(type);
  }
}

/** Buckets of hist(n, bits): see output/histogram.ts for which value goes where. */
export const histBuckets = (bits: number): number => 2 + ((64 - bits + 1) << bits);

/** One below the range, the steps, one from the last whole step on. */
export const lhistBuckets = (type: { readonly min: bigint; readonly max: bigint; readonly step: bigint }): number =>
  Number((type.max - type.min) / type.step) + 2;

export const align8 = (n: number): number => (n + 7) & ~7;

export const isAggregate = (type: AnyType): type is AggregateType =>
  ["count", "sum", "min", "max", "avg", "stats", "hist", "lhist", "tseries"].includes(type.kind);

/** A tuple without names: as the only key of a map it is a key of several parts. */
export const isPlainTuple = <T extends AnyType>(type: T): type is Extract<T, { kind: "tuple" }> =>
  type.kind === "tuple" && type.names === undefined;

/** Where item `i` of a tuple goes in another: fields of records by their names, in whatever order they are. */
export function fieldIndex(from: Type, i: number, to: Type): number {
  if (from.kind !== "tuple" || to.kind !== "tuple" || from.names === undefined || to.names === undefined) return i;
  return to.names.indexOf(from.names[i] ?? "");
}
