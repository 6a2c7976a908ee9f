import type { Span } from "../base/span.js";
import { describeType } from "../language/describe-type.js";
import type { TypedExpr } from "../language/typed.js";
import type { AstExpr } from "../syntax/ast.js";
import { isAggregate } from "../wire/layout.js";
import type { ExpressionChecker } from "./expression.js";

/** `(a, b)` */
export function checkTuple(checker: ExpressionChecker, items: readonly TypedExpr[], span: Span): TypedExpr {
  for (const item of items) {
    if (item.type.kind === "none" || isAggregate(item.type))
      checker.error("bad-tuple", item.span, `${describeType(item.type)} cannot be in a tuple`);
  }
  return { kind: "tuple", items, type: { kind: "tuple", items: items.map((item) => item.type) }, span };
}

/** The same with names: `(a=1, b="x")`. */
export function namedTuple(
  checker: ExpressionChecker,
  names: readonly string[],
  items: readonly TypedExpr[],
  span: Span,
): TypedExpr {
  const tuple = checkTuple(checker, items, span);
  return tuple.type.kind === "tuple" ? { ...tuple, type: { ...tuple.type, names } } : tuple;
}

export function checkRecord(checker: ExpressionChecker, e: Extract<AstExpr, { kind: "record" }>): TypedExpr {
  const names = e.fields.map((field) => field.name);
  for (const [i, field] of e.fields.entries()) {
    if (names.indexOf(field.name) < i)
      checker.error("twice", field.span, `this record has a field '${field.name}' already`);
  }
  const items = e.fields.map((field) => checker.check(field.value));
  return namedTuple(checker, names, items, e.span);
}
