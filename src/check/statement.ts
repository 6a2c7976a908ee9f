import type { Span } from "../base/span.js";
import { describeType } from "../language/describe-type.js";
import { findMapFunction } from "../language/map-functions/index.js";
import type { AssignTarget, TypedExpr, TypedStatement } from "../language/typed.js";
import type { AstCall, AstExpr, AstStatement, AstVariable } from "../syntax/ast.js";
import { i64, type Type, u64 } from "../types/type.js";
import { isAggregate } from "../wire/layout.js";
import { checkArgs, contextFor } from "./call.js";
import { unknownRecord } from "./casts.js";
import { ExpressionChecker, shownName } from "./expression.js";
import { mapAccess, undefinedMap } from "./map-access.js";
import { checkBinary } from "./operators.js";
import type { Scope } from "./scope.js";
import { inferredFrom, sameTypes } from "./type-rules.js";

/** Limit of unroll(): bpftrace's. */
const maxUnroll = 100n;

/** Nothing behind it in its block runs. */
function leavesBlock(s: TypedStatement): boolean {
  if (s.kind === "evaluate") return s.value.kind === "builtin" && s.value.builtin.leaves === true;
  return s.kind === "return" || s.kind === "break" || s.kind === "continue";
}

export class StatementChecker {
  private readonly scope: Scope;
  readonly expressions: ExpressionChecker;

  constructor(scope: Scope) {
    this.scope = scope;
    this.expressions = new ExpressionChecker(scope, this);
  }

  /** Statements in a block of their own. */
  block(body: readonly AstStatement[]): readonly TypedStatement[] {
    return this.scope.variables.inBlock(() => this.sequence(body));
  }

  sequence(body: readonly AstStatement[]): readonly TypedStatement[] {
    let left = false;
    return body.flatMap((statement) => {
      // Told once for all that follows.
      if (left) this.scope.diags.warning("unreachable", statement.span, "Unreachable statement.");
      left = false;
      const typed = this.statement(statement);
      left = typed.some(leavesBlock);
      return typed;
    });
  }

  private statement(s: AstStatement): readonly TypedStatement[] {
    const { span } = s;
    const { expressions, scope } = this;
    switch (s.kind) {
      case "expression":
        return [{ kind: "evaluate", value: this.effect(s.value), span }];
      case "discard":
        return [{ kind: "evaluate", value: expressions.check(s.value), span }];
      case "assign":
        return this.assign(s);
      case "let":
        return this.let(s);
      case "if": {
        const condition = expressions.condition(s.condition);
        const known = expressions.known(s.condition, condition);
        if (known !== undefined) return [{ kind: "block", body: this.block(known ? s.then : s.else), span }];
        return [
          {
            kind: "if",
            condition,
            then: this.block(s.then),
            else: this.block(s.else),
            span,
          },
        ];
      }
      case "unroll":
        return this.unroll(s);
      case "while": {
        const condition = expressions.condition(s.condition);
        return [{ kind: "while", condition, body: this.loop(s.body), span }];
      }
      case "for-range": {
        const from = expressions.number(s.from);
        const to = expressions.number(s.to);
        return scope.variables.inBlock((): readonly TypedStatement[] => {
          const variable = this.loopVariable(s.variable, i64);
          return [{ kind: "for-range", variable, from, to, body: this.loop(s.body), span }];
        });
      }
      case "for-map":
        return this.forMap(s);
      case "block-statement":
        return [{ kind: "block", body: this.block(s.body), span }];
      case "return":
        return [{ kind: "return", value: this.result(s.value), span }];
      case "break":
      case "continue":
        if (scope.loopDepth === 0) expressions.error("outside-loop", span, `${s.kind} is only allowed inside a loop`);
        return [{ kind: s.kind, span }];
    }
  }

  /** Checked in any case, kept where it is read. */
  private result(value: AstExpr | undefined): TypedExpr | undefined {
    const checked = value === undefined ? undefined : this.expressions.number(value);
    return this.scope.variant.readsResult === true ? checked : undefined;
  }

  private forMap(s: Extract<AstStatement, { kind: "for-map" }>): readonly TypedStatement[] {
    const { expressions, scope } = this;
    const map = scope.env.map(s.map.name);
    if (map?.value === undefined) {
      if (scope.final) undefinedMap(expressions, s.map.name, s.map.span);
      else if (!scope.guess) scope.pending++;
      return [];
    }
    if (map.key === undefined) {
      expressions.error("not-iterable", s.map.span, `${s.map.name} has no keys to loop over`);
      return [];
    }
    if (["hist", "lhist", "stats", "tseries"].includes(map.value.kind)) {
      const hint = `print(${s.map.name}) shows all of it`;
      expressions.error("not-iterable", s.map.span, `${map.value.kind}() has no value that a loop could use`, hint);
      return [];
    }
    const [only] = map.key;
    const key: Type = map.key.length === 1 && only !== undefined ? only : { kind: "tuple", items: map.key };
    const type: Type = { kind: "tuple", items: [key, numberOf(map.value)] };
    return scope.variables.inBlock((): readonly TypedStatement[] => {
      const variable = this.loopVariable(s.variable, type);
      return [{ kind: "for-map", variable, type, map: s.map.name, body: this.loop(s.body), span: s.span }];
    });
  }

