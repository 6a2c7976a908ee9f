import { strengthOf } from "../base/c-operators.js";
import type { Span } from "../base/span.js";
import type { AstExpr, AstField, AstStatement, AstType, BinaryOp, StepOp, UnaryOp } from "./ast.js";
import { isBareType, parseType, startsCast, startsType } from "./parse-type.js";
import { describe, type TokenStream } from "./token-stream.js";

const unaryOps = new Set(["-", "!", "~", "*", "&", "+"]);

/** Characters of a string literal: as many as max_strlen can be. A program writes them out by instructions. */
const maxText = 65536;

/** Parses the statements of a block expression; given by parse-statement.ts, which knows them. */
export type ParseBlock = () => {
  readonly body: readonly AstStatement[];
  readonly value: AstExpr | undefined;
  readonly span: Span;
};

export class ExpressionParser {
  private readonly tokens: TokenStream;
  private readonly parseBlock: ParseBlock;

  constructor(tokens: TokenStream, parseBlock: ParseBlock) {
    this.tokens = tokens;
    this.parseBlock = parseBlock;
  }

  /** Set while a predicate is read: a `/` in front of `{` ends it instead of dividing. */
  private inPredicate = false;

  parse(): AstExpr {
    return this.tokens.nested(() => this.ternary());
  }

  /** The condition between the slashes of `/condition/ {`. */
  parsePredicate(): AstExpr {
    this.inPredicate = true;
    try {
      return this.parse();
    } finally {
      this.inPredicate = false;
    }
  }

  private ternary(): AstExpr {
    const condition = this.binary(0);
    if (!this.tokens.accept("?")) return condition;
    if (this.tokens.accept(":")) return this.elvis(condition);
    const whenTrue = this.parse();
    this.tokens.expect(":", "between the two results of ?:");
    const whenFalse = this.parse();
    return { kind: "ternary", span: this.from(condition), condition, then: whenTrue, else: whenFalse };
  }

  /** `a ?: b` is a if that is true; a is computed once. */
  private elvis(value: AstExpr): AstExpr {
    const otherwise = this.parse();
    const span = this.from(value);
    const variable: AstExpr = { kind: "variable", name: `$'${value.span.start}`, span: value.span };
    const held: AstStatement = { kind: "let", variable, type: undefined, value, span: value.span };
    const chosen: AstExpr = { kind: "ternary", span, condition: variable, then: variable, else: otherwise };
    return { kind: "block", span, body: [held], value: chosen };
  }

  /** Operators that bind at least as strongly as `level`, by precedence climbing. */
  private binary(level: number): AstExpr {
    let left = this.unary();
    for (;;) {
      const token = this.tokens.peek();
      const found = token.kind === "punctuator" ? strengthOf.get(token.text) : undefined;
      if (found === undefined || found < level) return left;
      if (this.inPredicate && token.text === "/" && this.tokens.is("{", 1)) return left;
      this.tokens.take();
      const right = this.tokens.nested(() => this.binary(found + 1));
      left = { kind: "binary", span: this.from(left), op: token.text as BinaryOp, left, right };
    }
  }

  private unary(): AstExpr {
    const token = this.tokens.peek();
    const start = token.span.start;
    if (token.kind === "punctuator") {
      if (token.text === "++" || token.text === "--") {
        this.tokens.take();
        const target = this.tokens.nested(() => this.unary());
        return this.step(token.text, true, target, start);
      }
      if (unaryOps.has(token.text)) {
        this.tokens.take();
        const operand = this.tokens.nested(() => this.unary());
        return { kind: "unary", span: this.tokens.span(start), op: token.text as UnaryOp, operand };
      }
      if (token.text === "(" && startsCast(this.tokens)) {
        this.tokens.take();
        const type = this.type();
        this.tokens.expect(")", "after the type of the cast");
        const operand = this.tokens.nested(() => this.unary());
        return { kind: "cast", span: this.tokens.span(start), type, operand };
      }
    }
    if (token.kind === "name" && token.text === "comptime") {
      this.tokens.take();
      const operand = this.tokens.nested(() => this.unary());
      return { kind: "unary", span: this.tokens.span(start), op: "comptime", operand };
    }
    return this.postfix(this.primary());
  }

