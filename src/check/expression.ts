import { bytesIn, sliceBytes } from "../base/byte-text.js";
import { nearest } from "../base/nearest.js";
import type { Span } from "../base/span.js";
import { builtinNames, findBuiltin } from "../language/builtins/index.js";
import { funcAddress } from "../language/builtins/probe.js";
import { describeType } from "../language/describe-type.js";
import { findMapFunction } from "../language/map-functions/index.js";
import type { ArgField, AssignTarget, TypedExpr } from "../language/typed.js";
import type { AstExpr, AstMap, AstType, AstVariable } from "../syntax/ast.js";
import { type AddressSpace, bool, i64, int, none, pointer, string, type Type, u64 } from "../types/type.js";
import { cSizeOf } from "../wire/layout.js";
import { checkCall } from "./call.js";
import { checkCast, defaultSpace, resolveType, unknownRecord } from "./casts.js";
import { isUnreadable, wholeArguments } from "./function-arguments.js";
import { mapAccess, readMap } from "./map-access.js";
import { namedConstant } from "./named-values.js";
import { checkBinary, checkNot, invert, inWidth, negate } from "./operators.js";
import type { Scope } from "./scope.js";
import type { StatementChecker } from "./statement.js";
import { checkRecord, checkTuple } from "./tuples.js";
import { checkOffsetof, checkSizeof, checkTypeinfo } from "./type-queries.js";
import { inferredFrom, isNumeric, isScalar, join, literalType } from "./type-rules.js";

/** Gives every expression its type; reports what cannot have one and goes on with a plausible type. */
export class ExpressionChecker {
  readonly scope: Scope;
  private readonly statements: StatementChecker;

  constructor(scope: Scope, statements: StatementChecker) {
    this.scope = scope;
    this.statements = statements;
  }

  check(e: AstExpr): TypedExpr {
    const checked = this.checkObject(e);
    if (checked.kind !== "args") return checked;
    const { args, argsAreValues } = this.scope.variant;
    // Without arguments that has been said.
    if (args === undefined) return this.broken(e.span);
    if (argsAreValues === true) return wholeArguments(this, args, checked, e.span);
    const name = e.kind === "name" ? e.name : "args";
    this.error("not-a-value", e.span, `${name} is no value of its own`, `use one of its members, e.g. ${name}.NAME`);
    return this.broken(e.span);
  }

  /** What a member is taken of, too: `args` is nothing else. */
  private checkObject(e: AstExpr): TypedExpr {
    const { span } = e;
    this.scope.size += this.scope.copies * (e.kind === "string" ? 1 + (e.value.length >> 6) : 1);
    switch (e.kind) {
      case "int":
        return { kind: "const", value: e.value, type: literalType(e.value), span };
      case "string":
        return this.text(e.value, span);
      case "bool":
        return { kind: "const", value: e.value ? 1n : 0n, type: bool, span };
      case "positional":
        return this.positional(e.index, span);
      case "positional-count":
        return this.literal(BigInt(this.scope.positional.length), span);
      case "name":
        return this.name(e.name, span);
      case "variable":
        return this.variable(e);
      case "map":
        return readMap(this, e);
      case "call":
        return checkCall(this, e);
      case "unary":
        return this.unary(e);
      case "step":
        return this.step(e);
      case "binary":
        return this.binary(e);
      case "ternary":
        return this.ternary(e);
      case "cast":
        return checkCast(this.scope, e.type, this.check(e.operand), span, this.typeOf);
      case "member":
        return this.member(this.checkObject(e.object), e.name, e.nameSpan, span);
      case "item":
        return this.item(this.check(e.object), e.index, span);
      case "index":
        return this.index(this.check(e.object), this.check(e.index), span);
      case "tuple":
        return checkTuple(
          this,
          e.items.map((item) => this.check(item)),
          span,
        );
      case "record":
        return checkRecord(this, e);
      case "type":
        this.error("not-a-value", span, "a type is no value", "typeof() names a type for a macro, a cast or let");
        return this.broken(span);
      case "typeinfo":
        return checkTypeinfo(this, e);
      case "sizeof":
        return checkSizeof(this, e);
      case "offsetof":
        return checkOffsetof(this, e.type, e.path, span);
      case "block":
        return this.scope.variables.inBlock((): TypedExpr => {
          const body = this.statements.sequence(e.body);
          const value: TypedExpr = e.value === undefined ? { kind: "nothing", type: none, span } : this.check(e.value);
          return { kind: "block", body, value, type: value.type, span };
        });
    }
  }

