// The rule of a place in a file: a binary search in the file's table.

import type { FunctionBuilder } from "../../ir/builder.js";
import type { Value } from "../../ir/ir.js";
import { rowLayout, searchSteps } from "../../wire/unwind.js";

/** The rule of the last row at or in front of `place`; that of `none`, which is 0, if there is no such row. */
export function findRule(
  b: FunctionBuilder,
  { table, place }: { readonly table: Value; readonly place: Value },
): Value {
  const rule = b.newVariable();
  const [low, high] = [b.newVariable(), b.newVariable()];
  b.write(rule, b.const(0));
  b.write(low, b.const(1));
  b.write(high, b.const(0));
  const key = b.slotAddr(b.slot(4, 4, "row"));
  const row = (index: Value): Value => {
    b.store(4, key, 0, index);
    return b.call("map_lookup_elem", [table, key]);
  };
  const header = row(b.const(0));
  b.when("ne", header, b.const(0), "then", () => {
    b.write(high, b.bin("add", b.load(4, false, header, rowLayout.offset), b.const(1)));
  });
  b.loop(searchSteps, (_step, { next, leave }) => {
    const [more, enough, read] = [b.newBlock(), b.newBlock(), b.newBlock()];
    b.branch("ult", b.read(low), b.read(high), more, enough);
    b.seal(more);
    b.setBlock(more);
    const middle = b.bin("lshr", b.bin("add", b.read(low), b.read(high)), b.const(1));
    const entry = row(middle);
    b.branch("ne", entry, b.const(0), read, enough, "then");
    b.seal(enough);
    b.seal(read);
    b.setBlock(enough);
    leave();
    b.setBlock(read);
    b.either(
      "ule",
      b.load(4, false, entry, rowLayout.offset),
      place,
      () => {
        b.write(rule, b.load(4, false, entry, rowLayout.rule));
        b.write(low, b.bin("add", middle, b.const(1)));
      },
      () => b.write(high, middle),
    );
    next();
  });
  return b.read(rule);
}
