import type { Span } from "../base/span.js";
import type { BinOp, CmpOp } from "../ir/ir.js";
import { nameAsText } from "../language/builtins/target-text.js";
import { describeType } from "../language/describe-type.js";
import type { TypedExpr } from "../language/typed.js";
import type { BinaryOp } from "../syntax/ast.js";
import { bool, type IntType, i64, type Type, u64 } from "../types/type.js";
import { cSizeOf, residence } from "../wire/layout.js";
import type { Scope } from "./scope.js";
import { isNumeric, isScalar, joinTypes, literalType, ofClock, operationSigned, sameTypes } from "./type-rules.js";

const broken = (span: Span): TypedExpr => ({ kind: "const", value: 0n, type: i64, span });

const signedOps: Readonly<Record<string, BinOp>> = {
  "+": "add",
  "-": "sub",
  "*": "mul",
  "/": "sdiv",
  "%": "smod",
  "&": "and",
  "|": "or",
  "^": "xor",
  "<<": "shl",
  ">>": "ashr",
};
const unsignedOps: Readonly<Record<string, BinOp>> = { ...signedOps, "/": "udiv", "%": "umod", ">>": "lshr" };
const signedCompare: Readonly<Record<string, CmpOp>> = {
  "==": "eq",
  "!=": "ne",
  "<": "slt",
  "<=": "sle",
  ">": "sgt",
  ">=": "sge",
};
const unsignedCompare: Readonly<Record<string, CmpOp>> = {
  "==": "eq",
  "!=": "ne",
  "<": "ult",
  "<=": "ule",
  ">": "ugt",
  ">=": "uge",
};

export function checkBinary(scope: Scope, op: BinaryOp, left: TypedExpr, right: TypedExpr, span: Span): TypedExpr {
  if (op === "&&" || op === "||") {
    for (const side of [left, right]) {
      if (!isScalar(side.type))
        scope.diags.error(
          "type-mismatch",
          side.span,
          `${op} needs numbers or pointers, not ${describeType(side.type)}`,
        );
    }
    return (
      foldLogical(op, left, right, span) ?? {
        kind: "logical",
        op: op === "&&" ? "and" : "or",
        left,
        right,
        type: bool,
        span,
      }
    );
  }
  if (Object.hasOwn(signedCompare, op)) return checkCompare(scope, op, left, right, span);
  return arithmetic(scope, op, left, right, span);
}

function arithmetic(scope: Scope, op: BinaryOp, left: TypedExpr, right: TypedExpr, span: Span): TypedExpr {
  if (left.type.kind === "pointer" || right.type.kind === "pointer")
    return pointerArithmetic(scope, op, left, right, span);
  for (const side of [left, right]) {
    if (isNumeric(side.type)) continue;
    scope.diags.error("type-mismatch", side.span, `${op} needs integers, not ${describeType(side.type)}`);
    return broken(span);
  }
  if (dividesByZero(scope, op, right, span)) return broken(span);
  const signed = operationSigned(left, right);
  const folded = fold(op, left, right, span, signed);
  if (folded !== undefined) return folded;
  // A difference can be negative whatever it is made of (bpftrace 0.27: subtraction is always signed).
  const type = op === "-" || signed ? i64 : u64;
  const shiftSigned = left.type.kind === "int" && left.type.signed;
  const ops = op === ">>" ? (shiftSigned ? signedOps : unsignedOps) : signed ? signedOps : unsignedOps;
  return {
    kind: "arithmetic",
    op: ops[op] ?? "add",
    left,
    right,
    type:
      op === "<<" || op === ">>" ? (shiftSigned ? i64 : u64) : ofClock(type, clockOfResult(op, left.type, right.type)),
    span,
  };
}

/** A moment and a duration make a moment of the same clock, two moments a duration. */
function clockOfResult(op: BinaryOp, left: Type, right: Type): IntType["clock"] {
  const [a, b] = [left, right].map((type) => (type.kind === "int" ? type.clock : undefined));
  if (op === "+" && (a === undefined || b === undefined)) return a ?? b;
  return op === "-" && b === undefined ? a : undefined;
}

/** Reports a division by a constant 0, which the verifier refuses (kernel/bpf/verifier.c, check_alu_op). */
function dividesByZero(scope: Scope, op: string, right: TypedExpr, span: Span): boolean {
  if ((op !== "/" && op !== "%") || right.kind !== "const" || right.value !== 0n) return false;
  scope.diags.error("division-by-zero", span, "division by zero");
  return true;
}

