// What programs tell user space: records of the ring.

import type { Value } from "../ir/ir.js";
import { type Action, recordHeader } from "../language/action.js";
import type { Dest } from "../language/lowering.js";
import type { TypedExpr } from "../language/typed.js";
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
): void {
  const size = recordHeader + align8(dataSize);
  const index = p.object.addAction(action, size);
  sendRecord(p, index, size, (record) => fill({ base: record, offset: recordHeader }));
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

/** Whether computing the expression can end the program: a block expression with exit() or return, a null in an iterator. */
function mayLeave(e: TypedExpr): boolean {
  switch (e.kind) {
    case "block":
      return true;
    case "arg-field":
      return e.field.source.kind === "context" && e.field.source.endsIfNull === true;
    case "deref":
      return mayLeave(e.pointer);
    case "member":
    case "element":
    case "item":
      return mayLeave(e.object);
    case "convert":
    case "reinterpret":
    case "not":
      return mayLeave(e.operand);
    case "address":
      return mayLeave(e.place);
    case "arithmetic":
    case "compare":
    case "compare-memory":
    case "logical":
      return mayLeave(e.left) || mayLeave(e.right);
    case "ternary":
      return [e.condition, e.then, e.else].some(mayLeave);
    case "tuple":
      return e.items.some(mayLeave);
    case "builtin":
      return e.args.some((arg) => arg.kind === "value" && mayLeave(arg.value));
    default:
      return false;
  }
}