  private step(op: StepOp, prefix: boolean, target: AstExpr, start: number): AstExpr {
    if (target.kind !== "map" && target.kind !== "variable") {
      return this.tokens.fail(`${op} needs a variable or a map`, undefined, target.span);
    }
    return { kind: "step", span: this.tokens.span(start), op, prefix, target };
  }

  private postfix(object: AstExpr): AstExpr {
    let value = object;
    for (;;) {
      const token = this.tokens.peek();
      if (token.kind !== "punctuator") return value;
      if (token.text === "." || token.text === "->") value = this.member(value, token.text === "->");
      else if (token.text === "[") {
        this.tokens.take();
        const index = this.parse();
        this.tokens.expect("]", "after the index");
        value = { kind: "index", span: this.from(value), object: value, index };
      } else if (token.text === "++" || token.text === "--") {
        this.tokens.take();
        value = this.step(token.text, false, value, value.span.start);
      } else return value;
    }
  }

  private member(object: AstExpr, arrow: boolean): AstExpr {
    this.tokens.take();
    const token = this.tokens.take();
    if (token.kind === "int" && !arrow && token.value < 1000n) {
      return { kind: "item", span: this.from(object), object, index: Number(token.value) };
    }
    if (token.kind !== "name") {
      return this.tokens.fail(`expected the name of a member, found ${describe(token)}`, undefined, token.span);
    }
    return { kind: "member", span: this.from(object), object, name: token.text, nameSpan: token.span, arrow };
  }

  private primary(): AstExpr {
    const token = this.tokens.peek();
    const { span } = token;
    switch (token.kind) {
      case "int":
        this.tokens.take();
        return { kind: "int", span, value: token.value };
      case "string": {
        this.tokens.take();
        let value = token.text;
        while (this.tokens.isKind("string")) value += this.tokens.take().text;
        if (value.length >= maxText) {
          this.tokens.diags.error("text-too-long", span, `a string has less than ${maxText} characters`);
          value = "";
        }
        return { kind: "string", span: this.tokens.span(span.start), value };
      }
      case "positional":
        this.tokens.take();
        return token.value < 0n
          ? { kind: "positional-count", span }
          : { kind: "positional", span, index: Number(token.value) };
      case "variable":
        this.tokens.take();
        return { kind: "variable", span, name: token.text };
      case "map":
        return this.map();
      case "name":
        return this.name();
      case "punctuator":
        if (token.text === "(") return this.parenthesized();
        if (token.text === "{") return this.block();
        break;
      default:
        break;
    }
    return this.tokens.fail(`expected an expression, found ${describe(token)}`);
  }

  private block(): AstExpr {
    const { body, value, span } = this.parseBlock();
    if (value === undefined)
      return this.tokens.fail("this block has no value", "end it with an expression without ;", span);
    return { kind: "block", span, body, value };
  }

  private map(): AstExpr {
    const token = this.tokens.take();
    if (!this.tokens.accept("[")) return { kind: "map", span: token.span, name: token.text, keys: undefined };
    const keys = this.list("]", "after the map's key");
    if (keys.length === 0)
      this.tokens.fail("a map key is missing between the brackets", `leave the brackets out: ${token.text}`);
    return { kind: "map", span: this.tokens.span(token.span.start), name: token.text, keys };
  }

  private name(): AstExpr {
    const token = this.tokens.take();
    const start = token.span.start;
    if (token.text === "true" || token.text === "false")
      return { kind: "bool", span: token.span, value: token.text === "true" };
    if (token.text === "if") return this.if(start);
    if (token.text === "sizeof")
      return { kind: "sizeof", ...this.typeOrOperand("sizeof"), span: this.tokens.span(start) };
    if (token.text === "typeinfo" && this.tokens.is("("))
      return { kind: "typeinfo", ...this.typeOrOperand("typeinfo"), span: this.tokens.span(start) };
    if (token.text === "typeof" && this.tokens.is("(")) return this.typeof(start);
    if (token.text === "offsetof") return this.offsetof(start);
    if (!this.tokens.is("(")) return { kind: "name", span: token.span, name: token.text };
    this.tokens.take();
    const args = this.list(")", `after the arguments of ${token.text}`);
    return { kind: "call", span: this.tokens.span(start), name: token.text, nameSpan: token.span, args };
  }

