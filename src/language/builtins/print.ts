// print(): values, entries and maps in their own form.

import { shownType } from "../../types/shown-type.js";
import { none } from "../../types/type.js";
import { isAggregate, layoutOf, sizeOf } from "../../wire/layout.js";
import { recordHeader } from "../../wire/record.js";
import type { Builtin } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { literalNumber, valueArg } from "./define.js";

export const print: Builtin = {
  name: "print",
  shows: true,
  printsMaps: true,
  params: [
    { name: "value or map", kind: "printable" },
    { name: "top", kind: "literal-int", optional: true },
    { name: "div", kind: "literal-int", optional: true },
  ],
  doc: "Prints a value, one entry of a map, or a whole map, of which top says how many entries and div what to divide values by.",
  result: (context, args) => {
    const first = args[0];
    if (first?.kind === "value" && args.length > 1) {
      context.diags.error("bad-argument", context.span, "only a map can be printed with top and div");
    }
    if (first?.kind === "entry" && context.mapTypes(first.access.map)?.value.kind === "tseries") {
      context.diags.error("bad-argument", first.span, "one series of a map cannot be printed", {
        hint: `print(${first.access.map}) shows them side by side`,
      });
    }
    return none;
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind === "map") printMap(l, first.map, args);
    else if (first?.kind === "entry") printEntry(l, first);
    else printValue(l, valueArg(args, 0));
    return undefined;
  },
};

function printMap(l: Lowering, name: string, args: readonly TypedArg[]): void {
  const [top, div] = [literalNumber(args, 1), literalNumber(args, 2)];
  const empties = l.taken.prints.get(args);
  const limits = {
    top: top === undefined ? undefined : Number(top),
    div: div === 0n ? undefined : div,
  };
  l.send(() => ({ kind: "map", map: name, limits, empties, isControl: true, mayWait: true }), []);
}

function printValue(l: Lowering, value: TypedExpr): void {
  l.send(([field = { type: shownType(value.type), offset: recordHeader }]) => ({ kind: "value", field }), [value]);
}

/** `print(@x[key])`: aggregates are read by user space, which sees all CPUs; other values travel themselves. */
function printEntry(l: Lowering, arg: Extract<TypedArg, { kind: "entry" }>): void {
  const { access } = arg;
  const map = l.map(access.map);
  const keyTypes = map.key ?? [];
  const { offsets, size: valueOffset } = layoutOf(keyTypes, recordHeader);
  const keySize = valueOffset - recordHeader;
  const fields = keyTypes.map((type, i) => ({ type: shownType(type), offset: offsets[i] ?? 0 }));
  const record = { kind: "entry", map: access.map, key: fields, keySize } as const;
  if (isAggregate(map.value)) {
    const key = l.key(access);
    l.sendRaw({ ...record, value: undefined }, keySize, (dest) =>
      l.copyFrom(dest, { base: key, offset: 0, space: "bpf" }, keySize),
    );
    return;
  }
  const valueDest = l.temporary(sizeOf(map.value), "value");
  const key = l.entry(access, valueDest);
  l.sendRaw(
    { ...record, value: { type: shownType(map.value), offset: valueOffset } },
    keySize + sizeOf(map.value),
    (dest) => {
      l.copyFrom(dest, { base: key, offset: 0, space: "bpf" }, keySize);
      const at = { base: dest.base, offset: dest.offset + keySize };
      l.copyFrom(at, { ...valueDest, space: "bpf" }, sizeOf(map.value));
    },
  );
}
