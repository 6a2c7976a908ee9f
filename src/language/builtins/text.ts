// Strings and what prints like one.
import { bytesIn, sliceBytes } from "../../base/byte-text.js";
import type { Value } from "../../ir/ir.js";
import { string } from "../../types/type.js";
import { sizeOf } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedExpr } from "../typed.js";
import { valueArg } from "./define.js";

/**
 * A length of at most `most`, by a branch, so that the verifier knows the bound; `isTold`: where it was more, that is counted.
 * What is negative is an error of the caller's, such as a system call's, and no length.
 */
export function clamped(l: Lowering, length: TypedExpr, most: number, isTold = false): Value {
  const { b } = l;
  const chosen = b.newVariable();
  const wanted = l.value(length);
  b.write(chosen, wanted);
  b.when("ugt", wanted, b.const(most), undefined, () => {
    b.write(chosen, b.const(most));
    if (isTold) b.when("sgt", wanted, b.const(most), undefined, () => l.countLoss("cut"));
  });
  return b.read(chosen);
}

const str: Builtin = {
  name: "str",
  params: [
    { name: "address", kind: "text", positionalText: true },
    { name: "length", kind: "int", optional: true },
  ],
  doc: "The NUL-terminated text at an address, at most length bytes with its end; without a length, or with a larger one, max_strlen bytes and str_trunc_trailer behind what was cut.",
  result: ({ config, diags, span }, args) => {
    const from = valueArg(args, 0);
    if (from.type.kind === "string") return from.type;
    const usable = from.type.kind === "pointer" || from.type.kind === "int" || from.type.kind === "array";
    if (!usable) diags.error("type-mismatch", span, `str() takes an address, not ${from.type.kind}`);
    const limit = args[1]?.kind === "value" && args[1].value.kind === "const" ? args[1].value.value : undefined;
    // Without a length, max_strlen counts the text's own bytes: what is cut there is shown with str_trunc_trailer.
    const size =
      limit === undefined || limit > BigInt(config.max_strlen)
        ? config.max_strlen + 1
        : Number(limit > 0n ? limit : 1n);
    return string(size);
  },
  rewrite: (_context, args, type) => {
    const from = valueArg(args, 0);
    // A string already; str(literal, n) cuts it.
    if (from.type.kind !== "string") return undefined;
    const limit = args[1]?.kind === "value" && args[1].value.kind === "const" ? Number(args[1].value.value) : undefined;
    if (limit === undefined || from.kind !== "text") return { ...from, type };
    const value = sliceBytes(from.value, 0, Math.max(0, limit));
    return { ...from, value, type: string(bytesIn(value) + 1) };
  },
  into: (l, args, type, dest, clean) => {
    const { b } = l;
    if (type.kind !== "string") throw new Error("internal: str without a size");
    const from = valueArg(args, 0);
    const limit = args[1]?.kind === "value" && args[1].value.kind !== "const" ? args[1].value : undefined;
    if (clean) b.zero(dest.base, dest.offset, sizeOf(type));
    else b.store(1, dest.base, dest.offset, b.const(0));
    const size = limit === undefined ? b.const(type.size) : clamped(l, limit, type.size);
    if (from.type.kind === "array") {
      const place = l.place(from);
      const helper = place.space === "user" ? "probe_read_user_str" : "probe_read_kernel_str";
      b.call(helper, [l.address(dest), size, l.address(place)]);
      return;
    }
    const space = from.type.kind === "pointer" ? from.type.space : "none";
    l.readText(l.address(dest), size, l.value(from), space);
  },
};

export const textBuiltins: readonly Builtin[] = [str];
