import type { BtfId } from "../base/branded.js";

export interface BtfMember {
  /** Empty for an anonymous structure or union (and for unnamed padding bit fields). */
  readonly name: string;
  readonly type: BtfId;
  /** Bits from the start of the structure. */
  readonly bitOffset: number;
  /** Width of a bit field, 0 otherwise. */
  readonly bitSize: number;
}

export interface BtfRecord {
  readonly kind: "struct" | "union";
  /** Empty if anonymous. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly BtfMember[];
}

export interface BtfEnum {
  readonly kind: "enum";
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

export interface BtfParam {
  /** Empty if the prototype does not say. */
  readonly name: string;
  /** 0 (void) as the last one stands for `...`. */
  readonly type: BtfId;
}

/** One type of a BTF blob, decoded: Documentation/bpf/btf.rst, Linux 6.12. */
export type BtfType =
  | { readonly kind: "void" }
  | {
      readonly kind: "int";
      readonly name: string;
      readonly size: number;
      /** Fewer than 8 * size only for old-style bit fields. */
      readonly bits: number;
      readonly signed: boolean;
      readonly bool: boolean;
      readonly char: boolean;
    }
  | { readonly kind: "pointer"; readonly to: BtfId }
  | { readonly kind: "array"; readonly of: BtfId; readonly index: BtfId; readonly count: number }
  | BtfRecord
  | BtfEnum
  | { readonly kind: "forward"; readonly name: string; readonly union: boolean }
  | { readonly kind: "typedef"; readonly name: string; readonly to: BtfId }
  | { readonly kind: "const" | "volatile" | "restrict"; readonly to: BtfId }
  | { readonly kind: "func"; readonly name: string; readonly proto: BtfId; readonly linkage: number }
  | { readonly kind: "func-proto"; readonly returns: BtfId; readonly params: readonly BtfParam[] }
  | { readonly kind: "var"; readonly name: string; readonly type: BtfId; readonly linkage: number }
  | {
      readonly kind: "datasec";
      readonly name: string;
      readonly size: number;
      readonly vars: readonly { readonly type: BtfId; readonly offset: number; readonly size: number }[];
    }
  | { readonly kind: "float"; readonly name: string; readonly size: number }
  /** `component` is the index of the member or parameter that is tagged, -1 for the type itself. */
  | { readonly kind: "decl-tag"; readonly name: string; readonly to: BtfId; readonly component: number }
  | { readonly kind: "type-tag"; readonly name: string; readonly to: BtfId };

/** The kinds that carry a name to be found by. */
export type BtfNamedKind =
  | "int"
  | "struct"
  | "union"
  | "enum"
  | "forward"
  | "typedef"
  | "func"
  | "var"
  | "datasec"
  | "float"
  | "decl-tag"
  | "type-tag";
