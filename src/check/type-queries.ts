import type { Span } from "../base/span.js";
import { findBuiltin } from "../language/builtins/index.js";
import { describeType } from "../language/describe-type.js";
import type { TypedExpr } from "../language/typed.js";
import type { AstExpr, AstType } from "../syntax/ast.js";
import { type Member, type Type, u64 } from "../types/type.js";
import { naturalSize } from "../wire/layout.js";
import { unknownRecord } from "./casts.js";
import type { ExpressionChecker } from "./expression.js";
import { namedTuple } from "./tuples.js";

/** The type that is written, or the one that an expression has; the expression is not run. */
function typeOf(checker: ExpressionChecker, written: AstType | undefined, operand: AstExpr | undefined): Type {
  if (written !== undefined) return checker.type(written);
  if (operand === undefined) return unknownRecord;
  // `sizeof(comm_type)` without a keyword names a type that no expression has.
  if (operand.kind === "name" && findBuiltin(operand.name) === undefined) {
    const type = checker.scope.types.find(operand.name, "kernel", checker.scope.variant.findType);
    if (type !== undefined && "kind" in type) return type;
  }
  if (operand.kind === "type") return checker.type(operand.type);
  return checker.check(operand).type;
}

export function checkSizeof(checker: ExpressionChecker, e: Extract<AstExpr, { kind: "sizeof" }>): TypedExpr {
  const type = typeOf(checker, e.type, e.operand);
  // An enumerator by itself is a number of bpftrace's, not an int as in C; its enumeration has the size that C gives it.
  const isEnumerator = e.operand?.kind === "name" && checker.scope.types.enumerator(e.operand.name) !== undefined;
  return { kind: "const", value: isEnumerator ? 8n : BigInt(naturalSize(type)), type: u64, span: e.span };
}

/** A number that is the same for the same type of one script, the kind of the type, and its name. */
export function checkTypeinfo(checker: ExpressionChecker, e: Extract<AstExpr, { kind: "typeinfo" }>): TypedExpr {
  const { span } = e;
  const type = typeOf(checker, e.type, e.operand);
  const name = describeType(type);
  const id = checker.literal(BigInt(checker.scope.env.typeId(name)), span);
  const items = [id, checker.text(typeKind(type), span), checker.text(name, span)];
  return namedTuple(checker, ["btf_id", "base_type", "full_type"], items, span);
}

function typeKind(type: Type): string {
  if (type.kind === "record") return type.name.startsWith("union") ? "union" : "struct";
  return type.kind === "tuple" && type.names !== undefined ? "record" : type.kind;
}

export function checkOffsetof(
  checker: ExpressionChecker,
  written: AstType,
  path: readonly string[],
  span: Span,
): TypedExpr {
  let type = checker.type(written);
  let bits = 0;
  for (const name of path) {
    const members: readonly Member[] = type.kind === "record" ? type.members() : [];
    const found = members.find((m) => m.name === name);
    if (found === undefined) {
      const known = members.map((m) => m.name);
      return checker.noMember(describeType(type), name, known, span, span);
    }
    bits += found.bitOffset;
    type = found.type;
  }
  return { kind: "const", value: BigInt(bits >> 3), type: u64, span };
}
