// Strings and what prints like one.
import { string } from "../../types/type.js";
import { cSizeOf, inetLayout, residence, sizeOf } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import { valueArg } from "./define.js";

const str: Builtin = {
  name: "str",
  params: [
    { name: "address", kind: "any", positionalText: true },
    { name: "length", kind: "int", optional: true },
  ],
  doc: "The NUL-terminated text at an address, at most length (or the setting max_strlen) bytes with its end.",
  result: ({ config, diags, span }, args) => {
    const from = valueArg(args, 0);
    if (from.type.kind === "string") return from.type;
    const usable = from.type.kind === "pointer" || from.type.kind === "int" || from.type.kind === "array";
    if (!usable) diags.error("type-mismatch", span, `str() takes an address, not ${from.type.kind}`);
    const limit = args[1]?.kind === "value" && args[1].value.kind === "const" ? args[1].value.value : undefined;
    const size =
      limit === undefined || limit > BigInt(config.max_strlen) ? config.max_strlen : Number(limit > 0n ? limit : 1n);
    return string(size);
  },
  rewrite: (_context, args, type) => {
    const from = valueArg(args, 0);
    // A string already; str(literal, n) cuts it.
    if (from.type.kind !== "string") return undefined;
    const limit = args[1]?.kind === "value" && args[1].value.kind === "const" ? Number(args[1].value.value) : undefined;
    if (limit === undefined || from.kind !== "text") return { ...from, type };
    const value = from.value.slice(0, Math.max(0, limit));
    return { ...from, value, type: string(value.length + 1) };
  },
  into: (l, args, type, dest, clean) => {
    const { b } = l;
    if (type.kind !== "string") throw new Error("internal: str without a size");
    const from = valueArg(args, 0);
    const limit = args[1]?.kind === "value" && args[1].value.kind !== "const" ? args[1].value : undefined;
    if (clean) b.zero(dest.base, dest.offset, sizeOf(type));
    else b.store(1, dest.base, dest.offset, b.const(0));
    let size = b.const(type.size);
    if (limit !== undefined) {
      // min(limit, size) by a branch, so that the verifier knows the bound.
      const chosen = b.newVariable();
      const wanted = l.value(limit);
      b.write(chosen, wanted);
      const cut = b.newBlock();
      const go = b.newBlock();
      b.branch("ugt", wanted, size, cut, go);
      b.seal(cut);
      b.setBlock(cut);
      b.write(chosen, size);
      b.jump(go);
      b.seal(go);
      b.setBlock(go);
      size = b.read(chosen);
    }
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

const AF_INET = 2n;
const AF_INET6 = 10n;

const ntop: Builtin = {
  name: "ntop",
  params: [
    { name: "family or address", kind: "any" },
    { name: "address", kind: "any", optional: true },
  ],
  doc: "An IPv4 or IPv6 address as text: ntop(address) or ntop(AF_INET, address); the address is an integer in network order, or 4 or 16 bytes.",
  result: ({ diags, span }, args) => {
    const { type } = valueArg(args, args.length - 1);
    const size = residence(type) === "memory" ? cSizeOf(type) : 4;
    const isBytes = type.kind === "array" || type.kind === "string" || type.kind === "record";
    if (type.kind !== "int" && !(isBytes && (size === 4 || size === 16))) {
      diags.error("type-mismatch", span, "ntop() takes an integer, or an array of 4 or 16 bytes", {
        hint: "e.g. ntop($sk.__sk_common.skc_rcv_saddr)",
      });
    }
    return { kind: "inet" };
  },
  into: (l, args, _type, dest) => {
    const { b } = l;
    const from = valueArg(args, args.length - 1);
    b.zero(dest.base, dest.offset, inetLayout.size);
    const isInteger = from.type.kind === "int";
    const size = isInteger ? 4 : cSizeOf(from.type);
    const family = args.length > 1 ? l.value(valueArg(args, 0)) : b.const(size === 16 ? AF_INET6 : AF_INET);
    b.store(8, dest.base, dest.offset + inetLayout.family, family);
    const to = { base: dest.base, offset: dest.offset + inetLayout.address };
    if (isInteger) b.store(4, to.base, to.offset, l.value(from));
    else l.copyFrom(to, l.place(from), size);
  },
};

export const textBuiltins: readonly Builtin[] = [str, ntop];
