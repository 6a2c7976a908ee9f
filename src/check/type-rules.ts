import { sameAggregate } from "../language/map-functions/index.js";
import type { TypedExpr } from "../language/typed.js";
import { type IntSize, type IntType, int, string, type Type, u64 } from "../types/type.js";
import { isAggregate, residence } from "../wire/layout.js";

/** A type that later uses may still widen; `flexible` while only non-negative literals have been seen. */
export interface Inferred {
  readonly type: Type;
  readonly flexible: boolean;
  /** The value, of a literal; of several the largest in size. */
  readonly literal?: bigint | undefined;
  /** Of a tuple that is written out: what is known of each item. */
  readonly items?: readonly Inferred[] | undefined;
}

/** Whether an integer type has a value. */
export const holds = (type: IntType, value: bigint): boolean =>
  (type.signed ? BigInt.asIntN(8 * type.size, value) : BigInt.asUintN(8 * type.size, value)) === value;

const sizes: readonly IntSize[] = [1, 2, 4, 8];

/** The smallest signed type that has the value, as literals are typed; uint64 beyond int64. */
export function literalType(value: bigint): IntType {
  const size = sizes.find((bytes) => holds(int(bytes, true), value));
  return size === undefined ? u64 : int(size, true);
}

export const isLiteral = (e: TypedExpr): e is Extract<TypedExpr, { kind: "const" }> => e.kind === "const";

export const inferredFrom = (e: TypedExpr): Inferred => ({
  ...(e.kind === "tuple" ? { items: e.items.map(inferredFrom) } : {}),
  type: e.type,
  flexible: isLiteral(e) && e.type.kind === "int" && e.value >= 0n && e.cast !== true,
  ...(isLiteral(e) && e.type.kind === "int" && e.cast !== true ? { literal: e.value } : {}),
});

/** The type that holds both, or undefined if nothing does. */
export function join(a: Inferred, b: Inferred): Inferred | undefined {
  const [intA, intB] = [numberType(a.type, b.type), numberType(b.type, a.type)];
  if (intA !== undefined && intB !== undefined) return joinInts(a, intA, b, intB);
  if (a.type.kind === "tuple" && b.type.kind === "tuple") return joinTuples(a, a.type, b, b.type);
  const type = joinTypes(a.type, b.type);
  if (type !== undefined) return { type, flexible: false };
  // A null pointer is written 0.
  if (a.flexible && b.type.kind === "pointer") return b;
  if (b.flexible && a.type.kind === "pointer") return a;
  return undefined;
}

/** An integer's type; of an enum, the integer that it is as soon as it meets something else than itself. */
function numberType(type: Type, other: Type): IntType | undefined {
  if (type.kind === "int") return type;
  if (type.kind !== "enum" || (other.kind === "enum" && other.name === type.name)) return undefined;
  return int(type.size, type.signed);
}

type TupleType = Extract<Type, { kind: "tuple" }>;

/** Item by item; those of records by name, in the order of the first. */
function joinTuples(a: Inferred, typeA: TupleType, b: Inferred, typeB: TupleType): Inferred | undefined {
  if (typeA.items.length !== typeB.items.length || (typeA.names === undefined) !== (typeB.names === undefined))
    return undefined;
  const items: Inferred[] = [];
  for (const [i, type] of typeA.items.entries()) {
    const other = typeA.names === undefined ? i : (typeB.names?.indexOf(typeA.names[i] ?? "") ?? -1);
    const otherType = typeB.items[other];
    if (otherType === undefined) return undefined;
    const joined = join(
      a.items?.[i] ?? { type, flexible: false },
      b.items?.[other] ?? { type: otherType, flexible: false },
    );
    if (joined === undefined) return undefined;
    items.push(joined);
  }
  return { type: { ...typeA, items: items.map((item) => item.type) }, flexible: false, items };
}

/** Whether nothing that matters for later uses has changed. */
export const sameInferred = (a: Inferred, b: Inferred): boolean =>
  a.flexible === b.flexible &&
  a.literal === b.literal &&
  sameTypes(a.type, b.type) &&
  JSON.stringify(clocksOf(a.type)) === JSON.stringify(clocksOf(b.type)) &&
  (a.items ?? []).every((item, i) => {
    const other = b.items?.[i];
    return other === undefined || sameInferred(item, other);
  });

