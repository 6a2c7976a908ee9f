import type { Value } from "../ir/ir.js";
import type { Place } from "../language/lowering.js";
import type { ArgField, TypedExpr } from "../language/typed.js";
import { directAccess } from "../types/btf-access.js";
import type { RecordType } from "../types/type.js";
import { cSizeOf } from "../wire/layout.js";
import { forgetPointer } from "./memory.js";
import type { ProgramLowering } from "./program-lowering.js";

/*
 * In programs on functions the verifier knows what arguments point at, and lets programs read structures by plain loads
 * instead of calls of bpf_probe_read_kernel(). Such a pointer is no number, though: it cannot be computed with, and where
 * the verifier takes it for one that is never null it drops comparisons with null. So these pointers stay inside of the
 * expressions that follow them; what a script gets to see are numbers.
 */

type TrampolineSource = Extract<ArgField["source"], { readonly slot: number }>;

/** An argument or result of a traced function as a number: its first 8 bytes. */
export function trampolineNumber(p: ProgramLowering, source: TrampolineSource): Value {
  const { b } = p;
  const direct = (): Value => b.load(8, false, b.ctx(), 8 * source.slot);
  if (source.holds === "number") return direct();
  // The verifier writes these out as a few instructions; since Linux 5.17.
  if (p.kernel.feature("functionArguments") !== "yes") return forgetPointer(p, direct());
  const slot = b.slotAddr(b.slot(8, 8, "argument"));
  if (source.kind === "trampoline-result") b.call("get_func_ret", [b.ctx(), slot]);
  else b.call("get_func_arg", [b.ctx(), b.const(source.slot), slot]);
  return b.load(8, false, slot, 0);
}

/** A structure that a function is given by value: in one or two registers, which the context has as they are. */
export function trampolineRecord(p: ProgramLowering, source: TrampolineSource, size: number): Place {
  const copy = p.temporary(8 * Math.ceil(size / 8), "argument");
  for (let at = 0; at < size; at += 8)
    p.b.store(8, copy.base, copy.offset + at, p.b.load(8, false, p.b.ctx(), 8 * source.slot + at));
  return { ...copy, space: "bpf" };
}

/** Bytes of a structure: the pointer to it that an expression follows, and where from there. */
interface Inside {
  readonly pointer: TypedExpr;
  readonly offset: number;
  readonly record: NonNullable<RecordType["kernel"]>;
}

/** What a member is inside of, if pointers from an argument of a traced function lead there. */
function insideOf(e: TypedExpr): Inside | undefined {
  switch (e.kind) {
    case "deref":
      return e.type.kind === "record" && e.type.kernel !== undefined && isFromTrampoline(e.pointer)
        ? { pointer: e.pointer, offset: 0, record: e.type.kernel }
        : undefined;
    case "member": {
      const object = e.member.bitSize > 0 || e.member.bitOffset % 8 !== 0 ? undefined : insideOf(e.object);
      return object === undefined ? undefined : { ...object, offset: object.offset + e.member.bitOffset / 8 };
    }
    case "element": {
      if (e.index.kind !== "const" || e.object.type.kind !== "array") return undefined;
      const object = insideOf(e.object);
      if (object === undefined) return undefined;
      return { ...object, offset: object.offset + Number(e.index.value) * cSizeOf(e.object.type.of) };
    }
    default:
      return undefined;
  }
}

/** Those of raw tracepoints may be null, and the verifier wants that asked on the way. */
function isFromTrampoline(e: TypedExpr): boolean {
  switch (e.kind) {
    case "arg-field":
      return "holds" in e.field.source && e.field.source.holds === "structure";
    case "deref":
      return isFromTrampoline(e.pointer);
    case "member":
    case "element":
      return isFromTrampoline(e.object);
    default:
      return false;
  }
}

/** A pointer to a structure as the verifier knows it, or undefined where it is a number. */
function typedPointer(p: ProgramLowering, e: TypedExpr): Value | undefined {
  const { b } = p;
  if (e.type.kind !== "pointer" || e.type.to.kind !== "record" || p.variant.type !== "tracing") return undefined;
  if (e.kind !== "arg-field") return loadTyped(p, e, "structure");
  const { source } = e.field;
  if (source.kind === "slot") return b.load(8, false, b.ctx(), 8 * source.index);
  return "holds" in source && source.holds === "structure" ? b.load(8, false, b.ctx(), 8 * source.slot) : undefined;
}

/** Loads a member if the verifier lets it be loaded as what it is wanted for. */
function loadTyped(p: ProgramLowering, e: TypedExpr, wanted: "number" | "structure"): Value | undefined {
  const size = cSizeOf(e.type);
  const inside = size === 1 || size === 2 || size === 4 || size === 8 ? insideOf(e) : undefined;
  if (inside === undefined) return undefined;
  const { btf, id } = inside.record;
  if (directAccess(btf, id, inside.offset, size) !== wanted) return undefined;
  const base = typedPointer(p, inside.pointer);
  const signed = (e.type.kind === "int" || e.type.kind === "enum") && e.type.signed;
  return base === undefined ? undefined : p.b.load(size as 1 | 2 | 4 | 8, signed, base, inside.offset);
}

/** A number in a structure that an argument leads to, by a plain load; undefined where only a helper can read it. */
export const directNumber = (p: ProgramLowering, e: TypedExpr): Value | undefined =>
  p.variant.type === "tracing" ? loadTyped(p, e, "number") : undefined;

/** What a helper is given that wants a typed pointer: a pointer, or the address of a structure. */
export function typedAddress(p: ProgramLowering, e: TypedExpr): Value {
  if (e.type.kind === "pointer") return typedPointer(p, e) ?? p.value(e);
  const inside = insideOf(e);
  const base = inside === undefined ? undefined : typedPointer(p, inside.pointer);
  if (inside === undefined || base === undefined) return p.address(p.place(e));
  return inside.offset === 0 ? base : p.b.bin("add", base, p.b.const(inside.offset));
}
