import { nearest } from "../base/nearest.js";
import type { Span } from "../base/span.js";
import { describeType } from "../language/describe-type.js";
import type { MapAccess, TypedExpr } from "../language/typed.js";
import type { AstMap } from "../syntax/ast.js";
import { i64, u64 } from "../types/type.js";
import { isAggregate, isPlainTuple } from "../wire/layout.js";
import type { ExpressionChecker } from "./expression.js";
import { type Inferred, inferredFrom } from "./type-rules.js";

/** Reports a map that nothing is stored in. */
export function undefinedMap(checker: ExpressionChecker, name: string, span: Span): void {
  // The probe that stores it may be one of those that are missing.
  if (checker.scope.incomplete) return;
  const stored = checker.scope.env.mapNames().filter((n) => checker.scope.env.map(n)?.value !== undefined);
  const near = nearest(name, stored);
  const hint = near === undefined ? undefined : `did you mean ${near}?`;
  checker.error("undefined-map", span, `nothing is ever stored in ${name}`, hint);
}

/** A map with its key; notes the key's types. */
export function mapAccess(checker: ExpressionChecker, e: AstMap): MapAccess {
  const before = checker.scope.pending;
  const items = (e.keys ?? []).map((key) => checker.check(key));
  // A tuple as the only key is a key of several parts.
  const only = items[0];
  const key = items.length === 1 && only?.kind === "tuple" && isPlainTuple(only.type) ? only.items : items;
  for (const part of key) {
    if (isAggregate(part.type) || part.type.kind === "none") {
      checker.error("bad-key", part.span, `${describeType(part.type)} cannot be part of a key`);
    }
  }
  if (checker.scope.pending === before) checker.scope.env.useKey(e.name, parts(key), e.span, checker.scope.diags);
  const types = checker.scope.env.map(e.name)?.key ?? [];
  const whole = key.length === 1 && only !== undefined && isPlainTuple(only.type);
  return {
    map: e.name,
    key: whole ? key : key.map((part, i) => checker.fit(part, types[i] ?? part.type)),
    span: e.span,
  };
}

export function readMap(checker: ExpressionChecker, e: AstMap): TypedExpr {
  const access = mapAccess(checker, e);
  const type = checker.scope.env.map(e.name)?.value;
  if (type === undefined) {
    if (!checker.scope.guess) checker.scope.pending++;
    if (checker.scope.final && !checker.scope.incomplete) {
      const near = nearest(
        e.name,
        checker.scope.env.mapNames().filter((name) => checker.scope.env.map(name)?.value !== undefined),
      );
      // bpftrace 0.27 reads it as 0 too, without a word.
      checker.scope.diags.warning("undefined-map", e.span, `nothing is ever stored in ${e.name}: it reads as 0`, {
        hint: near === undefined ? `assign it somewhere: ${e.name} = ...` : `did you mean ${near}?`,
      });
    }
    return { kind: "const", value: 0n, type: i64, span: e.span };
  }
  if (isAggregate(type)) {
    if (type.kind !== "stats" && type.kind !== "hist" && type.kind !== "lhist" && type.kind !== "tseries") {
      return { kind: "total", access, of: type, type: "signed" in type && type.signed ? i64 : u64, span: e.span };
    }
    checker.error(
      "aggregate-read",
      e.span,
      `${e.name} holds ${type.kind}(), which is no number`,
      `print(${e.name}) shows it`,
    );
    return checker.broken(e.span);
  }
  return { kind: "map", access, type, span: e.span };
}

/** Types of a key's parts; a tuple as the only key is a key of several parts. */
function parts(key: readonly TypedExpr[]): readonly Inferred[] {
  const [only] = key;
  if (key.length !== 1 || only === undefined || !isPlainTuple(only.type)) return key.map(inferredFrom);
  return only.type.items.map((type) => ({ type, flexible: false }));
}