  /** The variable of a for loop, which is a new one. */
  private loopVariable({ name, span }: AstVariable, type: Type): string {
    const { scope } = this;
    this.refuseShadow(name, span);
    const id = scope.variables.make(name, span);
    scope.env.assign(scope.prefix + id, name, { type, flexible: false }, span, scope.diags);
    return id;
  }

  private refuseShadow(name: string, span: Span): void {
    const known = this.scope.variables.find(name);
    if (known === undefined) return;
    const message = `Variable ${shownName(name)} was already declared. Variable shadowing is not allowed.`;
    this.scope.diags.error("shadowed", span, message, {
      notes: [{ message: "it is declared here", span: known.span }],
      hint: "use another name",
    });
  }

  private loop(body: readonly AstStatement[]): readonly TypedStatement[] {
    this.scope.loopDepth++;
    const checked = this.block(body);
    this.scope.loopDepth--;
    return checked;
  }

  /** An expression that stands alone; a value that nobody looks at is probably a mistake. */
  private effect(e: AstExpr): TypedExpr {
    const value = this.expressions.check(e);
    const hasEffect =
      e.kind === "call" ||
      e.kind === "step" ||
      e.kind === "ternary" ||
      e.kind === "block" ||
      e.kind === "name" ||
      value.type.kind === "none";
    if (!hasEffect) this.scope.diags.warning("unused-value", e.span, "this value is not used");
    return value;
  }

  private unroll(s: Extract<AstStatement, { kind: "unroll" }>): readonly TypedStatement[] {
    const count = this.expressions.check(s.count);
    if (count.kind !== "const" || count.value < 1n || count.value > maxUnroll) {
      this.expressions.error(
        "bad-unroll",
        s.count.span,
        count.kind !== "const" || s.count.kind === "variable"
          ? `unroll() takes a literal number from 1 to ${maxUnroll}`
          : count.value < 1n
            ? "unroll minimum value is 1"
            : `unroll maximum value is ${maxUnroll}`,
        count.kind === "const" ? undefined : "for ($i : 0..$n) { } runs as often as a value says",
      );
      return [];
    }
    const times = Number(count.value);
    this.scope.copies *= times;
    const body = this.loop(s.body);
    this.scope.copies /= times;
    return [{ kind: "unroll", count: times, body, span: s.span }];
  }

  private assign(s: Extract<AstStatement, { kind: "assign" }>): readonly TypedStatement[] {
    if (s.op !== "=") return this.compound(s);
    const fn =
      s.value.kind === "call"
        ? findMapFunction(s.value.name)
        : s.value.kind === "name"
          ? findMapFunction(s.value.name)
          : undefined;
    if (fn !== undefined && (s.value.kind === "call" || s.value.kind === "name")) return this.aggregate(s, s.value);
    if (s.value.kind === "block" && endsInMapFunction(s.value)) return this.blockInto(s, s.value);
    const before = this.scope.pending;
    const value = this.expressions.check(s.value);
    if (s.target.kind === "variable" && this.scope.variables.find(s.target.name) === undefined)
      this.scope.variables.make(s.target.name, s.target.span);
    if (!this.storable(value)) return [];
    const target = this.expressions.target(s.target);
    return this.scope.pending === before ? [this.store(target, s.target.name, value, s)] : [];
  }

  /** `@ = { ...; count() }`: the statements, then what the block ends with. */
  private blockInto(
    s: Extract<AstStatement, { kind: "assign" }>,
    { body, value }: Extract<AstExpr, { kind: "block" }>,
  ): readonly TypedStatement[] {
    return this.scope.variables.inBlock(() => {
      const before = this.sequence(body);
      const last = value === undefined ? [] : this.assign({ ...s, value });
      return [{ kind: "block", body: [...before, ...last], span: s.span }];
    });
  }

  private storable(value: TypedExpr): boolean {
    if (value.type.kind === "none" || isAggregate(value.type)) {
      this.expressions.error("type-mismatch", value.span, `${describeType(value.type)} cannot be assigned`);
      return false;
    }
    if (value.type.kind === "record" && value.type.size === 0) {
      this.expressions.error(
        "type-mismatch",
        value.span,
        `${describeType(value.type)} cannot be assigned`,
        "assign one of its members",
      );
      return false;
    }
    return true;
  }

