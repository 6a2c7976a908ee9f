import { assertNever } from "../base/assert-never.js";
import { encodeBytes } from "../base/byte-text.js";
import type { BinOp, BlockId, Value } from "../ir/ir.js";
import type { Dest, Place } from "../language/lowering.js";
import type { TypedExpr } from "../language/typed.js";
import { i64, type Type } from "../types/type.js";
import { align8, cSizeOf, fieldIndex, layoutOf, residence, sizeOf } from "../wire/layout.js";
import { compareMemory } from "./compare-memory.js";
import { argPlace, argValue } from "./context.js";
import { addToEntry, placeOfEntry, readEntry, totalOf } from "./maps.js";
import { addressOf, copyFrom, forgetPointer, readBits, readC, storeBytes } from "./memory.js";
import type { ProgramLowering } from "./program-lowering.js";
import { reportError } from "./records.js";
import { lowerBlock } from "./statements.js";
import { directNumber } from "./typed-pointers.js";

/** The value of an expression that fits a register. */
export function lowerValue(p: ProgramLowering, e: TypedExpr): Value {
  const { b } = p;
  const outer = b.span;
  b.span = e.span;
  const value = registerValue(p, e);
  b.span = outer;
  return value;
}

function registerValue(p: ProgramLowering, e: TypedExpr): Value {
  const { b } = p;
  switch (e.kind) {
    case "const":
      return b.const(BigInt.asIntN(64, e.value));
    case "variable":
      return p.readVariable(e.name);
    case "map":
      return readEntry(p, e.access);
    case "total":
      return totalOf(p, e.access, e.of);
    case "arithmetic":
      return arithmetic(p, e.op, p.value(e.left), p.value(e.right), e.right.kind === "const");
    case "convert":
      return convert(p, numberOf(p, e.operand, e.type), e.operand.type, e.type);
    case "compare":
      return b.cmp(e.cmp, p.value(e.left), p.value(e.right));
    case "compare-memory":
    case "is-target":
    case "not":
    case "logical":
      return truth(p, e);
    case "ternary":
      return ternary(p, e);
    case "address":
      return plainAddress(p, p.place(e.place));
    case "member": {
      const { member } = e;
      const direct = directNumber(p, e);
      if (direct !== undefined) return direct;
      const object = p.place(e.object);
      if (member.bitSize > 0) {
        return readBits(p, object, member.bitOffset, member.bitSize, "signed" in e.type && e.type.signed);
      }
      return readC(p, { ...object, offset: object.offset + (member.bitOffset >> 3) }, e.type);
    }
    case "deref":
    case "element":
    case "reinterpret":
      return directNumber(p, e) ?? readC(p, p.place(e), e.type);
    case "arg-field":
      return argValue(p, e.field);
    case "item": {
      const tuple = p.place(e.object);
      return b.load(8, false, tuple.base, tuple.offset + itemOffset(e));
    }
    case "step": {
      const { target } = e;
      const step = b.const(e.step);
      if (target.kind === "map") {
        const before = addToEntry(p, target.access, step, true);
        return e.prefix ? b.bin("add", before, step) : before;
      }
      const before = p.readVariable(target.name);
      // A declared type stays.
      const after = convert(p, b.bin("add", before, step), i64, target.type);
      p.writeVariable(target.name, after);
      return e.prefix ? after : before;
    }
    case "builtin":
      return e.builtin.value?.(p, e.args, e.type) ?? b.const(0);
    case "block":
      lowerBlock(p, e.body);
      return p.value(e.value);
    case "nothing":
      return b.const(0);
    case "args":
    case "text":
    case "tuple":
      throw new Error(`internal: ${e.kind} does not fit a register`);
    default:
      return assertNever(e);
  }
}

/**
 * A number computed from two. A division by zero is reported and gives 1, as in bpftrace; BPF's own results, 0 or the
 * dividend, would pass for true ones.
 */
export function arithmetic(p: ProgramLowering, op: BinOp, left: Value, right: Value, isConstant: boolean): Value {
  const { b } = p;
  if (!["udiv", "umod", "sdiv", "smod"].includes(op) || isConstant) return b.bin(op, left, right);
  const result = b.newVariable();
  const zero = b.newBlock();
  const divide = b.newBlock();
  const done = b.newBlock();
  b.branch("eq", right, b.const(0), zero, divide, "else");
  b.seal(zero);
  b.setBlock(zero);
  reportError(p, "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result.");
  b.write(result, b.const(1));
  b.jump(done);
  b.seal(divide);
  b.setBlock(divide);
  b.write(result, b.bin(op, left, right));
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
  return b.read(result);
}