  error(code: string, span: Span, message: string, hint?: string): void {
    this.scope.diags.error(code, span, message, { hint });
  }

  text(value: string, span: Span): TypedExpr {
    return { kind: "text", value, type: string(bytesIn(value) + 1), span };
  }

  /** A number as the script could have written it. */
  literal(value: bigint, span: Span): TypedExpr {
    return { kind: "const", value, type: literalType(value), span };
  }

  /** What stands in for an expression that was reported. */
  broken(span: Span): TypedExpr {
    return { kind: "const", value: 0n, type: i64, span };
  }

  /** An expression for its truth: anything in a register. */
  condition(e: AstExpr): TypedExpr {
    const value = this.check(e);
    if (!isScalar(value.type))
      this.error("type-mismatch", e.span, `a condition is a number or a pointer, not ${describeType(value.type)}`);
    return value;
  }

  /** An integer, or what counts as one. */
  number(e: AstExpr): TypedExpr {
    return this.asNumber(this.check(e));
  }

  asNumber(value: TypedExpr): TypedExpr {
    if (isNumeric(value.type)) return value;
    if (value.type.kind === "pointer") return { kind: "convert", operand: value, type: u64, span: value.span };
    this.error("type-mismatch", value.span, `an integer is needed here, not ${describeType(value.type)}`);
    return this.broken(value.span);
  }

  private binary(e: Extract<AstExpr, { kind: "binary" }>): TypedExpr {
    const [left, right] = [this.check(e.left), this.check(e.right)];
    const isBehindStart =
      e.op === "+" && e.left.kind === "positional" && left.kind === "text" && right.kind === "const";
    return isBehindStart
      ? this.behindStart(left.value, right.value, e)
      : checkBinary(this.scope, e.op, left, right, e.span);
  }

  /** `$1 + n` of a parameter that is text: the text without its first n bytes, as if `$1` pointed at it. */
  private behindStart(text: string, offset: bigint, e: Extract<AstExpr, { kind: "binary" }>): TypedExpr {
    const length = bytesIn(text);
    if (offset < 0n || offset > BigInt(length)) {
      this.error("bad-index", e.right.span, `the parameter has ${length} bytes`);
      return this.broken(e.span);
    }
    return this.text(sliceBytes(text, Number(offset)), e.span);
  }

  private positional(index: number, span: Span): TypedExpr {
    const given = index === 0 ? "beetrace" : this.scope.positional[index - 1];
    if (given === undefined) return this.literal(0n, span);
    if (/^-?(?:0x[0-9a-f]+|[0-9]+)$/i.test(given)) {
      // Bases as in C: 0x10, 020.
      const magnitude = BigInt(given.replace("-", "").replace(/^0(?=[0-7]+$)/, "0o"));
      const value = given.startsWith("-") ? -magnitude : magnitude;
      if (value >= -(1n << 63n) && value < 1n << 64n) return this.literal(value, span);
    }
    return this.text(given, span);
  }

  private name(name: string, span: Span): TypedExpr {
    const builtin = findBuiltin(name);
    if (builtin?.bare === true) return checkCall(this, { kind: "call", name, nameSpan: span, args: [], span });
    if (builtin !== undefined || findMapFunction(name) !== undefined) {
      this.error("not-a-value", span, `${name} is a function`, `call it: ${name}(...)`);
      return this.broken(span);
    }
    const enumerator = this.scope.types.enumerator(name);
    if (enumerator !== undefined) return { kind: "const", ...enumerator, span };
    const constant = namedConstant(name, span);
    if (constant !== undefined) return constant;
    const near = nearest(name, builtinNames);
    this.error(
      "unknown-name",
      span,
      `nothing is called '${name}'`,
      this.scope.types.missingHeaderHint() ??
        (near === undefined ? "variables begin with $, maps with @" : `did you mean '${near}'?`),
    );
    return this.broken(span);
  }

  /** Whether a variable has been assigned above; reports it if not. */
  isKnown(e: AstVariable): boolean {
    const { variables, final } = this.scope;
    if (variables.find(e.name) !== undefined) return true;
    if (!final && variables.hoist(e.name)) return false;
    if (final) {
      const near = nearest(e.name, variables.names());
      const hint =
        near === undefined
          ? `assign it first, in this block or one around: ${shownName(e.name)} = ...`
          : `did you mean ${near}?`;
      this.error("undefined-variable", e.span, `Undefined or undeclared variable: ${shownName(e.name)}`, hint);
    }
    return false;
  }