/** Constants are computed here already, so that `unroll (2 * 3)` and `lhist(x, 0, 10 * 100, 10)` work. */
function fold(op: BinaryOp, left: TypedExpr, right: TypedExpr, span: Span, signed: boolean): TypedExpr | undefined {
  if (left.kind !== "const" || right.kind !== "const") return undefined;
  // As the program would see them: an unsigned constant above 2^63 is negative to a signed operation.
  const asOperand = (value: bigint): bigint => (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value));
  const [a, b] = [asOperand(left.value), asOperand(right.value)];
  const wide = (): bigint | undefined => {
    switch (op) {
      case "+":
        return a + b;
      case "-":
        return a - b;
      case "*":
        return a * b;
      case "/":
        return a / b;
      case "%":
        return a % b;
      case "&":
        return a & b;
      case "|":
        return a | b;
      case "^":
        return a ^ b;
      case "<<":
        return a << (b & 63n);
      case ">>":
        return left.value >> (b & 63n);
      default:
        return undefined;
    }
  };
  const value = wide();
  if (value === undefined) return undefined;
  const unsigned = !signed && value >= 1n << 63n;
  const isCast = left.cast === true || right.cast === true;
  return {
    kind: "const",
    value: unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value),
    type: unsigned ? u64 : isCast ? i64 : literalType(BigInt.asIntN(64, value)),
    ...(isCast ? { cast: true } : {}),
    span,
  };
}

const truth = (holds: boolean, span: Span): TypedExpr => ({ kind: "const", value: holds ? 1n : 0n, type: bool, span });

/** Conditions that are known, as static_assert() and `if` want them: also by the left side alone, as the right one never runs. */
function foldLogical(op: "&&" | "||", left: TypedExpr, right: TypedExpr, span: Span): TypedExpr | undefined {
  if (left.kind !== "const") return undefined;
  const decides = (left.value !== 0n) === (op === "||");
  if (decides) return truth(op === "||", span);
  return right.kind === "const" ? truth(right.value !== 0n, span) : undefined;
}

function foldCompare(
  op: string,
  left: TypedExpr,
  right: TypedExpr,
  signed: boolean,
  span: Span,
): TypedExpr | undefined {
  if (left.kind !== "const" || right.kind !== "const") return undefined;
  const [a, b] = [left.value, right.value].map((value) =>
    signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value),
  );
  const difference = (a ?? 0n) - (b ?? 0n);
  switch (op) {
    case "==":
      return truth(difference === 0n, span);
    case "!=":
      return truth(difference !== 0n, span);
    case "<":
      return truth(difference < 0n, span);
    case "<=":
      return truth(difference <= 0n, span);
    case ">":
      return truth(difference > 0n, span);
    default:
      return truth(difference >= 0n, span);
  }
}

function pointerArithmetic(scope: Scope, op: BinaryOp, left: TypedExpr, right: TypedExpr, span: Span): TypedExpr {
  if (left.type.kind === "pointer" && right.type.kind === "pointer" && op === "-") {
    return { kind: "arithmetic", op: "sub", left, right, type: i64, span };
  }
  const [base, index] = left.type.kind === "pointer" ? [left, right] : [right, left];
  const allowed =
    base.type.kind === "pointer" && isNumeric(index.type) && (op === "+" || (op === "-" && base === left));
  if (!allowed || base.type.kind !== "pointer") {
    scope.diags.error(
      "type-mismatch",
      span,
      `${op} is not defined for ${describeType(left.type)} and ${describeType(right.type)}`,
      {
        hint: "cast the pointer to an integer: (uint64)p",
      },
    );
    return broken(span);
  }
  const size: TypedExpr = { kind: "const", value: BigInt(cSizeOf(base.type.to)), type: i64, span };
  const offset: TypedExpr = { kind: "arithmetic", op: "mul", left: index, right: size, type: i64, span };
  return { kind: "arithmetic", op: op === "+" ? "add" : "sub", left: base, right: offset, type: base.type, span };
}

