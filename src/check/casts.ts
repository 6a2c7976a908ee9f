import { nearest } from "../base/nearest.js";
import type { Span } from "../base/span.js";
import { opaqueRecord } from "../language/c-type.js";
import { describeType } from "../language/describe-type.js";
import type { TypedExpr } from "../language/typed.js";
import type { AstExpr, AstType } from "../syntax/ast.js";
import { inSpace } from "../types/address-space.js";
import { type AddressSpace, pointer, string, type Type, u64 } from "../types/type.js";
import { cSizeOf } from "../wire/layout.js";
import type { Scope } from "./scope.js";
import { isScalar, ofClock, sameTypes } from "./type-rules.js";

/** Stands for a type that was reported as unknown; what is done with it is not reported again. */
export const unknownRecord = opaqueRecord("(unknown)");

const broken = (span: Span): TypedExpr => ({ kind: "const", value: 0n, type: u64, span });

/** The memory that a pointer points into if nothing else says so: that of the code the probe is set on. */
export const defaultSpace = (scope: Scope): AddressSpace =>
  scope.variant.context.kind === "registers" ? scope.variant.context.space : "kernel";

/** The type of an expression, for typeof(). */
export type TypeOf = (e: AstExpr) => Type;

/** A type as the script writes it; unknown ones are reported. */
export function resolveType(scope: Scope, ast: AstType, space: AddressSpace, typeOf: TypeOf): Type {
  let type = ast.typeOf === undefined ? baseType(scope, ast, space) : typeOf(ast.typeOf);
  for (const [i, suffix] of ast.suffixes.entries()) {
    if (suffix === "*") type = pointer(type, space);
    else if (i === 0 && ast.name === "string") type = string(suffix);
    else type = { kind: "array", of: type, count: suffix };
  }
  return type;
}

function baseType(scope: Scope, ast: AstType, space: AddressSpace): Type {
  if (ast.name === "string") return string(scope.config.max_strlen);
  const found = scope.types.find(ast.name, space, scope.variant.findType);
  if (found !== undefined && "kind" in found) return found;
  const { diags, types, kernel } = scope;
  if (found !== undefined) {
    diags.error("incomplete-type", ast.span, `'${ast.name}' cannot be used: ${found.problem}`, {
      hint: types.missingHeaderHint() ?? "define that type above, or include the header that does",
    });
    return unknownRecord;
  }
  // What a pointer to it points at need not be known.
  if (ast.suffixes[0] === "*" && types.isDeclared(ast.name)) return opaqueRecord(ast.name);
  const btf = kernel.btf();
  const missing = types.missingHeaderHint();
  if ("missing" in btf) {
    diags.error("no-btf", ast.span, `'${ast.name}' is unknown: ${btf.missing}`, {
      hint: missing ?? "the kernel's types come from BTF (CONFIG_DEBUG_INFO_BTF)",
    });
    return unknownRecord;
  }
  const [tag, tagged = ""] = ast.name.includes(" ") ? ast.name.split(" ") : [undefined, ast.name];
  const own = nearest(ast.name, types.typeNames());
  const near = nearest(tagged, btf.names(tag === "union" ? "union" : tag === "enum" ? "enum" : "struct"));
  const suggestion = own ?? (near === undefined ? undefined : `${tag ?? "struct"} ${near}`);
  diags.error("unknown-type", ast.span, `this kernel has no type '${ast.name}'`, {
    hint: missing ?? (suggestion === undefined ? undefined : `did you mean '${suggestion}'?`),
  });
  return unknownRecord;
}