  private variable(e: AstVariable): TypedExpr {
    const known = this.isKnown(e);
    const id = this.scope.variables.find(e.name)?.id ?? e.name;
    const type = this.scope.env.variable(this.scope.prefix + id);
    if (type === undefined || !known) {
      if (!this.scope.guess) this.scope.pending++;
      return this.broken(e.span);
    }
    return { kind: "variable", name: id, type, span: e.span };
  }

  /** The same value as another type of its kind: what the map's or variable's type has become. */
  fit(e: TypedExpr, type: Type): TypedExpr {
    if (e.type.kind === "int" && type.kind === "int" && e.kind !== "const") return { ...e, type: e.type };
    if (e.kind === "tuple" && type.kind === "tuple") {
      const { names } = e.type.kind === "tuple" ? e.type : {};
      const place = (i: number): number => (names === undefined ? i : (type.names?.indexOf(names[i] ?? "") ?? i));
      const items = e.items.map((item, i) => this.fit(item, type.items[place(i)] ?? item.type));
      const types = e.items.map((item, i) => type.items[place(i)] ?? item.type);
      return { ...e, items, type: { kind: "tuple", items: types, ...(names === undefined ? {} : { names }) } };
    }
    if (e.kind === "const" && type.kind === "pointer") return { ...e, type };
    if (e.type.kind === "func" && type.kind === "ksym" && this.scope.variant.func === "kernel")
      return { kind: "builtin", builtin: funcAddress, args: [], type, span: e.span };
    return e;
  }

  private unary(e: Extract<AstExpr, { kind: "unary" }>): TypedExpr {
    const { span } = e;
    const operand = this.check(e.operand);
    switch (e.op) {
      case "+":
        return this.asNumber(operand);
      case "-":
        return inWidth(negate(this.asNumber(operand), span), operand.type);
      case "!":
        if (!isScalar(operand.type))
          this.error("type-mismatch", span, `! needs a number or a pointer, not ${describeType(operand.type)}`);
        return checkNot(operand, span);
      case "~":
        return invert(this.asNumber(operand), span);
      case "*":
        return this.deref(operand, span);
      case "&":
        return this.addressOf(operand, span);
      case "comptime":
        if (operand.kind !== "const" && operand.kind !== "text")
          this.error(
            "not-constant",
            span,
            "Unable to resolve comptime expression",
            "constants, sizes and questions about types (is_str() and the like) are known when the script is compiled",
          );
        return operand;
    }
  }

  /** Which way `if comptime` and its like go; undefined of other conditions, and where that is not known. */
  known(condition: AstExpr, value: TypedExpr): boolean | undefined {
    const asked = condition.kind === "unary" && condition.op === "comptime";
    return asked && value.kind === "const" ? value.value !== 0n : undefined;
  }

  private addressOf(operand: TypedExpr, span: Span): TypedExpr {
    if (operand.kind === "deref") return { ...operand.pointer, span };
    if (operand.kind === "member" || operand.kind === "element") {
      return { kind: "address", place: operand, type: pointer(operand.type, this.spaceOf(operand)), span };
    }
    // Variables and maps are in memory of the kernel, too.
    if (operand.kind === "variable" || operand.kind === "map")
      return { kind: "address", place: operand, type: pointer(operand.type, "kernel"), span };
    this.error(
      "no-address",
      span,
      "& takes the address of a variable, a map, or a member of a structure",
      "e.g. &$x, or &((struct task_struct *)curtask).comm",
    );
    return this.broken(span);
  }

  /** Which memory a place is in. */
  private spaceOf(place: TypedExpr): AddressSpace {
    if (place.kind === "member" || place.kind === "element") return this.spaceOf(place.object);
    if (place.kind === "deref" && place.pointer.type.kind === "pointer") return place.pointer.type.space;
    return "kernel";
  }

  deref(operand: TypedExpr, span: Span): TypedExpr {
    if (operand.type.kind !== "pointer") {
      this.error(
        "not-a-pointer",
        span,
        `${describeType(operand.type)} is no pointer`,
        isNumeric(operand.type) ? "cast it first: *(uint64 *)x" : undefined,
      );
      return this.broken(span);
    }
    const { to } = operand.type;
    if (to.kind === "none") {
      this.error("void-pointer", span, "what a void * points at has no type", "cast it first: *(uint64 *)p");
      return this.broken(span);
    }
    return this.place({ kind: "deref", pointer: operand, type: to, span });
  }

