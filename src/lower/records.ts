// What programs tell user space: records of the ring.

import type { Value } from "../ir/ir.js";
import { ownId } from "../language/builtins/process-id.js";
import type { Dest } from "../language/lowering.js";
import type { TypedExpr } from "../language/typed.js";
import { endsAction, occursInExpression } from "../language/typed-walk.js";
import { shownType } from "../types/shown-type.js";
import type { StackType } from "../types/type.js";
import { align8, framesFollow, layoutOf, residence, sizeOf, stackLayout } from "../wire/layout.js";
import { buildIdFrame, systemMaps } from "../wire/map-storage.js";
import { type RecordField, type RecordInit, recordHeader } from "../wire/record.js";
import type { ProgramLowering } from "./program-lowering.js";
import { type FreshStack, withoutStacks } from "./shown-stacks.js";
import { waitForRoom } from "./waiting.js";

/** Records of stacks up to here are written into the ring as large as they can become. */
const wholeRecord = 192;

/**
 * Sends the values of expressions, one after the other by layoutOf; `onFull` instead of counting the loss. Behind them stand
 * the frames of the stacks among them that this run of the program takes.
 */
export function sendFields(
  p: ProgramLowering,
  record: (fields: readonly RecordField[]) => RecordInit,
  values: readonly TypedExpr[],
  onFull?: () => void,
): void {
  const { b } = p;
  const layout = layoutOf(
    values.map((value) => value.type),
    recordHeader,
  );
  const stacks: FreshStack[] = [];
  const fields = values.map((value, i) => {
    const fresh = p.shownStacks.freshIn(value);
    for (const stack of fresh) stacks.push({ ...stack, offset: (layout.offsets[i] ?? 0) + stack.offset });
    return withoutStacks(value, fresh);
  });
  // Registers first, and whatever may jump out of the program: once reserved, a record must be submitted.
  const ready = fields.map((field) => {
    if (residence(field.type) === "register") return p.value(field);
    if (!mayLeave(field)) return undefined;
    const temporary = p.temporary(sizeOf(field.type), "field");
    p.into(field, temporary, false);
    return temporary;
  });
  const largest = stacks.reduce((size, { type }) => size + framesSize(type), layout.size);
  const described = values.map(({ type }, i) => ({ type: shownType(type), offset: layout.offsets[i] ?? 0 }));
  const index = p.object.addRecord({ ...record(described), size: largest });
  const fill = (record: Value): void => {
    for (const [i, field] of fields.entries()) {
      const offset = layout.offsets[i] ?? 0;
      const done = ready[i];
      if (done === undefined) p.scoped(() => p.into(field, { base: record, offset }, false));
      else if (typeof done === "number") b.store(8, record, offset, done);
      else b.copy(record, offset, done.base, done.offset, sizeOf(field.type));
    }
  };
  if (stacks.length > 0) p.object.stacksTravel = true;
  if (stacks.length === 0) sendRecord(p, index, layout.size, fill, onFull);
  else if (largest <= wholeRecord && !stacks.some(({ type }) => type.unwound === true))
    sendRecord(
      p,
      index,
      largest,
      (record) => {
        fill(record);
        let at = layout.size;
        for (const stack of stacks) {
          addFrames(p, record, stack, b.const(at));
          at += framesSize(stack.type);
        }
      },
      onFull,
    );
  else sendLong(p, index, layout.size, largest, fill, stacks, onFull);
}

/** A record that is as long as the stacks behind its fields are: the ring takes it from other memory. */
function sendLong(
  p: ProgramLowering,
  index: number,
  size: number,
  largest: number,
  fill: (record: Value) => void,
  stacks: readonly FreshStack[],
  onFull: () => void = fullRing(p, index),
): void {
  const { b } = p;
  const record = p.address(p.temporary(largest, "record"));
  writeHeader(p, record, index);
  fill(record);
  const end = stacks.reduce((at, stack) => b.bin("add", at, addFrames(p, record, stack, at)), b.const(size));
  const result = b.call("ringbuf_output", [b.map(ringOf(p, index)), record, end, b.const(0)]);
  b.when("ne", result, b.const(0), "else", onFull);
}

/** Bytes of all frames that a stack can have. */
const framesSize = ({ mode, depth }: StackType): number => depth * (mode === "build_id" ? buildIdFrame.size : 8);

