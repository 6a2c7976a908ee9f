import type { Span } from "../base/span.js";
import type { ArgField, TypedExpr } from "../language/typed.js";
import type { ExpressionChecker } from "./expression.js";

/** Reports an argument that a program cannot read. */
export function isUnreadable(checker: ExpressionChecker, field: ArgField, span: Span): boolean {
  if (field.source.kind === "hidden") {
    checker.error("unreadable-argument", span, field.source.message, field.source.hint);
    return true;
  }
  if (field.source.kind !== "parameter") return false;
  const { place } = field.source;
  const reason =
    place.kind === "unreadable"
      ? place.reason
      : field.type.kind === "none"
        ? "it is of a type that scripts have no counterpart for"
        : undefined;
  if (reason === undefined) return false;
  const probe = checker.scope.targets[0]?.name ?? "this probe";
  checker.error(
    "unreadable-argument",
    span,
    `argument '${field.name}' of ${probe} cannot be read: ${reason}`,
    "integers, pointers and structures without floating point numbers can be read",
  );
  return true;
}

/** `args` by itself: a record of them all. */
export function wholeArguments(
  checker: ExpressionChecker,
  fields: readonly ArgField[],
  object: TypedExpr,
  span: Span,
): TypedExpr {
  const items: TypedExpr[] = [];
  for (const field of fields) {
    if (isUnreadable(checker, field, span)) return checker.broken(span);
    items.push(checker.member(object, field.name, span, span));
  }
  const type = {
    kind: "tuple",
    items: items.map((item) => item.type),
    names: fields.map((field) => field.name),
  } as const;
  return { kind: "tuple", items, type, span };
}