  /** `if c { a } else { b }` where a value is wanted: `c ? a : b` with blocks. */
  private if(start: number): AstExpr {
    const condition = this.parse();
    const then = this.valueBlock();
    this.tokens.expect("else", "after the value of if");
    const nested = this.tokens.peek().span.start;
    const otherwise = this.tokens.accept("if") ? this.tokens.nested(() => this.if(nested)) : this.valueBlock();
    return { kind: "ternary", span: this.tokens.span(start), condition, then, else: otherwise };
  }

  private valueBlock(): AstExpr {
    const { body, value, span } = this.parseBlock();
    return { kind: "block", span, body, value };
  }

  /** A type, with typeof(). */
  type(): AstType {
    return parseType(this.tokens, () => this.typeOrOperand("typeof"));
  }

  /** `(type)` or `(expression)`. */
  private typeOrOperand(word: string): { type: AstType | undefined; operand: AstExpr | undefined } {
    this.tokens.expect("(", `after ${word}`);
    const isType = startsType(this.tokens) || isBareType(this.tokens);
    const type = isType ? this.type() : undefined;
    const operand = isType ? undefined : this.parse();
    this.tokens.expect(")", `after ${word}`);
    return { type, operand };
  }

  /** `typeof(x)` as an argument of a macro. */
  private typeof(start: number): AstExpr {
    const { type, operand } = this.typeOrOperand("typeof");
    const span = this.tokens.span(start);
    const of: AstType = type ?? { kind: "type-name", name: "", typeOf: operand, suffixes: [], span };
    return { kind: "type", type: of, span };
  }

  private offsetof(start: number): AstExpr {
    this.tokens.expect("(", "after offsetof");
    const type = this.tokens.isKind("name") ? this.type() : this.typeOfOperand();
    this.tokens.expect(",", "between the type and the member");
    const path = [this.tokens.expectKind("name", "the name of a member").text];
    while (this.tokens.accept(".")) path.push(this.tokens.expectKind("name", "the name of a member").text);
    this.tokens.expect(")", "after offsetof");
    return { kind: "offsetof", span: this.tokens.span(start), type, path };
  }

  /** The type that an expression has, where a type may stand. */
  private typeOfOperand(): AstType {
    const typeOf = this.parse();
    return { kind: "type-name", name: "", typeOf, suffixes: [], span: typeOf.span };
  }

  private parenthesized(): AstExpr {
    const start = this.tokens.take().span.start;
    if (this.tokens.accept(")")) return { kind: "tuple", span: this.tokens.span(start), items: [] };
    if (this.tokens.isKind("name") && this.tokens.is("=", 1)) return this.record(start);
    const first = this.parse();
    if (!this.tokens.is(",")) {
      this.tokens.expect(")", "to close the parenthesis");
      // Places are told without the parentheses, as bpftrace tells them.
      return first;
    }
    const items = [first];
    while (this.tokens.accept(",")) if (!this.tokens.is(")")) items.push(this.parse());
    this.tokens.expect(")", "to close the tuple");
    return { kind: "tuple", span: this.tokens.span(start), items };
  }

  /** `name=value, ...)` */
  private record(start: number): AstExpr {
    const fields: AstField[] = [];
    while (!this.tokens.is(")")) {
      const name = this.tokens.expectKind("name", "the name of a field");
      this.tokens.expect("=", "after the field's name");
      const value = this.parse();
      fields.push({ kind: "field", name: name.text, value, span: this.tokens.span(name.span.start) });
      if (!this.tokens.accept(",")) break;
    }
    this.tokens.expect(")", "to close the record");
    return { kind: "record", span: this.tokens.span(start), fields };
  }

  private list(close: string, context: string): AstExpr[] {
    const items: AstExpr[] = [];
    while (!this.tokens.is(close)) {
      items.push(this.parse());
      if (!this.tokens.accept(",")) break;
    }
    this.tokens.expect(close, context);
    return items;
  }

  private from(first: AstExpr): Span {
    return this.tokens.span(first.span.start);
  }
}
