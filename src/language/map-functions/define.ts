import type { Value } from "../../ir/ir.js";
import { cellsOf } from "../../wire/chunks.js";
import type { Param } from "../builtin.js";
import { valueArg } from "../builtins/define.js";
import type { Dest, Lowering } from "../lowering.js";
import type { MapFunction } from "../map-function.js";
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

/** The two ways to a cell: in a whole value, or wherever a piece of the value is. */
export const ofCells = (find: NonNullable<MapFunction["cell"]>): Pick<MapFunction, "cell" | "update"> => ({
  cell: find,
  update: (l, dest, n, type) => {
    const { b } = l;
    const cells = cellsOf(type);
    if (cells === undefined) throw new Error("internal: a value without cells");
    const { index, update } = find(l, n, type);
    // The comparison only tells the verifier what is true anyway.
    b.when("ult", index, b.const(cells.count), "then", () =>
      update({ base: b.bin("add", dest.base, timesSize(l, index, cells.size)), offset: dest.offset }),
    );
  },
});

/** Distance of a cell from the first. */
export const timesSize = ({ b }: Lowering, index: Value, size: number): Value =>
  size === 8 ? b.bin("shl", index, b.const(3)) : b.bin("mul", index, b.const(size));