  /** Flexible arrays of char have no size of their own: they are read up to max_strlen. */
  private place(e: TypedExpr): TypedExpr {
    return e.type.kind === "string" && e.type.size === 0 ? { ...e, type: string(this.scope.config.max_strlen) } : e;
  }

  private step(e: Extract<AstExpr, { kind: "step" }>): TypedExpr {
    const target = this.target(e.target);
    if (e.target.kind === "variable" && !this.isKnown(e.target)) return this.broken(e.span);
    if (e.target.kind === "map" && this.scope.env.map(e.target.name)?.value === undefined) {
      this.scope.env.store(e.target.name, { type: i64, flexible: false }, e.span, this.scope.diags);
    }
    const { scope } = this;
    if (target.type.kind === "int") {
      // As `x = x + 1` and `x = x - 1`: 64 bits, and a difference can be negative.
      const wide = { type: target.type.signed || e.op === "--" ? i64 : u64, flexible: false };
      if (target.kind === "map") scope.env.store(e.target.name, wide, e.span, scope.diags);
      else scope.env.assign(scope.prefix + target.name, e.target.name, wide, e.span, scope.diags);
    }
    const type =
      (target.kind === "map" ? scope.env.map(e.target.name)?.value : scope.env.variable(scope.prefix + target.name)) ??
      target.type;
    if (type.kind !== "int" && type.kind !== "pointer") {
      if (this.scope.final) this.error("type-mismatch", e.span, `${e.op} needs an integer, not ${describeType(type)}`);
      return this.broken(e.span);
    }
    const size = type.kind === "pointer" ? BigInt(cSizeOf(type.to)) : 1n;
    const step = e.op === "++" ? size : -size;
    return { kind: "step", step, prefix: e.prefix, target: { ...target, type }, type, span: e.span };
  }

  /** Left side of an assignment; of a variable or map not known yet, the type is a guess. */
  target(e: AstMap | AstVariable): AssignTarget {
    if (e.kind === "map") {
      const access = mapAccess(this, e);
      return { kind: "map", access, type: this.scope.env.map(e.name)?.value ?? i64 };
    }
    const name = this.scope.variables.find(e.name)?.id ?? e.name;
    const type = this.scope.env.variable(this.scope.prefix + name);
    return { kind: "variable", name, type: type ?? i64 };
  }

  private ternary(e: Extract<AstExpr, { kind: "ternary" }>): TypedExpr {
    const condition = this.condition(e.condition);
    // The other way is not looked at: it may be for another type.
    const known = this.known(e.condition, condition);
    if (known !== undefined) return this.check(known ? e.then : e.else);
    const whenTrue = this.check(e.then);
    const whenFalse = this.check(e.else);
    const { span } = e;
    if (whenTrue.type.kind === "none" && whenFalse.type.kind === "none") {
      return { kind: "ternary", condition, then: whenTrue, else: whenFalse, type: whenTrue.type, span };
    }
    const joined = join(inferredFrom(whenTrue), inferredFrom(whenFalse));
    if (joined === undefined) {
      this.error(
        "type-mismatch",
        span,
        `both results of ?: must have one type, not ${describeType(whenTrue.type)} and ${describeType(whenFalse.type)}`,
      );
      return this.broken(span);
    }
    return {
      kind: "ternary",
      condition,
      then: this.fit(whenTrue, joined.type),
      else: this.fit(whenFalse, joined.type),
      type: joined.type,
      span,
    };
  }

  readonly typeOf = (e: AstExpr): Type => this.check(e).type;

  /** A type as the script writes it. */
  type(ast: AstType): Type {
    return resolveType(this.scope, ast, defaultSpace(this.scope), this.typeOf);
  }

  member(object: TypedExpr, name: string, nameSpan: Span, span: Span): TypedExpr {
    if (object.kind === "args") return this.argField(object, name, nameSpan, span);
    const place =
      object.type.kind === "pointer" && object.type.to.kind === "record" ? this.deref(object, object.span) : object;
    const { type } = place;
    if (type === unknownRecord) return this.broken(span);
    if (type.kind === "tuple" && type.names !== undefined) return this.field(place, type.names, name, nameSpan, span);
    if (type.kind !== "record") {
      const hint = isNumeric(type) ? "cast it first: ((struct task_struct *)x)->pid" : undefined;
      this.error("not-a-structure", object.span, `${describeType(object.type)} has no members`, hint);
      return this.broken(span);
    }
    const members = type.members();
    const found = members.find((m) => m.name === name);
    if (found === undefined)
      return this.noMember(
        type.name,
        name,
        members.map((m) => m.name),
        nameSpan,
        span,
      );
    return this.place({
      kind: "member",
      object: place,
      member: found,
      type: found.type,
      span,
    });
  }

