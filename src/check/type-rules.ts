import { sameAggregate } from "../language/map-functions/index.js";
import type { TypedExpr } from "../language/typed.js";
import { type IntSize, i64, int, string, type Type, u64 } from "../types/type.js";
import { isAggregate, residence } from "../wire/layout.js";

/** A type that later uses may still widen; `flexible` while only non-negative literals have been seen. */
export interface Inferred {
  readonly type: Type;
  readonly flexible: boolean;
}

export const isLiteral = (e: TypedExpr): e is Extract<TypedExpr, { kind: "const" }> => e.kind === "const";

export const inferredFrom = (e: TypedExpr): Inferred => ({
  type: e.type,
  flexible: isLiteral(e) && e.type.kind === "int" && e.value >= 0n,
});

/** The type that holds both, or undefined if nothing does. */
export function join(a: Inferred, b: Inferred): Inferred | undefined {
  if (a.type.kind === "int" && b.type.kind === "int") {
    const flexible = a.flexible && b.flexible;
    if (a.flexible && !b.flexible) return { type: wide(b.type.signed), flexible };
    if (b.flexible && !a.flexible) return { type: wide(a.type.signed), flexible };
    return { type: wide(a.type.signed || b.type.signed), flexible };
  }
  const type = joinTypes(a.type, b.type);
  if (type !== undefined) return { type, flexible: false };
  // A null pointer is written 0.
  if (a.flexible && b.type.kind === "pointer") return b;
  if (b.flexible && a.type.kind === "pointer") return a;
  return undefined;
}

const wide = (signed: boolean): Type => (signed ? i64 : u64);

function joinTypes(a: Type, b: Type): Type | undefined {
  if (a.kind === "string" && b.kind === "string") return string(Math.max(a.size, b.size));
  if (a.kind === "int" && b.kind === "int") return int(Math.max(a.size, b.size) as IntSize, a.signed || b.signed);
  if (a.kind === "tuple" && b.kind === "tuple") {
    if (a.items.length !== b.items.length) return undefined;
    const items: Type[] = [];
    for (const [i, item] of a.items.entries()) {
      const other = b.items[i];
      const joined = other === undefined ? undefined : joinTypes(item, other);
      if (joined === undefined) return undefined;
      items.push(joined);
    }
    return { kind: "tuple", items };
  }
  if (a.kind === "pointer" && b.kind === "pointer") return samePointee(a.to, b.to) ? a : undefined;
  if (isAggregate(a) && isAggregate(b)) {
    if (!sameAggregate(a, b)) return undefined;
    return "signed" in a && "signed" in b ? { ...a, signed: a.signed || b.signed } : a;
  }
  if (a.kind === "stack" && b.kind === "stack")
    return a.user === b.user && a.mode === b.mode && a.depth === b.depth ? a : undefined;
  if (a.kind === "record" && b.kind === "record") return a.name === b.name ? a : undefined;
  if (a.kind === "enum" && b.kind === "enum") return a.name === b.name ? a : undefined;
  if (a.kind === "array" && b.kind === "array")
    return a.count === b.count && joinTypes(a.of, b.of) !== undefined ? a : undefined;
  if (a.kind === "buffer" && b.kind === "buffer") return a.size >= b.size ? a : b;
  return a.kind === b.kind ? a : undefined;
}

function samePointee(a: Type, b: Type): boolean {
  if (a.kind === "record" && b.kind === "record") return a.name === b.name;
  if (a.kind === "pointer" && b.kind === "pointer") return samePointee(a.to, b.to);
  return a.kind === b.kind || a.kind === "none" || b.kind === "none";
}

export const sameTypes = (a: Type, b: Type): boolean =>
  a === b || JSON.stringify(keyOf(a)) === JSON.stringify(keyOf(b));

/** What tells a type from others, without the members of records. */
function keyOf(type: Type): unknown {
  switch (type.kind) {
    case "record":
      return type.name;
    case "pointer":
      return ["*", type.space, keyOf(type.to)];
    case "array":
      return [type.count, keyOf(type.of)];
    case "tuple":
      return type.items.map(keyOf);
    case "enum":
      return type.name;
    default:
      return type;
  }
}

/** Whether the value is an integer or counts as one: usable in arithmetic, conditions and casts. */
export const isScalar = (type: Type): boolean => residence(type) === "register";
export const isNumeric = (type: Type): boolean =>
  type.kind === "int" ||
  type.kind === "bool" ||
  type.kind === "enum" ||
  type.kind === "username" ||
  type.kind === "ksym";

/** Whether arithmetic and order on this operand are signed. */
export const isSignedOperand = (e: TypedExpr): boolean =>
  (e.type.kind === "int" || e.type.kind === "enum") && e.type.signed;

/**
 * Signedness of an operation on two integers: signed if both are; a literal that fits follows the other operand; an
 * operand narrower than 64 bits fits into a signed 64-bit value, so mixed operands are exact as signed.
 */
export function operationSigned(a: TypedExpr, b: TypedExpr): boolean {
  const signedA = isSignedOperand(a);
  const signedB = isSignedOperand(b);
  if (signedA === signedB) return signedA;
  if (isLiteral(a) && a.value >= 0n && a.value < 1n << 63n) return signedB;
  if (isLiteral(b) && b.value >= 0n && b.value < 1n << 63n) return signedA;
  return true;
}