const itemOffset = (e: Extract<TypedExpr, { kind: "item" }>): number =>
  e.object.type.kind === "tuple" ? (layoutOf(e.object.type.items).offsets[e.index] ?? 0) : 0;

/** What is to become a number: the verifier does not let scripts compute with the pointers that an iterator gives. */
function numberOf(p: ProgramLowering, e: TypedExpr, to: Type): Value {
  const value = p.value(e);
  const typed = e.kind === "arg-field" && e.type.kind === "pointer" && p.variant.context.kind === "iterator";
  return typed && to.kind !== "pointer" ? forgetPointer(p, value) : value;
}

function convert(p: ProgramLowering, value: Value, from: Type, to: Type): Value {
  if (to.kind === "bool") return from.kind === "bool" ? value : p.b.cmp("ne", value, p.b.const(0));
  if (to.kind !== "int" && to.kind !== "enum") return value;
  if (to.size === 8) return value;
  return p.b.ext(to.size, to.signed, value);
}

/** Goes to one of two blocks by the truth of an expression; comparisons and && || ! need no 0 or 1 in a register. */
export function branchOn(p: ProgramLowering, e: TypedExpr, whenTrue: BlockId, whenFalse: BlockId): void {
  const { b } = p;
  switch (e.kind) {
    case "compare":
      b.branch(e.cmp, p.value(e.left), p.value(e.right), whenTrue, whenFalse);
      return;
    case "not":
      branchOn(p, e.operand, whenFalse, whenTrue);
      return;
    case "logical": {
      const second = b.newBlock();
      if (e.op === "and") branchOn(p, e.left, second, whenFalse);
      else branchOn(p, e.left, whenTrue, second);
      b.seal(second);
      b.setBlock(second);
      branchOn(p, e.right, whenTrue, whenFalse);
      return;
    }
    case "compare-memory":
      compareMemory(p, e, e.equal ? whenTrue : whenFalse, e.equal ? whenFalse : whenTrue);
      return;
    case "is-target": {
      const [yes, no] = e.equal ? [whenTrue, whenFalse] : [whenFalse, whenTrue];
      const id = p.targetId();
      for (const wanted of e.ids) {
        const next = b.newBlock();
        b.branch("eq", id, b.const(wanted), yes, next);
        b.seal(next);
        b.setBlock(next);
      }
      b.jump(no);
      return;
    }
    default:
      b.branch("ne", p.value(e), b.const(0), whenTrue, whenFalse);
  }
}

function truth(p: ProgramLowering, e: TypedExpr): Value {
  const { b } = p;
  if (e.kind === "not" && isPlain(e.operand)) return b.cmp("eq", p.value(e.operand), b.const(0));
  const result = b.newVariable();
  eitherWay(
    p,
    e,
    () => b.write(result, b.const(1)),
    () => b.write(result, b.const(0)),
  );
  return b.read(result);
}

/** Emits what is done if a condition holds, and what if not; goes on where the two ways meet. */
export function eitherWay(p: ProgramLowering, condition: TypedExpr, whenTrue: () => void, whenFalse: () => void): void {
  const { b } = p;
  const yes = b.newBlock();
  const no = b.newBlock();
  const done = b.newBlock();
  branchOn(p, condition, yes, no);
  for (const [block, emit] of [
    [yes, whenTrue],
    [no, whenFalse],
  ] as const) {
    b.seal(block);
    b.setBlock(block);
    emit();
    b.jump(done);
  }
  b.seal(done);
  b.setBlock(done);
}

/** A number that the verifier does not track as a maybe-null pointer. */
const isPlain = (e: TypedExpr): boolean =>
  e.kind !== "logical" && e.kind !== "compare-memory" && e.kind !== "is-target";

function ternary(p: ProgramLowering, e: Extract<TypedExpr, { kind: "ternary" }>): Value {
  const { b } = p;
  const result = b.newVariable();
  eitherWay(
    p,
    e.condition,
    () => b.write(result, p.value(e.then)),
    () => b.write(result, p.value(e.else)),
  );
  return b.read(result);
}