function checkCompare(scope: Scope, op: BinaryOp, first: TypedExpr, second: TypedExpr, span: Span): TypedExpr {
  const equality = op === "==" || op === "!=";
  const target = equality ? compareWithTarget(scope, op, first, second, span) : undefined;
  if (target !== undefined) return target;
  const asText = first.type.kind !== second.type.kind;
  const [left, right] = asText
    ? [nameAsText(first, scope.allTargets), nameAsText(second, scope.allTargets)]
    : [first, second];
  const inMemory = residence(left.type) === "memory" || residence(right.type) === "memory";
  if (inMemory) {
    const comparable =
      (left.type.kind === "string" && right.type.kind === "string") ||
      (left.type.kind === right.type.kind &&
        (left.type.kind === "tuple" || left.type.kind === "array" || left.type.kind === "buffer") &&
        sameShape(left.type, right.type));
    if (!comparable || !equality) {
      scope.diags.error(
        "type-mismatch",
        span,
        `${describeType(left.type)} and ${describeType(right.type)} cannot be compared by ${op}`,
        {
          hint: left.type.kind === "string" && !equality ? "texts are compared by == and !=" : undefined,
        },
      );
      return broken(span);
    }
    if (left.kind === "text" && right.kind === "text")
      return truth((left.value === right.value) === (op === "=="), span);
    const common = left.type.kind === "tuple" ? joinTypes(left.type, right.type) : undefined;
    return { kind: "compare-memory", equal: op === "==", left, right, common, type: bool, span };
  }
  for (const side of [left, right]) {
    if (!isScalar(side.type)) {
      scope.diags.error("type-mismatch", side.span, `${op} cannot compare ${describeType(side.type)}`);
      return broken(span);
    }
  }
  const pointers = left.type.kind === "pointer" || right.type.kind === "pointer";
  const signed = !pointers && operationSigned(left, right);
  const cmp = (signed ? signedCompare : unsignedCompare)[op] ?? "eq";
  return foldCompare(op, left, right, signed, span) ?? { kind: "compare", cmp, left, right, type: bool, span };
}

const sameShape = (a: Type, b: Type): boolean =>
  a.kind === "buffer" || (a.kind === "tuple" ? joinTypes(a, b) !== undefined : sameTypes(a, b));

/** `probe == "kprobe:vfs_read"`: which attach points have that name is known by now. */
function compareWithTarget(
  scope: Scope,
  op: BinaryOp,
  left: TypedExpr,
  right: TypedExpr,
  span: Span,
): TypedExpr | undefined {
  const [named, text] = left.kind === "text" ? [right, left] : [left, right];
  // A variable or an entry of a map may have been set by another attach point.
  if (text.kind !== "text" || named.kind !== "builtin") return undefined;
  if (named.type.kind !== "probe" && named.type.kind !== "func") return undefined;
  const isFunc = named.type.kind === "func";
  const ids = scope.targets.flatMap((target, i) =>
    (isFunc ? target.func : target.name) === text.value ? [scope.ids[i] ?? 0] : [],
  );
  return { kind: "is-target", ids, equal: op === "==", type: bool, span };
}

export const checkNot = (operand: TypedExpr, span: Span): TypedExpr =>
  operand.kind === "const" ? truth(operand.value === 0n, span) : { kind: "not", operand, type: bool, span };

export function negate(value: TypedExpr, span: Span): TypedExpr {
  // 64 bits without a sign stay so, as in C and bpftrace; a literal gets one.
  const unsigned = value.type.kind === "int" && !value.type.signed && value.type.size === 8;
  if (value.kind === "const") {
    if (unsigned && value.cast === true) return { ...value, value: BigInt.asUintN(64, -value.value), span };
    const negated = BigInt.asIntN(64, -value.value);
    return { kind: "const", value: negated, type: literalType(negated), span };
  }
  return {
    kind: "arithmetic",
    op: "sub",
    left: { kind: "const", value: 0n, type: i64, span },
    right: value,
    type: unsigned ? u64 : i64,
    span,
  };
}

/** `~value`. Signed integers stay signed, as in C and bpftrace; literals are unsigned there (bpftrace 0.27). */
export function invert(value: TypedExpr, span: Span): TypedExpr {
  const ones: TypedExpr = { kind: "const", value: (1n << 64n) - 1n, type: u64, span };
  const isLiteral = value.kind === "const" && value.cast !== true;
  const signed = value.type.kind === "int" && value.type.signed && !isLiteral;
  const type = signed ? i64 : u64;
  return inWidth({ kind: "arithmetic", op: "xor", left: value, right: ones, type, span }, value.type);
}

/** An unsigned number keeps its type when it is negated or inverted: ~(uint8)1 is 254. */
export function inWidth(value: TypedExpr, of: Type): TypedExpr {
  if (of.kind !== "int" || of.signed || of.size === 8) return value;
  if (value.kind === "const")
    return { ...value, value: BigInt.asUintN(8 * of.size, value.value), type: of, cast: true };
  return { kind: "convert", operand: value, type: of, span: value.span };
}
