import { encodeBytes } from "../base/byte-text.js";
import type { BlockId, Width } from "../ir/ir.js";
import type { Dest } from "../language/lowering.js";
import type { TypedExpr } from "../language/typed.js";
import type { Type } from "../types/type.js";
import { align8, sizeOf } from "../wire/layout.js";
import { lowerInto } from "./expressions.js";
import type { ProgramLowering } from "./program-lowering.js";

/** Goes to `same` or `different` by comparing bytes. */
export function compareMemory(
  p: ProgramLowering,
  { left, right, common }: Extract<TypedExpr, { kind: "compare-memory" }>,
  same: BlockId,
  different: BlockId,
): void {
  if (left.kind === "text") compareWithText(p, right, left.value, same, different);
  else if (right.kind === "text") compareWithText(p, left, right.value, same, different);
  else compareBoth(p, left, right, common ?? wider(left.type, right.type), same, different);
}

/** A literal is compared up to its NUL, in words: what lies behind the end does not matter. */
function compareWithText(p: ProgramLowering, e: TypedExpr, text: string, same: BlockId, different: BlockId): void {
  const { b } = p;
  const bytes = encodeBytes(`${text}\0`);
  if (e.kind === "text") {
    b.jump(e.value === text ? same : different);
    return;
  }
  if (e.type.kind === "string" && bytes.length > e.type.size) {
    b.jump(different);
    return;
  }
  const at = inMemory(p, e, false);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let offset = 0;
  while (offset < bytes.length) {
    const left = bytes.length - offset;
    const width: Width = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    let value = 0n;
    for (let i = width - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(offset + i));
    differ(p, b.load(width, false, at.base, at.offset + offset), b.const(BigInt.asIntN(64, value)), different);
    offset += width;
  }
  b.jump(same);
}

function compareBoth(
  p: ProgramLowering,
  left: TypedExpr,
  right: TypedExpr,
  type: Type,
  same: BlockId,
  different: BlockId,
): void {
  const { b } = p;
  const size = align8(sizeOf(type));
  const sides = [left, right].map((side) => {
    const dest = p.temporary(size, "comparison");
    b.zero(dest.base, dest.offset + size - 8, 8);
    lowerInto(p, side, dest, true, type);
    return dest;
  });
  const [a, c] = sides;
  if (a === undefined || c === undefined) throw new Error("internal: a comparison of one side");
  for (let offset = 0; offset < size; offset += 8) {
    differ(p, b.load(8, false, a.base, a.offset + offset), b.load(8, false, c.base, c.offset + offset), different);
  }
  b.jump(same);
}

/** The layout that holds both: of texts the longer. */
function wider(a: Type, b: Type): Type {
  return sizeOf(a) >= sizeOf(b) ? a : b;
}

function differ(
  p: ProgramLowering,
  a: ReturnType<ProgramLowering["value"]>,
  c: ReturnType<ProgramLowering["value"]>,
  different: BlockId,
): void {
  const { b } = p;
  const next = b.newBlock();
  b.branch("ne", a, c, different, next);
  b.seal(next);
  b.setBlock(next);
}

/** The expression's bytes where programs may read them. */
function inMemory(p: ProgramLowering, e: TypedExpr, clean: boolean): Dest {
  if (e.kind === "variable" || e.kind === "map" || e.kind === "item") {
    const place = p.place(e);
    if (place.space === "bpf") return place;
  }
  const dest = p.temporary(sizeOf(e.type), "text");
  // Where reading fails, the text is empty.
  p.b.zero(dest.base, dest.offset, Math.min(8, sizeOf(e.type)));
  lowerInto(p, e, dest, clean, e.type);
  return dest;
}