/** Where an expression that lives in memory is. */
export function lowerPlace(p: ProgramLowering, e: TypedExpr): Place {
  switch (e.kind) {
    case "deref": {
      const space = e.pointer.type.kind === "pointer" ? e.pointer.type.space : "kernel";
      return { base: p.value(e.pointer), offset: 0, space: space === "none" ? "kernel" : space };
    }
    case "member": {
      const object = p.place(e.object);
      return { ...object, offset: object.offset + (e.member.bitOffset >> 3) };
    }
    case "element":
      return elementPlace(p, e);
    case "reinterpret":
      return reinterpretedPlace(p, e.operand);
    case "arg-field":
      return argPlace(p, e.field);
    case "map":
      return placeOfEntry(p, e.access, e.type);
    case "variable":
      return { ...p.home(e.name), space: "bpf" };
    case "item": {
      const tuple = p.place(e.object);
      return { ...tuple, offset: tuple.offset + itemOffset(e) };
    }
    default: {
      const temporary = p.temporary(sizeOf(e.type), e.kind);
      lowerInto(p, e, temporary, true, e.type);
      return { ...temporary, space: "bpf" };
    }
  }
}

/** The address of a place as a number: the verifier does not let scripts compute with pointers into its own memory. */
function plainAddress(p: ProgramLowering, place: Place): Value {
  const address = addressOf(p, place);
  return place.space === "kernel" || place.space === "user" ? address : forgetPointer(p, address);
}

/** A value in memory, so that its bytes can be read as another type; the machines that we know are little-endian. */
function reinterpretedPlace(p: ProgramLowering, operand: TypedExpr): Place {
  if (residence(operand.type) !== "register") return p.place(operand);
  const word = p.temporary(8, "bytes");
  p.b.store(8, word.base, word.offset, p.value(operand));
  return { ...word, space: "bpf" };
}

/** A distance that an instruction can have; a larger one is computed, in 64 bits. */
const isNear = (distance: bigint): boolean => BigInt.asIntN(32, distance) === distance;

function elementPlace(p: ProgramLowering, e: Extract<TypedExpr, { kind: "element" }>): Place {
  const { b } = p;
  const object = p.place(e.object);
  const size = e.object.type.kind === "string" ? 1 : cSizeOf(e.type);
  if (e.index.kind === "const" && isNear(e.index.value * BigInt(size)))
    return { ...object, offset: object.offset + Number(e.index.value) * size };
  const index = p.value(e.index);
  const { type } = e.object;
  if (type.kind === "array" && type.count > 0) warnBeyond(p, index, type.count);
  if (object.space === "kernel" || object.space === "user") {
    return { ...object, base: b.bin("add", object.base, b.bin("mul", index, b.const(size))) };
  }
  // Memory that the verifier watches is read at an index that it can bound; others read element 0 of a copy.
  const total = cSizeOf(e.object.type);
  const count = Math.max(1, Math.floor(total / size));
  const copy = p.temporary(count * size, "array");
  copyFrom(p, copy, object, count * size);
  const bounded = b.newVariable();
  b.write(bounded, index);
  b.when("uge", index, b.const(count), "else", () => {
    b.write(bounded, b.const(0));
  });
  return {
    base: b.bin("add", copy.base, b.bin("mul", b.read(bounded), b.const(size))),
    offset: copy.offset,
    space: "bpf",
  };
}

/** Says at run time that an index is beyond the end of an array; the access goes on, as bpftrace lets it. */
function warnBeyond(p: ProgramLowering, index: Value, count: number): void {
  const { b } = p;
  b.when("uge", index, b.const(count), "else", () => {
    reportError(p, "Array access out of bounds. This can lead to unexpected results.");
  });
}

/**
 * Writes a value in the layout of wire/layout.ts as type `as` (of texts, the destination may be longer). `clean`: every
 * byte is written, so that equal values have equal bytes.
 */
export function lowerInto(p: ProgramLowering, e: TypedExpr, dest: Dest, clean: boolean, as: Type): void {
  const { b } = p;
  const outer = b.span;
  b.span = e.span;
  if (residence(as) === "register") b.store(8, dest.base, dest.offset, p.value(e));
  else memoryInto(p, e, dest, clean, as);
  b.span = outer;
}

