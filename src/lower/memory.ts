import type { Value, Width } from "../ir/ir.js";
import type { Dest, Place } from "../language/lowering.js";
import type { AddressSpace, Type } from "../types/type.js";
import { cSizeOf } from "../wire/layout.js";
import type { ProgramLowering } from "./program-lowering.js";

const isWidth = (size: number): size is Width => size === 1 || size === 2 || size === 4 || size === 8;

export const addressOf = (p: ProgramLowering, place: Place): Value =>
  place.offset === 0 ? place.base : p.b.bin("add", place.base, p.b.const(place.offset));

/** A pointer as a plain number, which the verifier does not follow: through memory that a helper copies. */
export function forgetPointer(p: ProgramLowering, pointer: Value): Value {
  const { b } = p;
  const slot = b.slotAddr(b.slot(8, 8, "pointer"));
  b.store(8, slot, 0, pointer);
  const copy = b.slotAddr(b.slot(8, 8, "address"));
  b.call("probe_read_kernel", [copy, b.const(8), slot]);
  return b.load(8, false, copy, 0);
}

/** Reads what fits a register and lies as C lays it out. */
export function readC(p: ProgramLowering, place: Place, type: Type): Value {
  const size = cSizeOf(type);
  if (!isWidth(size)) throw new Error(`internal: ${size} bytes do not fit a register`);
  const signed = (type.kind === "int" || type.kind === "enum") && type.signed;
  if (place.space === "bpf" || place.space === "context") return p.b.load(size, signed, place.base, place.offset);
  const { b } = p;
  const slot = b.slotAddr(b.slot(8, 8, "read"));
  b.call(place.space === "user" ? "probe_read_user" : "probe_read_kernel", [slot, b.const(size), addressOf(p, place)]);
  return b.load(size, signed, slot, 0);
}

/** Reads a bit field: the bytes that hold it and no others, then its bits. */
export function readBits(p: ProgramLowering, place: Place, bitOffset: number, bitSize: number, signed: boolean): Value {
  const { b } = p;
  const first = bitOffset >> 3;
  const shift = bitOffset & 7;
  const bytes = (shift + bitSize + 7) >> 3;
  const at = { ...place, offset: place.offset + first };
  const low = readBytes(p, at, Math.min(bytes, 8));
  let up = 64 - bitSize - shift;
  let word = low;
  if (bytes > 8) {
    // Packed, and across nine bytes.
    const high = b.bin("shl", readBytes(p, { ...at, offset: at.offset + 8 }, 1), b.const(64 - shift));
    word = b.bin("or", b.bin("lshr", low, b.const(shift)), high);
    up = 64 - bitSize;
  }
  const raised = up === 0 ? word : b.bin("shl", word, b.const(up));
  return bitSize === 64 ? raised : b.bin(signed ? "ashr" : "lshr", raised, b.const(64 - bitSize));
}

/** One to eight bytes as an unsigned number. */
function readBytes(p: ProgramLowering, place: Place, count: number): Value {
  const { b } = p;
  if (isWidth(count)) return readC(p, place, { kind: "int", size: count, signed: false });
  if (place.space !== "bpf" && place.space !== "context") {
    const slot = b.slotAddr(b.slot(8, 8, "bits"));
    b.zero(slot, 0, 8);
    copyFrom(p, { base: slot, offset: 0 }, place, count);
    return b.load(8, false, slot, 0);
  }
  let value: Value | undefined;
  let done = 0;
  for (const width of [4, 2, 1] as const) {
    if (count - done < width) continue;
    const part = b.load(width, false, place.base, place.offset + done);
    const placed = done === 0 ? part : b.bin("shl", part, b.const(8 * done));
    value = value === undefined ? placed : b.bin("or", value, placed);
    done += width;
  }
  return value ?? b.const(0);
}

export function copyFrom(p: ProgramLowering, dest: Dest, from: Place, size: number): void {
  const { b } = p;
  if (from.space === "bpf" || from.space === "context") {
    b.copy(dest.base, dest.offset, from.base, from.offset, size);
    return;
  }
  b.call(from.space === "user" ? "probe_read_user" : "probe_read_kernel", [
    p.address(dest),
    b.const(size),
    addressOf(p, from),
  ]);
}

/**
 * Reads text of at most `size` bytes, its NUL included, or just bytes; what cannot be read is empty. Answers the helper's
 * result.
 */
export function readForeign(
  p: ProgramLowering,
  what: "text" | "bytes",
  to: Value,
  size: Value,
  from: Value,
  space: AddressSpace,
): Value {
  const { b } = p;
  const suffix = what === "text" ? "_str" : "";
  if (space !== "none") return b.call(`probe_read_${space}${suffix}`, [to, size, from]);
  // An integer says nothing of its space, but its top bit does, on x86-64 and arm64: kernel addresses are negative.
  const kernel = b.newBlock();
  const user = b.newBlock();
  const done = b.newBlock();
  const result = b.newVariable();
  b.branch("slt", from, b.const(0), kernel, user);
  b.seal(kernel);
  b.seal(user);
  b.setBlock(kernel);
  b.write(result, b.call(`probe_read_kernel${suffix}`, [to, size, from]));
  b.jump(done);
  b.setBlock(user);
  b.write(result, b.call(`probe_read_user${suffix}`, [to, size, from]));
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
  return b.read(result);
}

/** Writes constant bytes, in the widest stores that the alignment allows. */
export function storeBytes(p: ProgramLowering, dest: Dest, bytes: Uint8Array): void {
  const { b } = p;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  for (const width of [8, 4, 2, 1] as const) {
    for (; at + width <= bytes.length; at += width) {
      let value = 0n;
      for (let i = width - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(at + i));
      b.store(width, dest.base, dest.offset + at, b.const(BigInt.asIntN(64, value)));
    }
  }
}