  private field(object: TypedExpr, names: readonly string[], name: string, nameSpan: Span, span: Span): TypedExpr {
    const index = names.indexOf(name);
    const type = object.type.kind === "tuple" ? object.type.items[index] : undefined;
    if (type === undefined) return this.noMember("this record", name, names, nameSpan, span);
    return this.item(object, index, span);
  }

  noMember(what: string, name: string, known: readonly string[], nameSpan: Span, span: Span): TypedExpr {
    const near = nearest(name, known);
    const list = known.length <= 12 ? `it has ${known.join(", ")}` : undefined;
    const hint =
      near !== undefined ? `did you mean '${near}'?` : known.length === 0 ? "nothing is known of its members" : list;
    this.error("unknown-member", nameSpan, `${what} has no member '${name}'`, hint);
    return this.broken(span);
  }

  private argField(object: TypedExpr, name: string, nameSpan: Span, span: Span): TypedExpr {
    const { variant, targets } = this.scope;
    // Without `args` that has been said.
    if (variant.args === undefined) return this.broken(span);
    const fields: readonly ArgField[] = variant.args;
    const found = fields.find((f) => f.name === name);
    if (found === undefined) {
      const renamed = name === "retval" && fields.some((f) => f.name === "ret") ? "ret" : undefined;
      const known = fields.filter(({ source }) => source.kind !== "hidden").map((f) => f.name);
      if (renamed !== undefined) {
        this.error(
          "unknown-member",
          nameSpan,
          `${targets[0]?.name ?? object.type.kind} has no argument '${name}'`,
          `did you mean '${renamed}'?`,
        );
        return this.broken(span);
      }
      const near = nearest(name, known);
      this.error(
        "unknown-member",
        nameSpan,
        `${targets[0]?.name ?? "this probe"} has no argument '${name}'`,
        near === undefined ? `it has ${known.join(", ") || "none"}` : `did you mean '${near}'?`,
      );
      return this.broken(span);
    }
    if (isUnreadable(this, found, nameSpan)) return this.broken(span);
    return this.place({ kind: "arg-field", field: found, type: found.type, span });
  }

  private item(object: TypedExpr, index: number, span: Span): TypedExpr {
    if (object.type.kind !== "tuple") {
      this.error("not-a-tuple", object.span, `${describeType(object.type)} is no tuple`);
      return this.broken(span);
    }
    const type = object.type.items[index];
    if (type === undefined) {
      this.error("bad-index", span, `the tuple has ${object.type.items.length} items, numbered from 0`);
      return this.broken(span);
    }
    const whole = object.kind === "tuple" ? object.items : [];
    const only = whole[index];
    if (only !== undefined && whole.every((item) => item.kind === "const" || item.kind === "text")) return only;
    return { kind: "item", object, index, type, span };
  }

  private index(object: TypedExpr, index: TypedExpr, span: Span): TypedExpr {
    const number = this.asNumber(index);
    if (object.type.kind === "tuple") {
      if (number.kind === "const") return this.item(object, Number(number.value), span);
      this.error("bad-index", index.span, "the number of a tuple's item must be known before the script runs");
      return this.broken(span);
    }
    if (object.type.kind === "pointer") {
      const offset = checkBinary(this.scope, "+", object, number, span);
      return this.deref(offset, span);
    }
    if (object.type.kind === "array") {
      if (
        number.kind === "const" &&
        object.type.count > 0 &&
        (number.value < 0n || number.value >= BigInt(object.type.count))
      ) {
        this.error(
          "bad-index",
          span,
          `the index ${number.value} is out of bounds for array of size ${object.type.count}`,
          "elements are numbered from 0",
        );
      }
      return { kind: "element", object, index: number, type: object.type.of, span };
    }
    if (object.type.kind === "string") return { kind: "element", object, index: number, type: int(1, true), span };
    this.error("not-an-array", object.span, `${describeType(object.type)} cannot be indexed`);
    return this.broken(span);
  }
}

/** A variable of a macro's body is named as the macro has it. */
export const shownName = (name: string): string => name.replace(/'.*$/, "");
