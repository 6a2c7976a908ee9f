import type { Value } from "../../ir/ir.js";
import type { Param } from "../builtin.js";
import { valueArg } from "../builtins/define.js";
import type { Dest, Lowering } from "../lowering.js";
import type { TypedArg } from "../typed.js";

export const number: Param = { name: "n", kind: "int" };

/** Adds to a number of this CPU's part; atomically where another run of the program can come in between. */
export function add(l: Lowering, dest: Dest, at: number, n: Value): void {
  const { b } = l;
  const offset = dest.offset + at;
  if (l.variant.preemptible) b.atomic("add", 8, dest.base, offset, n);
  else b.store(8, dest.base, offset, b.bin("add", b.load(8, false, dest.base, offset), n));
}

export const isSigned = (args: readonly TypedArg[]): boolean => {
  const { type } = valueArg(args, 0);
  return type.kind !== "int" || type.signed;
};

export function needed(n: Value | undefined): Value {
  if (n === undefined) throw new Error("internal: a map function without its number");
  return n;
}