  private store(target: AssignTarget, name: string, value: TypedExpr, s: AstStatement): TypedStatement {
    const { scope, expressions } = this;
    const inferred = inferredFrom(value);
    if (target.kind === "map") scope.env.store(name, inferred, s.span, scope.diags);
    else scope.env.assign(scope.prefix + target.name, shownName(name), inferred, s.span, scope.diags);
    const type: Type =
      (target.kind === "map" ? scope.env.map(name)?.value : scope.env.variable(scope.prefix + target.name)) ??
      value.type;
    const fitted = expressions.fit(value, type);
    const narrower =
      target.kind === "variable" &&
      scope.env.isFixed(scope.prefix + target.name) &&
      type.kind === "int" &&
      fitted.type.kind === "int" &&
      fitted.kind !== "const" &&
      !sameTypes(type, fitted.type);
    if (!narrower) return { kind: "assign", target: { ...target, type }, value: fitted, span: s.span };
    const converted: TypedExpr = { kind: "convert", operand: fitted, type, span: fitted.span };
    return { kind: "assign", target: { ...target, type }, value: converted, span: s.span };
  }

  private let(s: Extract<AstStatement, { kind: "let" }>): readonly TypedStatement[] {
    const { scope, expressions } = this;
    const { name } = s.variable;
    const declared = s.type === undefined ? undefined : expressions.type(s.type);
    const before = scope.pending;
    const value = s.value === undefined ? undefined : expressions.check(s.value);
    this.refuseShadow(name, s.span);
    const id = scope.variables.make(name, s.variable.span);
    if (declared !== undefined && declared !== unknownRecord && scope.pending === before)
      scope.env.declare(scope.prefix + id, declared);
    if (value === undefined) {
      const type = scope.env.variable(scope.prefix + id);
      if (type === undefined && scope.final)
        scope.diags.warning("unused-variable", s.span, `${name} is never assigned`);
      return type === undefined ? [] : [{ kind: "declare", variable: id, type, span: s.span }];
    }
    if (!this.storable(value) || scope.pending !== before) return [];
    return [this.store({ kind: "variable", name: id, type: value.type }, name, value, s)];
  }

  /** `@x += n`, `$x <<= n`. */
  private compound(s: Extract<AstStatement, { kind: "assign" }>): readonly TypedStatement[] {
    const { scope, expressions } = this;
    const op = s.op.slice(0, -1);
    const before = scope.pending;
    const right = expressions.check(s.value);
    if (scope.pending !== before) return [];
    if (s.target.kind === "variable" && !expressions.isKnown(s.target)) return [];
    if (s.target.kind === "map" && scope.env.map(s.target.name)?.value === undefined) {
      // bpftrace: a map that is only ever added to begins at 0.
      expressions.target(s.target);
      scope.env.store(s.target.name, inferredFrom(right), s.span, scope.diags);
    }
    const target = expressions.target(s.target);
    const left: TypedExpr =
      target.kind === "map"
        ? { kind: "map", access: target.access, type: target.type, span: s.target.span }
        : { kind: "variable", name: target.name, type: target.type, span: s.target.span };
    // Typed as `x = x op n` is, so that both mean the same.
    const value = checkBinary(scope, op as "+", left, right, s.span);
    if (target.kind === "variable" || left.type.kind !== "int" || value.kind !== "arithmetic")
      return [this.store(target, s.target.name, value, s)];
    // An entry is changed where it lies: between reading and writing it another CPU may have changed it, too.
    scope.env.store(s.target.name, inferredFrom(value), s.span, scope.diags);
    return [{ kind: "update", access: target.access, op: value.op, value: value.right, span: s.span }];
  }

  private aggregate(
    s: Extract<AstStatement, { kind: "assign" }>,
    call: AstCall | Extract<AstExpr, { kind: "name" }>,
  ): readonly TypedStatement[] {
    const { scope, expressions } = this;
    const fn = findMapFunction(call.name);
    if (fn === undefined) return [];
    if (s.target.kind !== "map") {
      expressions.error(
        "map-function",
        s.span,
        `${call.name}() can only be assigned to a map`,
        `@ = ${call.name}(...)`,
      );
      return [];
    }
    const before = scope.pending;
    const args = checkArgs(expressions, call.name, fn.params, call.kind === "call" ? call.args : [], call.span);
    if (args === undefined || scope.pending !== before) return [];
    const type = fn.result(contextFor(expressions, call.span), args);
    const access = mapAccess(expressions, s.target);
    scope.env.store(s.target.name, { type, flexible: false }, s.span, scope.diags);
    const settled = scope.env.map(s.target.name)?.value;
    const first = args[0];
    const value = first?.kind === "value" ? first.value : undefined;
    return [
      {
        kind: "aggregate",
        access,
        type: settled !== undefined && isAggregate(settled) ? settled : type,
        fn,
        value,
        span: s.span,
      },
    ];
  }
}

/** What a value of a map is as a number: aggregates are added up over all CPUs. */
const numberOf = (type: Type): Type => (isAggregate(type) ? ("signed" in type && type.signed ? i64 : u64) : type);

/** Whether what a block comes to is a function that belongs to a map. */
function endsInMapFunction({ value }: Extract<AstExpr, { kind: "block" }>): boolean {
  if (value?.kind === "block") return endsInMapFunction(value);
  return (value?.kind === "call" || value?.kind === "name") && findMapFunction(value.name) !== undefined;
}