/** `(type)operand`. */
export function checkCast(scope: Scope, ast: AstType, operand: TypedExpr, span: Span, typeOf: TypeOf): TypedExpr {
  const from = operand.type;
  const target = resolveType(scope, ast, from.kind === "pointer" ? from.space : defaultSpace(scope), typeOf);
  if (isUnknown(target)) return broken(span);
  if (sameTypes(target, from)) {
    const parentheses = { ...span, end: Math.max(span.start, ast.span.end) + 1 };
    scope.diags.warning(
      "needless-cast",
      parentheses,
      `Unnecessary cast: expression is already of type ${describeType(from)}`,
    );
    return operand.kind === "const" ? { ...operand, cast: true, span } : { ...operand, span };
  }
  // Text as a pointer: to where it is.
  if (target.kind === "pointer" && from.kind === "string")
    return { kind: "address", place: operand, type: inSpace(target, "kernel"), span };
  if (target.kind === "array") return castToArray(scope, target, operand, span);
  if (from.kind === "array" && target.kind === "int" && cSizeOf(from) === target.size)
    return { kind: "reinterpret", operand, type: target, span };
  if (isScalar(target) && isScalar(from)) {
    if (operand.kind === "const" && target.kind === "enum") checkVariant(scope, target, operand.value, span);
    if (operand.kind === "const" && (target.kind === "int" || target.kind === "enum"))
      return {
        kind: "const",
        value: truncated(operand.value, target.size, target.signed),
        type: target,
        cast: true,
        span,
      };
    if (target.kind === "pointer" && from.kind === "int" && from.size < 8) return toPointer(target, operand, span);
    // Nanoseconds stay those of their clock.
    const clocked =
      target.kind === "int" && target.size === 8 && from.kind === "int" ? ofClock(target, from.clock) : target;
    return { kind: "convert", operand, type: clocked, span };
  }
  // Text is true if there is some.
  if (target.kind === "bool" && from.kind === "string") {
    const empty: TypedExpr = { kind: "text", value: "", type: string(1), span };
    return { kind: "compare-memory", equal: false, left: operand, right: empty, type: target, span };
  }
  if (target.kind === "string" && from.kind === "string") return { ...operand, span };
  return badCast(scope, target, operand, span);
}

/** Addresses have no sign: the bits of a narrower number are all there is of them. */
function toPointer(target: Type, operand: TypedExpr, span: Span): TypedExpr {
  const size = operand.type.kind === "int" ? operand.type.size : 8;
  const unsigned: Type = { kind: "int", size, signed: false };
  const bits: TypedExpr =
    operand.kind === "const"
      ? { kind: "const", value: truncated(operand.value, size, false), type: unsigned, span }
      : { kind: "convert", operand, type: unsigned, span };
  return { kind: "convert", operand: bits, type: target, span };
}

const truncated = (value: bigint, size: number, signed: boolean): bigint =>
  signed ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value);

function isUnknown(type: Type): boolean {
  if (type.kind === "pointer") return isUnknown(type.to);
  return type === unknownRecord || (type.kind === "array" && isUnknown(type.of));
}

/** A constant that the enum does not have is a slip; a value that only the event knows may be anything. */
function checkVariant(scope: Scope, type: Type & { readonly kind: "enum" }, value: bigint, span: Span): void {
  if (type.values.some((each) => each.value === value)) return;
  const known = type.values.slice(0, 12).map((each) => `${each.name} = ${each.value}`);
  scope.diags.error("bad-cast", span, `${type.name} doesn't contain a variant value of ${value}`, {
    hint: known.length === 0 ? undefined : `it has ${known.join(", ")}${type.values.length > 12 ? ", ..." : ""}`,
  });
}

/** The bytes of an integer or a text as an array of integers; `[]` takes as many elements as there are bytes for. */
function castToArray(
  scope: Scope,
  target: Type & { readonly kind: "array" },
  operand: TypedExpr,
  span: Span,
): TypedExpr {
  const from = operand.type;
  const element = cSizeOf(target.of);
  const takesInt = target.of.kind === "int" || target.of.kind === "bool";
  if (!takesInt || (from.kind !== "int" && from.kind !== "bool" && from.kind !== "string"))
    return badCast(scope, target, operand, span);
  const size = cSizeOf(from);
  if (target.count === 0 && size % element !== 0) {
    scope.diags.error(
      "bad-cast",
      span,
      `cannot determine the array's size: ${describeType(from)} has ${size} bytes, ${describeType(target.of)} has ${element}`,
      { hint: "say how many elements it has, or cast the value to another size first" },
    );
    return broken(span);
  }
  const type: Type = target.count === 0 ? { ...target, count: size / element } : target;
  // A number is extended to as many bytes as the array has, up to the eight of a register.
  const wanted = cSizeOf(type);
  const least = operand.kind === "const" ? literalSize(operand.value) : size;
  const fits = wanted === size || (from.kind !== "string" && wanted <= 8 && wanted >= least);
  return fits ? { kind: "reinterpret", operand, type, span } : badCast(scope, type, operand, span);
}

/** Bytes that a number written in the script needs. */
const literalSize = (value: bigint): number =>
  [1, 2, 4].find((size) => BigInt.asIntN(size * 8, value) === value || BigInt.asUintN(size * 8, value) === value) ?? 8;

function badCast(scope: Scope, target: Type, operand: TypedExpr, span: Span): TypedExpr {
  scope.diags.error(
    "bad-cast",
    span,
    `${describeType(operand.type)} cannot be cast to ${describeType(target)}`,
    target.kind === "record" ? { hint: `cast to a pointer: (${target.name} *)` } : {},
  );
  return broken(span);
}
