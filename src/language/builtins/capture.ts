// Packets to files.

import { i64, u64 } from "../../types/type.js";
import { packetLayout } from "../../wire/record.js";
import type { Builtin } from "../builtin.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { literalNumber, literalText, valueArg } from "./define.js";
import { memberPath } from "./task.js";
import { clamped } from "./text.js";

/** Bytes of a packet that are kept at most: more than frames of Ethernet have. */
const mostBytes = 4096;
const ENOSPC = -28;

interface Packet {
  readonly data: TypedExpr;
  readonly length: TypedExpr;
  readonly outside: TypedExpr;
}

/** Where a struct sk_buff has its bytes; include/linux/skbuff.h. */
function packetOf(args: readonly TypedArg[]): Packet | undefined {
  const skb = valueArg(args, 1);
  const [data, length, outside] = ["data", "len", "data_len"].map((name) => memberPath(skb, [name]));
  return data === undefined || length === undefined || outside === undefined ? undefined : { data, length, outside };
}

export const skboutput: Builtin = {
  name: "skboutput",
  params: [
    { name: "path", kind: "literal-string" },
    { name: "skb", kind: "address" },
    { name: "length", kind: "int" },
    { name: "offset", kind: "literal-int" },
  ],
  doc: `Writes the first length bytes of a packet, without offset bytes at its start, to a pcap file of IP packets (raw, without Ethernet). What the kernel keeps outside of the packet's head is left out; at most ${mostBytes} bytes. 0, or a negative error.`,
  result: (context, args) => {
    if (packetOf(args) === undefined)
      context.diags.error("type-mismatch", valueArg(args, 1).span, "skboutput() takes a struct sk_buff *", {
        hint: "e.g. args.skb, or (struct sk_buff *)arg0",
      });
    const offset = literalNumber(args, 3) ?? 0n;
    if (offset < 0n || offset > BigInt(mostBytes))
      context.diags.error("bad-argument", context.span, `skboutput() takes an offset from 0 to ${mostBytes}`);
    return i64;
  },
  value: (l, args) => {
    const { b } = l;
    const packet = packetOf(args);
    if (packet === undefined) throw new Error("internal: skboutput without a packet");
    const path = literalText(args, 0);
    const offset = Number(literalNumber(args, 3) ?? 0n);
    const data = l.value(packet.data);
    const whole = l.value(packet.length);
    const head: TypedExpr = {
      kind: "arithmetic",
      op: "sub",
      left: packet.length,
      right: packet.outside,
      type: u64,
      span: l.span,
    };
    const wanted: TypedExpr = {
      kind: "ternary",
      condition: {
        kind: "compare",
        cmp: "ult",
        left: valueArg(args, 2),
        right: head,
        type: { kind: "bool" },
        span: l.span,
      },
      then: valueArg(args, 2),
      else: head,
      type: u64,
      span: l.span,
    };
    const kept = clamped(l, wanted, mostBytes);
    const result = b.newVariable();
    b.write(result, b.const(ENOSPC));
    l.sendRaw({ kind: "packet", path, skip: offset }, packetLayout.bytes + mostBytes, (dest) => {
      b.store(8, dest.base, dest.offset + packetLayout.time, b.call("ktime_get_ns", []));
      b.store(4, dest.base, dest.offset + packetLayout.kept, kept);
      b.store(4, dest.base, dest.offset + packetLayout.length, whole);
      const to = { base: dest.base, offset: dest.offset + packetLayout.bytes };
      b.write(result, l.readBytes(l.address(to), kept, data, "kernel"));
    });
    return b.read(result);
  },
};
