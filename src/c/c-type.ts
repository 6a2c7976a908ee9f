import type { IntSize } from "../types/type.js";

/** A type as C knows it, whatever memory its pointers point into. */
export type CType =
  | { readonly kind: "void" }
  | { readonly kind: "function" }
  | { readonly kind: "bool" }
  /** `char` itself is marked: arrays of it are text, those of `signed char` are numbers. */
  | { readonly kind: "int"; readonly size: IntSize; readonly signed: boolean; readonly char?: boolean }
  /** Floating point and 128-bit integers: known by their size only. */
  | { readonly kind: "opaque"; readonly size: number; readonly align: number }
  | { readonly kind: "pointer"; readonly to: CType; readonly user: boolean }
  /** Flexible arrays have no elements. */
  | { readonly kind: "array"; readonly of: CType; readonly count: number }
  | { readonly kind: "record"; readonly record: CRecord }
  | { readonly kind: "enum"; readonly of: CEnum }
  /** A type whose alignment is raised: `typedef int aligned_int __attribute__((aligned(16)))`. */
  | { readonly kind: "aligned"; readonly of: CType; readonly align: number }
  /** A typedef name that no source defines; perhaps the kernel's type information does. */
  | { readonly kind: "unknown"; readonly name: string };

export interface CMember {
  /** Undefined for anonymous structures and unions, and for unnamed bit fields. */
  readonly name: string | undefined;
  readonly type: CType;
  /** Of a bit field. */
  readonly width: number | undefined;
  readonly packed: boolean;
  /** Of `__attribute__((aligned(n)))`, 0 without. */
  readonly align: number;
}

/** A structure or union; made when its tag is first seen, filled when it is defined. */
export interface CRecord {
  /** `struct Foo`; anonymous ones have a number, so that no two are the same. */
  readonly name: string;
  readonly union: boolean;
  readonly anonymous: boolean;
  definition: CRecordDefinition | undefined;
}

export interface CRecordDefinition {
  readonly members: readonly CMember[];
  readonly packed: boolean;
  readonly align: number;
  /** Of `#pragma pack(n)`: no member is aligned to more; 0 without. */
  readonly pack: number;
  /** Why a member could not be understood: nothing is known of the layout then. */
  readonly problem: string | undefined;
}

export interface CEnum {
  readonly name: string;
  values: readonly { readonly name: string; readonly value: bigint }[];
  size: IntSize;
  signed: boolean;
  defined: boolean;
}

export const cInt = (size: IntSize, signed: boolean): CType => ({ kind: "int", size, signed });
export const cVoid: CType = { kind: "void" };
export const cLong = cInt(8, true);

/** The type without a raised alignment around it. */
export const plain = (type: CType): CType => (type.kind === "aligned" ? plain(type.of) : type);
