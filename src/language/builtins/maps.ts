// What is done to maps as a whole and to their entries.

import { bool, i64, none } from "../../types/type.js";
import { isAggregate, stackLayout } from "../../wire/layout.js";
import type { Emptying } from "../../wire/record.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { describeType } from "../describe-type.js";
import type { TypedArg } from "../typed.js";
import { builtin, valueArg } from "./define.js";

const emptying = (name: Emptying, doc: string): Builtin => ({
  ...builtin({
    name,
    params: [{ name: "map", kind: "map" }],
    type: none,
    doc,
    value: (l, args) => {
      const map = args[0]?.kind === "map" ? args[0].map : "";
      // The print() in front of it has done that.
      if (!l.taken.done.has(args))
        l.send(() => ({ kind: "empty", map, how: name, isControl: true, mayWait: true }), []);
      return undefined;
    },
  }),
  empties: name,
});

const clear = emptying("clear", "Removes all entries of a map.");
const zero = emptying("zero", "Sets all values of a map to zero and keeps its keys.");

const remove: Builtin = {
  name: "delete",
  params: [
    { name: "entry or map", kind: "entry-or-map", keyFollows: true },
    { name: "key", kind: "any", optional: true },
  ],
  doc: "Removes an entry of a map, in the kernel at once: delete(@m[key]), delete(@m, key), or delete(@m) for a map without keys. True if it was there.",
  result: (context, args) => {
    const first = args[0];
    if (first?.kind === "entry" && first.access.key.length === 0) {
      const { map } = first.access;
      if (context.mapTypes(map)?.key !== undefined) {
        const hint = `delete(${map}, key) removes one entry, clear(${map}) all of them`;
        context.diags.error("bad-argument", first.span, `${map} has keys: which entry is to be removed?`, { hint });
      }
    }
    return bool;
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind !== "entry") throw new Error("internal: delete of no entry");
    return l.deleteEntry(first.access);
  },
};

/** Reports a map without keys where only one with keys makes sense. */
function needsKeys(context: CheckContext, name: string, arg: TypedArg | undefined): void {
  const map = arg?.kind === "entry" ? arg.access.map : arg?.kind === "map" ? arg.map : undefined;
  if (map === undefined || arg === undefined) return;
  const types = context.mapTypes(map);
  if (types === undefined || types.key !== undefined) return;
  context.diags.error(
    "bad-argument",
    context.span,
    `call to ${name}() expects a map with explicit keys (non-scalar map)`,
    { hint: `${map} holds one value and has no keys` },
  );
}

const hasKey: Builtin = {
  name: "has_key",
  params: [
    { name: "map", kind: "entry", keyFollows: true },
    { name: "key", kind: "any" },
  ],
  doc: "Whether a map has an entry of this key: has_key(@m, key), has_key(@m, (1, 2)).",
  result: (context, args) => {
    needsKeys(context, "has_key", args[0]);
    return bool;
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind !== "entry") throw new Error("internal: has_key of no entry");
    const { b } = l;
    const found = b.newVariable();
    l.ifPresent(
      b.call("map_lookup_elem", [b.map(first.access.map), l.key(first.access)]),
      () => b.write(found, b.const(1)),
      () => b.write(found, b.const(0)),
    );
    return b.read(found);
  },
};

const find: Builtin = {
  name: "find",
  params: [
    { name: "map", kind: "entry", keyFollows: true },
    { name: "key", kind: "any" },
    { name: "variable", kind: "receiver" },
  ],
  doc: "Whether a map has an entry of this key; if so, the variable gets its value: find(@m, key, $value).",
  result: (context, args) => {
    needsKeys(context, "find", args[0]);
    const first = args[0];
    const held = first?.kind === "entry" ? context.mapTypes(first.access.map)?.value : undefined;
    if (held !== undefined && isAggregate(held))
      context.diags.error("type-mismatch", context.span, `a variable cannot hold ${describeType(held)}`, {
        hint: "has_key() tells whether there is an entry",
      });
    return bool;
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind !== "entry") throw new Error("internal: find of no entry");
    return l.findEntry(first.access, valueArg(args, 1));
  },
};

const len: Builtin = {
  name: "len",
  params: [{ name: "map or stack", kind: "printable" }],
  doc: "How many entries a map has, or frames a stack.",
  since: "5.13",
  result: (context, args) => {
    const first = args[0];
    if (first?.kind === "value" && first.value.type.kind !== "stack") {
      context.diags.error(
        "type-mismatch",
        context.span,
        `len() takes a map or a stack, not ${describeType(first.value.type)}`,
        first.value.type.kind === "string" ? { hint: "strlen() is the length of a text" } : {},
      );
    }
    if (first?.kind === "entry")
      context.diags.error("bad-argument", context.span, "len() takes a whole map", {
        hint: `leave the key out: len(${first.access.map})`,
      });
    needsKeys(context, "len", first);
    if (first?.kind === "value") context.wantStackLengths();
    return i64;
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind === "map") return l.countEntries(first.map);
    const stack = first?.kind === "value" ? first.value : undefined;
    if (stack === undefined) throw new Error("internal: len of nothing");
    const place = l.place(stack);
    return l.b.load(4, false, place.base, place.offset + stackLayout.frames);
  },
};

export const mapBuiltins: readonly Builtin[] = [clear, zero, remove, hasKey, find, len];
