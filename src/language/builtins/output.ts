// Ends the trace; prints arrays of strings.

import { none, type Type } from "../../types/type.js";
import { joinLayout } from "../../wire/record.js";
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
    ([status]) => ({ kind: "exit", status }),
    code === undefined ? [] : [code],
    // A trace must end when its script says so, however full the ring is.
    () => l.requestExit(code === undefined ? l.b.const(0) : l.b.bin("and", l.value(code), l.b.const(0xff))),
  );
  l.markExited();
  l.leave();
}

const join: Builtin = {
  name: "join",
  params: [
    { name: "array", kind: "address" },
    { name: "separator", kind: "literal-string", optional: true },
  ],
  doc: `Prints an array of strings (char **, ended by NULL) with a separator between them, by default a space; at most ${joinLayout.most} strings of ${joinLayout.size - 1} bytes. Where there is more, str_trunc_trailer stands.`,
  result: (_context: CheckContext) => none,
  value: (l, args) => {
    const array = valueArg(args, 0);
    const separator = args.length > 1 ? literalText(args, 1) : " ";
    const space = array.type.kind === "pointer" ? array.type.space : "none";
    const start = l.value(array);
    l.sendRaw({ kind: "join", separator }, joinLayout.elements + joinLayout.most * joinLayout.room, (dest) => {
      const { b } = l;
      const count = dest.offset + joinLayout.count;
      b.store(8, dest.base, count, b.const(0));
      const done = b.newBlock();
      const pointerType: Type = { kind: "int", size: 8, signed: false };
      for (let i = 0; i <= joinLayout.most; i++) {
        const element = l.read({ base: start, offset: 8 * i, space }, pointerType);
        const next = b.newBlock();
        b.branch("eq", element, b.const(0), done, next);
        b.seal(next);
        b.setBlock(next);
        if (i < joinLayout.most) {
          const at = { base: dest.base, offset: dest.offset + joinLayout.elements + i * joinLayout.room };
          b.store(1, at.base, at.offset, b.const(0));
          l.readText(l.address(at), b.const(joinLayout.size + 1), element, space);
        }
        b.store(8, dest.base, count, b.const(i + 1));
      }
      b.jump(done);
      b.seal(done);
      b.setBlock(done);
    });
    return undefined;
  },
};

export const outputBuiltins: readonly Builtin[] = [exit, join];
