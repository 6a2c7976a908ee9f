// The names of attach points as text that programs can search, compare and join.
import { bytesIn, encodeBytes } from "../../base/byte-text.js";
import { string, type Type } from "../../types/type.js";
import { align8 } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import type { Target } from "../probe.js";
import type { TypedExpr } from "../typed.js";
import { valueArg } from "./define.js";

type NameKind = "probe" | "func";

const nameOf = (target: Target, kind: NameKind): string => (kind === "func" ? target.func : target.name);

/** Bytes of a row of the table: the longest name with its NUL. */
const rowSize = (targets: readonly Target[], kind: NameKind): number =>
  align8(Math.max(0, ...targets.map((target) => bytesIn(nameOf(target, kind)))) + 1);

/** Row 0 is empty: a map's entry that was never set. */
function tableOf(targets: readonly Target[], kind: NameKind): Uint8Array {
  const size = rowSize(targets, kind);
  const bytes = new Uint8Array(size * (targets.length + 1));
  for (const [i, target] of targets.entries()) bytes.set(encodeBytes(nameOf(target, kind)), size * (i + 1));
  return bytes;
}

const textOf = (kind: NameKind): Builtin => ({
  name: kind,
  doc: "",
  result: () => string(1),
  into: (l, args, _type, dest) => {
    const { b } = l;
    const targets = l.allTargets;
    const size = rowSize(targets, kind);
    const table = l.table(`${kind}_names`, () => tableOf(targets, kind));
    const index = b.newVariable();
    b.write(index, l.value(valueArg(args, 0)));
    b.when("ugt", b.read(index), b.const(targets.length), "else", () => {
      b.write(index, b.const(0));
    });
    const from = b.bin("add", table, b.bin("mul", b.read(index), b.const(size)));
    b.copy(dest.base, dest.offset, from, 0, size);
  },
});

const builtins: Readonly<Record<NameKind, Builtin>> = { probe: textOf("probe"), func: textOf("func") };

const isName = (type: Type): type is Type & { readonly kind: NameKind } =>
  type.kind === "probe" || type.kind === "func";

/** What is the name of an attach point or of its function as text of the script's; anything else as it is. */
export function nameAsText(e: TypedExpr, targets: readonly Target[]): TypedExpr {
  if (!isName(e.type)) return e;
  const { kind } = e.type;
  const args = [{ kind: "value", value: e }] as const;
  return { kind: "builtin", builtin: builtins[kind], args, type: string(rowSize(targets, kind)), span: e.span };
}