/** Literals take the other's type if it has their value; else the smallest type that has both is taken. */
function joinInts(a: Inferred, typeA: IntType, b: Inferred, typeB: IntType): Inferred {
  if (a.flexible && b.flexible) {
    const literal = (a.literal ?? 0n) > (b.literal ?? 0n) ? a.literal : b.literal;
    return { type: commonInt(typeA, typeB), flexible: true, ...(literal === undefined ? {} : { literal }) };
  }
  if (a.flexible && a.literal !== undefined && holds(typeB, a.literal)) return { type: typeB, flexible: false };
  if (b.flexible && b.literal !== undefined && holds(typeA, b.literal)) return { type: typeA, flexible: false };
  return { type: commonInt(typeA, typeB), flexible: false };
}

/** The smallest type that has the values of both; int64 for uint64 and a signed one, which nothing can hold. */
export function commonInt(a: IntType, b: IntType): IntType {
  return ofClock(widerInt(a, b), commonClock(a, b));
}

/** What one of the two knows; two different clocks are told by strftime(). */
function commonClock(a: IntType, b: IntType): IntType["clock"] {
  if (a.clock === undefined || b.clock === undefined || a.clock === b.clock) return a.clock ?? b.clock;
  return "several";
}

/** The type as one of nanoseconds that this clock has counted, if there is one. */
export const ofClock = (type: IntType, clock: IntType["clock"]): IntType =>
  type.clock === clock ? type : { ...int(type.size, type.signed), ...(clock === undefined ? {} : { clock }) };

/** What a type says beside itself: of which clock integers are. */
function clocksOf(type: Type): unknown {
  if (type.kind === "tuple") return type.items.map(clocksOf);
  return type.kind === "int" ? (type.clock ?? "") : "";
}

function widerInt(a: IntType, b: IntType): IntType {
  if (a.signed === b.signed) return a.size >= b.size ? a : b;
  const [signed, unsigned] = a.signed ? [a, b] : [b, a];
  if (signed.size > unsigned.size) return signed;
  return int(sizes.find((size) => size > unsigned.size) ?? 8, true);
}

/** The type that holds values of both; undefined if nothing does. */
export function joinTypes(a: Type, b: Type): Type | undefined {
  if (a.kind === "string" && b.kind === "string") return string(Math.max(a.size, b.size));
  const [intA, intB] = [numberType(a, b), numberType(b, a)];
  if (intA !== undefined && intB !== undefined) return commonInt(intA, intB);
  if (a.kind === "tuple" && b.kind === "tuple") {
    if (a.items.length !== b.items.length) return undefined;
    const items: Type[] = [];
    if ((a.names === undefined) !== (b.names === undefined)) return undefined;
    for (const [i, item] of a.items.entries()) {
      // The order of a record's fields is that of the first; each is found by its name.
      const other = a.names === undefined ? b.items[i] : b.items[b.names?.indexOf(a.names[i] ?? "") ?? -1];
      const joined = other === undefined ? undefined : joinTypes(item, other);
      if (joined === undefined) return undefined;
      items.push(joined);
    }
    return { ...a, items };
  }
  // A function of the kernel is an address as well as a name.
  if ((a.kind === "ksym" && b.kind === "func") || (a.kind === "func" && b.kind === "ksym")) return { kind: "ksym" };
  if (a.kind === "pointer" && b.kind === "pointer") return samePointee(a.to, b.to) ? a : undefined;
  if (isAggregate(a) && isAggregate(b)) {
    if (!sameAggregate(a, b)) return undefined;
    return "signed" in a && "signed" in b ? { ...a, signed: a.signed || b.signed } : a;
  }
  if (a.kind === "stack" && b.kind === "stack")
    return a.user === b.user && a.mode === b.mode && a.depth === b.depth && a.unwound === b.unwound ? a : undefined;
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

/** Whatever clock integers are of. */
export const sameTypes = (a: Type, b: Type): boolean => a === b || keyText(a) === keyText(b);

const keyText = (type: Type): string =>
  JSON.stringify(keyOf(type), (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));

/** What tells a type from others, without the members of records. */
function keyOf(type: Type): unknown {
  switch (type.kind) {
    case "int":
      return ["int", type.size, type.signed];
    case "record":
      return type.name;
    case "pointer":
      return ["*", type.space, keyOf(type.to)];
    case "array":
      return [type.count, keyOf(type.of)];
    case "tuple":
      return [type.names, type.items.map(keyOf)];
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