function memoryInto(p: ProgramLowering, e: TypedExpr, dest: Dest, clean: boolean, as: Type): void {
  const { b } = p;
  switch (e.kind) {
    case "text": {
      const bytes = encodeBytes(e.value);
      const size = clean ? sizeOf(as) : Math.min(sizeOf(as), bytes.length + 1);
      const padded = new Uint8Array(Math.min(size, align8(bytes.length + 1)));
      padded.set(bytes.subarray(0, padded.length - (bytes.length >= padded.length ? 1 : 0)));
      storeBytes(p, dest, padded);
      if (size > padded.length) b.zero(dest.base, dest.offset + padded.length, size - padded.length);
      return;
    }
    case "tuple": {
      const types = as.kind === "tuple" ? as.items : e.items.map((item) => item.type);
      const { offsets } = layoutOf(types);
      for (const [i, item] of e.items.entries()) {
        const place = fieldIndex(e.type, i, as);
        const to = { base: dest.base, offset: dest.offset + (offsets[place] ?? 0) };
        lowerInto(p, item, to, clean, types[place] ?? item.type);
      }
      return;
    }
    case "ternary":
      eitherWay(
        p,
        e.condition,
        () => lowerInto(p, e.then, dest, clean, as),
        () => lowerInto(p, e.else, dest, clean, as),
      );
      return;
    case "builtin": {
      const into = e.builtin.into;
      if (into === undefined) throw new Error(`internal: ${e.builtin.name} has no value in memory`);
      const shorter = sizeOf(as) - sizeOf(e.type);
      if (clean && shorter > 0) b.zero(dest.base, dest.offset + sizeOf(e.type), shorter);
      into(p, e.args, e.type, dest, clean);
      return;
    }
    case "block":
      lowerBlock(p, e.body);
      lowerInto(p, e.value, dest, clean, as);
      return;
    case "nothing":
      if (clean) b.zero(dest.base, dest.offset, align8(sizeOf(as)));
      return;
    default:
      copyPlace(p, e, dest, clean, as);
  }
}

/** Whether all that is in a value lies at the same place in both types. */
const liesAlike = (a: Type, b: Type): boolean =>
  a.kind === "tuple" && b.kind === "tuple"
    ? a.items.length === b.items.length &&
      a.items.every((item, i) => fieldIndex(a, i, b) === i && liesAlike(item, b.items[i] ?? item))
    : sizeOf(a) === sizeOf(b);

type TupleType = Extract<Type, { kind: "tuple" }>;

/** Copies a tuple to where its texts may be longer. */
function copyTuple(p: ProgramLowering, from: Place, type: TupleType, dest: Dest, as: TupleType): void {
  const { b } = p;
  const [source, target] = [layoutOf(type.items), layoutOf(as.items)];
  if (liesAlike(type, as)) {
    b.copy(dest.base, dest.offset, from.base, from.offset, source.size);
    return;
  }
  for (const [i, item] of type.items.entries()) {
    const place = fieldIndex(type, i, as);
    const wanted = as.items[place] ?? item;
    const at = { ...from, offset: from.offset + (source.offsets[i] ?? 0) };
    const to = { base: dest.base, offset: dest.offset + (target.offsets[place] ?? 0) };
    if (item.kind === "tuple" && wanted.kind === "tuple") copyTuple(p, at, item, to, wanted);
    else {
      const [size, room] = [align8(sizeOf(item)), align8(sizeOf(wanted))];
      b.copy(to.base, to.offset, at.base, at.offset, size);
      if (room > size) b.zero(to.base, to.offset + size, room - size);
    }
  }
}

/** A place that loads can reach: a copy of what is elsewhere. */
function inReach(p: ProgramLowering, place: Place, size: number): Place {
  if (place.space === "bpf" || place.space === "context") return place;
  const copy = p.temporary(size, "copy");
  copyFrom(p, copy, place, size);
  return { ...copy, space: "bpf" };
}

/** Copies what is in memory already. Text in foreign memory ends at its NUL; what lies behind is not part of it. */
function copyPlace(p: ProgramLowering, e: TypedExpr, dest: Dest, clean: boolean, as: Type): void {
  const { b } = p;
  const place = p.place(e);
  const size = sizeOf(as);
  if (e.type.kind === "tuple" && as.kind === "tuple") {
    copyTuple(p, inReach(p, place, sizeOf(e.type)), e.type, dest, as);
    return;
  }
  if (e.type.kind !== "string") {
    copyFrom(p, dest, place, size);
    if (clean && size % 8 !== 0) b.zero(dest.base, dest.offset + size, align8(size) - size);
    return;
  }
  if (place.space === "bpf" && e.type.chars === undefined) {
    const bytes = sizeOf(e.type);
    b.copy(dest.base, dest.offset, place.base, place.offset, bytes);
    if (clean && size > bytes) b.zero(dest.base, dest.offset + bytes, size - bytes);
    return;
  }
  if (clean) b.zero(dest.base, dest.offset, size);
  else b.store(1, dest.base, dest.offset, b.const(0));
  // An array of char that is full has no NUL: the helper puts one behind it.
  const room = Math.min(e.type.size, size);
  const helper = place.space === "user" ? "probe_read_user_str" : "probe_read_kernel_str";
  b.call(helper, [p.address(dest), b.const(room), addressOf(p, place)]);
}
