import type { Value } from "../ir/ir.js";
import type { AggregateType } from "../types/type.js";
import type { CheckContext, Param } from "./builtin.js";
import type { Dest, Lowering } from "./lowering.js";
import type { TypedArg } from "./typed.js";

/** `@x = count()` and its kind: what the assignment does to this CPU's part of the map's value. */
export interface MapFunction {
  readonly name: string;
  readonly doc: string;
  readonly params: readonly Param[];
  result(context: CheckContext, args: readonly TypedArg[]): AggregateType;
  /** Updates the value at `dest`; `n` is the first argument, if it has one. */
  update(l: Lowering, dest: Dest, n: Value | undefined, type: AggregateType): void;
  /** Finds the cell that is to be updated, of those that have many (wire/chunks.ts). */
  cell?(l: Lowering, n: Value | undefined, type: AggregateType): Cell;
}

/** One of the equal parts that a value consists of. */
export interface Cell {
  readonly index: Value;
  /** Updates it where it is; `shared` with other processors, if it is a counter of one word. */
  update(dest: Dest, shared?: "shared"): void;
}