/** Takes a stack of a record, its frames to stand at `at` from the record's start; answers their bytes. */
function addFrames(p: ProgramLowering, record: Value, { offset, type, builtin }: FreshStack, at: Value): Value {
  const { b } = p;
  if (builtin.takeFrames === undefined) throw new Error(`internal: ${builtin.name} takes no frames`);
  const result = builtin.takeFrames(p, type, b.bin("add", record, at));
  const [id, bytes] = [b.newVariable(), b.newVariable()];
  b.write(id, result);
  b.write(bytes, b.const(0));
  // What is negative says why there are none.
  b.when("sge", result, b.const(0), "then", () => {
    const follow = b.const(BigInt(framesFollow) << 32n);
    b.write(id, b.bin("or", b.bin("sub", at, b.const(offset)), follow));
    b.write(bytes, result);
  });
  b.store(8, record, offset + stackLayout.id, b.read(id));
  b.store(4, record, offset + stackLayout.pid, type.user ? ownId(p, true) : b.const(0));
  const frameSize = b.const(framesSize(type) / type.depth);
  b.store(4, record, offset + stackLayout.frames, b.bin("udiv", b.read(bytes), frameSize));
  // Read again, as the verifier does not know what is in memory: what follows it would walk once for each way to a stack's end,
  // and for each of those behind the next stack. It is never more.
  const count = b.newVariable();
  b.write(count, b.load(4, false, record, offset + stackLayout.frames));
  b.when("ugt", b.read(count), b.const(type.depth), "else", () => b.write(count, b.const(type.depth)));
  return b.bin("mul", b.read(count), frameSize);
}

/** Sends data that `fill` writes. */
export function sendBytes(
  p: ProgramLowering,
  record: RecordInit,
  dataSize: number,
  fill: (dest: Dest) => void,
  onFull?: () => void,
): void {
  const size = recordHeader + align8(dataSize);
  const index = p.object.addRecord({ ...record, size });
  sendRecord(p, index, size, (base) => fill({ base, offset: recordHeader }), onFull);
}

/** Tells user space that something went wrong where the program is now. */
export function reportError(p: ProgramLowering, message: string): void {
  sendBytes(p, { kind: "runtime-error", message, span: p.span }, 0, () => undefined);
}

function sendRecord(
  p: ProgramLowering,
  index: number,
  size: number,
  fill: (record: Value) => void,
  onFull: () => void = fullRing(p, index),
): void {
  const { b } = p;
  if (p.waits) waitForRoom(p, ringOf(p, index), size);
  const record = b.call("ringbuf_reserve", [b.map(ringOf(p, index)), b.const(size), b.const(0)]);
  p.ifPresent(
    record,
    () => {
      writeHeader(p, record, index);
      fill(record);
      b.call("ringbuf_submit", [record, b.const(0)]);
    },
    onFull,
  );
}

const ringOf = (p: ProgramLowering, index: number): string =>
  p.object.records[index]?.isControl === true ? systemMaps.control : systemMaps.events;

/** BPF_RB_PROD_POS, uapi/linux/bpf.h: bytes that were reserved in a ring since the beginning. */
const producerPosition = 3;

/** The record's number; of one that has user space act, behind that, where the data stood. */
function writeHeader(p: ProgramLowering, record: Value, index: number): void {
  const { b } = p;
  b.store(8, record, 0, b.const(index));
  if (p.object.records[index]?.isControl !== true) return;
  const position = b.call("ringbuf_query", [b.map(systemMaps.events), b.const(producerPosition)]);
  b.store(4, record, 4, position);
}

/** What happens to a record that its ring has no room for. */
const fullRing =
  (p: ProgramLowering, index: number): (() => void) =>
  () => {
    if (p.object.records[index]?.mayWait !== true) p.countLoss("ring-full");
    else p.b.atomic("add", 8, p.b.mapValue(systemMaps.wishes, 8 * index), 0, p.b.const(1));
  };

/** Whether computing the value can end the program, or runs statements: they may leave, and send records of their own. */
const mayLeave = (e: TypedExpr): boolean =>
  occursInExpression(e, { expression: (each) => each.kind === "block" || endsAction(each) || sendsItself(each) });

const sendsItself = (e: TypedExpr): boolean => e.kind === "builtin" && e.builtin.sends?.(e.type) === true;
