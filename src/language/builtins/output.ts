// Ends the trace; prints arrays of strings.

import { bytesIn, joinedBytes } from "../../base/byte-text.js";
import { none, type Type } from "../../types/type.js";
import { decodeText } from "../../wire/decode.js";
import { align8 } from "../../wire/layout.js";
import { recordHeader } from "../action.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedExpr } from "../typed.js";
import { literalText, valueArg } from "./define.js";

const exit: Builtin = {
  name: "exit",
  params: [{ name: "code", kind: "int", optional: true }],
  doc: "Ends the trace, with this exit status; nothing after it in the action is run.",
  leaves: true,
  result: () => none,
  value: (l, args) => {
    sendExit(l, args[0]?.kind === "value" ? args[0].value : undefined);
    return undefined;
  },
};

/** Tells user space to end the trace with a status, by default 0, and leaves the action. */
export function sendExit(l: Lowering, code: TypedExpr | undefined): void {
  l.send(
    (size, offsets) => ({
      name: "exit",
      size,
      run: (host, view, offset) =>
        host.exit(code === undefined ? 0 : Number(view.getBigUint64(offset + (offsets[0] ?? 0), true) & 0xffn)),
    }),
    code === undefined ? [] : [code],
    // A trace must end when its script says so, however full the ring is.
    () => l.requestExit(code === undefined ? l.b.const(0) : l.b.bin("and", l.value(code), l.b.const(0xff))),
  );
  l.markExited();
  l.leave();
}

/** Elements that join() prints at most, and bytes of each: bpftrace's figures. */
const joinCount = 16;
const joinSize = 1024;
/** Of each there is one byte more, which tells that it is longer. */
const joinRoom = align8(joinSize + 1);

const join: Builtin = {
  name: "join",
  params: [
    { name: "array", kind: "address" },
    { name: "separator", kind: "literal-string", optional: true },
  ],
  doc: `Prints an array of strings (char **, ended by NULL) with a separator between them, by default a space; at most ${joinCount} strings of ${joinSize - 1} bytes. Where there is more, str_trunc_trailer stands.`,
  result: (_context: CheckContext) => none,
  value: (l, args) => {
    const array = valueArg(args, 0);
    const separator = args.length > 1 ? literalText(args, 1) : " ";
    const space = array.type.kind === "pointer" ? array.type.space : "none";
    const start = l.value(array);
    l.sendRaw(
      (size) => ({
        name: "join",
        size,
        run: (host, view, offset) => {
          const count = Number(view.getBigUint64(offset + recordHeader, true));
          const { trailer } = host.cut;
          const parts: string[] = [];
          for (let i = 0; i < Math.min(count, joinCount); i++)
            parts.push(joinText(view, offset + recordHeader + 8 + i * joinRoom, trailer));
          if (count > joinCount) parts.push(trailer);
          host.emit({ kind: "join", text: joinedBytes(parts.join(separator)) });
        },
      }),
      8 + joinCount * joinRoom,
      (dest) => {
        const { b } = l;
        b.store(8, dest.base, dest.offset, b.const(0));
        const done = b.newBlock();
        const pointerType: Type = { kind: "int", size: 8, signed: false };
        for (let i = 0; i <= joinCount; i++) {
          const element = l.read({ base: start, offset: 8 * i, space }, pointerType);
          const next = b.newBlock();
          b.branch("eq", element, b.const(0), done, next);
          b.seal(next);
          b.setBlock(next);
          if (i < joinCount) {
            const at = { base: dest.base, offset: dest.offset + 8 + i * joinRoom };
            b.store(1, at.base, at.offset, b.const(0));
            l.readText(l.address(at), b.const(joinSize + 1), element, space);
          }
          b.store(8, dest.base, dest.offset, b.const(i + 1));
        }
        b.jump(done);
        b.seal(done);
        b.setBlock(done);
      },
    );
    return undefined;
  },
};

function joinText(view: DataView, at: number, trailer: string): string {
  const text = decodeText(view, at, joinSize);
  return bytesIn(text) === joinSize ? decodeText(view, at, joinSize - 1) + trailer : text;
}

export const outputBuiltins: readonly Builtin[] = [exit, join];
