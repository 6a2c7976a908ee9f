// Addresses, byte order, sockets.

import { int, u8, u64 } from "../../types/type.js";
import { cSizeOf, inetLayout, residence } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import { describeType } from "../describe-type.js";
import { builtin, literalText, valueArg } from "./define.js";

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

/** Bytes of a hardware address. */
const macSize = 6;

const macaddr: Builtin = {
  name: "macaddr",
  params: [{ name: "bytes", kind: "any" }],
  doc: "A hardware address of 6 bytes, shown as 18:C0:4D:08:2E:BB.",
  result: ({ diags }, args) => {
    const e = valueArg(args, 0);
    const { type } = e;
    if (e.kind === "text")
      diags.error("type-mismatch", e.span, "macaddr() does not take literal text", {
        hint: "it takes the bytes of an address, e.g. macaddr($dev->perm_addr)",
      });
    else if (type.kind !== "pointer" && residence(type) !== "memory")
      diags.error("type-mismatch", e.span, `macaddr() takes bytes or a pointer to them, not ${describeType(type)}`);
    else if (type.kind !== "pointer" && cSizeOf(type) < macSize)
      diags.error("type-mismatch", e.span, "macaddr() argument must be at least 6 bytes in size");
    return { kind: "mac" };
  },
  value: (l, args) => {
    const { b } = l;
    const e = valueArg(args, 0);
    const bytes = l.temporary(8, "hardware address");
    b.store(8, bytes.base, bytes.offset, b.const(0));
    if (e.type.kind === "pointer") l.readBytes(l.address(bytes), b.const(macSize), l.value(e), e.type.space);
    else l.copyFrom(bytes, l.place(e), macSize);
    return b.load(8, false, bytes.base, bytes.offset);
  },
};

/** An address as its bytes in network order, or undefined. */
export function parseAddress(text: string): readonly number[] | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): readonly number[] | undefined {
  const parts = text.split(".");
  const bytes = parts.map((part) => (/^(?:0|[1-9][0-9]{0,2})$/.test(part) ? Number(part) : 256));
  return parts.length === 4 && bytes.every((byte) => byte < 256) ? bytes : undefined;
}

/** Groups of four hexadecimal digits, `::` for zeros, an IPv4 address as the last two groups (RFC 4291, 2.2). */
function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const parsed = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  const [head, tail] = parsed;
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 16 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...(tail ?? [])];
}

function parseGroups(text: string, last: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [i, group] of groups.entries()) {
    const mixed = last && i === groups.length - 1 && group.includes(".") ? parseIpv4(group) : undefined;
    if (mixed !== undefined) bytes.push(...mixed);
    else if (/^[0-9a-f]{1,4}$/i.test(group))
      bytes.push(Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255);
    else return undefined;
  }
  return bytes;
}

const pton: Builtin = {
  name: "pton",
  params: [{ name: "address", kind: "literal-string" }],
  doc: "The bytes of an IPv4 or IPv6 address in network order, from its text; known when the script is compiled.",
  result: ({ diags, span }, args) => {
    const bytes = parseAddress(literalText(args, 0));
    if (bytes === undefined)
      diags.error("bad-address", span, `pton(): '${literalText(args, 0)}' is no IPv4 or IPv6 address`, {
        hint: 'e.g. pton("192.0.2.1"), pton("2001:db8::1")',
      });
    return { kind: "array", of: u8, count: bytes?.length ?? 4 };
  },
  into: (l, args, _type, dest) => {
    const bytes = parseAddress(literalText(args, 0)) ?? [];
    for (let at = 0; at < bytes.length; at += 4) {
      const word = bytes.slice(at, at + 4).reduceRight((value, byte) => value * 256 + byte, 0);
      l.b.store(4, dest.base, dest.offset + at, l.b.const(word));
    }
    if (bytes.length === 4) l.b.store(4, dest.base, dest.offset + 4, l.b.const(0));
  },
};

const bswap: Builtin = {
  name: "bswap",
  params: [{ name: "n", kind: "int" }],
  doc: "The bytes of an integer in the opposite order; the result is unsigned and as wide as the integer.",
  result: ({ diags }, args) => {
    const { type, span } = valueArg(args, 0);
    if (type.kind !== "int") diags.error("type-mismatch", span, `bswap() takes an integer, not ${describeType(type)}`);
    return type.kind === "int" ? int(type.size, false) : u64;
  },
  rewrite: ({ span }, args, type) => {
    const e = valueArg(args, 0);
    if (e.kind !== "const" || type.kind !== "int") return undefined;
    const digits = BigInt.asUintN(8 * type.size, e.value)
      .toString(16)
      .padStart(2 * type.size, "0");
    return { kind: "const", value: BigInt(`0x${(digits.match(/../g) ?? []).reverse().join("")}`), type, span };
  },
  value: (l, args, type) => {
    const n = l.value(valueArg(args, 0));
    if (type.kind !== "int") throw new Error("internal: bswap of no integer");
    return type.size === 1 ? l.b.ext(1, false, n) : l.b.bswap(type.size, n);
  },
};

const socketCookie = builtin({
  name: "socket_cookie",
  uses: "typed-args",
  params: [{ name: "sock", kind: "address" }],
  type: u64,
  doc: "A number that the kernel gives to a socket and that stays the same while the socket lives; 0 for a null pointer.",
  since: "5.12",
  probes: "fentry, fexit, rawtracepoint",
  value: (l, args) => l.b.call("get_socket_cookie", [l.typedAddress(valueArg(args, 0))]),
});

export const networkBuiltins: readonly Builtin[] = [ntop, pton, macaddr, bswap, socketCookie];
