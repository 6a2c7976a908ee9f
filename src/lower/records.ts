// What programs tell user space: records of the ring.

import type { Value } from "../ir/ir.js";
import { type Action, recordHeader } from "../language/action.js";
import type { Dest } from "../language/lowering.js";
import type { TypedExpr } from "../language/typed.js";
import { endsAction, occursInExpression } from "../language/typed-walk.js";
import { align8, layoutOf, residence, sizeOf } from "../wire/layout.js";
import { systemMaps } from "../wire/map-storage.js";
import type { ProgramLowering } from "./program-lowering.js";

/** Sends the values of expressions, one after the other by layoutOf; `onFull` instead of counting the loss. */
export function sendFields(
  p: ProgramLowering,
  action: (size: number, offsets: readonly number[]) => Action,
  fields: readonly TypedExpr[],
  onFull?: () => void,
): void {
  const { b } = p;
  const layout = layoutOf(
    fields.map((f) => f.type),
    recordHeader,
  );
  // Registers first, and whatever may jump out of the program: once reserved, a record must be submitted.
  const ready = fields.map((field) => {
    if (residence(field.type) === "register") return p.value(field);
    if (!mayLeave(field)) return undefined;
    const temporary = p.temporary(sizeOf(field.type), "field");
    p.into(field, temporary, false);
    return temporary;
  });
  const index = p.object.addAction((size) => action(size, layout.offsets), layout.size);
  const fill = (record: Value): void => {
    for (const [i, field] of fields.entries()) {
      const offset = layout.offsets[i] ?? 0;
      const done = ready[i];
      if (done === undefined) p.scoped(() => p.into(field, { base: record, offset }, false));
      else if (typeof done === "number") b.store(8, record, offset, done);
      else b.copy(record, offset, done.base, done.offset, sizeOf(field.type));
    }
  };
  sendRecord(p, index, layout.size, fill, onFull);
}

/** Sends data that `fill` writes. */
export function sendBytes(
  p: ProgramLowering,
  action: (size: number) => Action,
  dataSize: number,
  fill: (dest: Dest) => void,
  onFull?: () => void,
): void {
  const size = recordHeader + align8(dataSize);
  const index = p.object.addAction(action, size);
  sendRecord(p, index, size, (record) => fill({ base: record, offset: recordHeader }), onFull);
}

/** Tells user space that something went wrong where the program is now. */
export function reportError(p: ProgramLowering, message: string): void {
  const { span } = p;
  const run: Action["run"] = (host) => host.emit({ kind: "runtime-error", message, span });
  sendBytes(
    p,
    (size) => ({ name: "runtime-error", size, run }),
    0,
    () => undefined,
  );
}

function sendRecord(
  p: ProgramLowering,
  index: number,
  size: number,
  fill: (record: Value) => void,
  onFull?: () => void,
): void {
  const { b } = p;
  const record = b.call("ringbuf_reserve", [b.map(systemMaps.events), b.const(size), b.const(0)]);
  p.ifPresent(
    record,
    () => {
      b.store(8, record, 0, b.const(index));
      fill(record);
      b.call("ringbuf_submit", [record, b.const(0)]);
    },
    onFull ?? (() => p.countLoss("ring-full")),
  );
}

/** Whether computing the value can end the program, or runs statements: they may leave, and send records of their own. */
const mayLeave = (e: TypedExpr): boolean =>
  occursInExpression(e, { expression: (each) => each.kind === "block" || endsAction(each) || sendsItself(each) });

const sendsItself = (e: TypedExpr): boolean => e.kind === "builtin" && e.builtin.sends?.(e.type) === true;
