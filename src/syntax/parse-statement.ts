import type { AssignOp, AstExpr, AstStatement, AstVariable } from "./ast.js";
import { ExpressionParser } from "./parse-expression.js";
import { describe, ParseAbort, type TokenStream } from "./token-stream.js";

const assignOps = new Set(["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="]);

export class StatementParser {
  private readonly tokens: TokenStream;
  readonly expressions: ExpressionParser;
  /** The last `if` as an expression, where both ways have a value; it is one if it ends a block that has a value. */
  private ifValue: AstExpr | undefined;

  constructor(tokens: TokenStream) {
    this.tokens = tokens;
    this.expressions = new ExpressionParser(tokens, () => {
      const start = this.tokens.peek().span.start;
      const { body, value } = this.braces(true);
      return { body, value, span: this.tokens.span(start) };
    });
  }

  /** `{ statements; value }`, the value may be missing. */
  body(): { readonly body: readonly AstStatement[]; readonly value: AstExpr | undefined } {
    return this.braces(true);
  }

  /** `{ statements }` */
  block(): readonly AstStatement[] {
    return this.braces(false).body;
  }

  private braces(allowValue: boolean): { body: readonly AstStatement[]; value: AstExpr | undefined } {
    const { tokens } = this;
    const open = tokens.expect("{", "to open a block");
    const body: AstStatement[] = [];
    for (;;) {
      if (tokens.accept("}")) break;
      if (tokens.accept(";")) continue;
      if (tokens.isKind("end")) {
        tokens.diags.error("syntax", open.span, "this block has no end", { hint: "close it with }" });
        throw new ParseAbort();
      }
      try {
        this.ifValue = undefined;
        const statement = tokens.nested(() => this.statement());
        const ifValue: AstExpr | undefined = this.ifValue;
        const value = statement.kind === "expression" ? statement.value : statement.kind === "if" ? ifValue : undefined;
        if (allowValue && value !== undefined && tokens.is("}")) {
          tokens.take();
          return { body, value };
        }
        body.push(statement);
        this.endStatement(statement);
      } catch (error) {
        if (!(error instanceof ParseAbort)) throw error;
        this.recover();
      }
    }
    return { body, value: undefined };
  }

  private endStatement(statement: AstStatement): void {
    const { tokens } = this;
    if (tokens.accept(";") || tokens.is("}")) return;
    const closed = ["if", "unroll", "while", "for-range", "for-map", "block-statement"].includes(statement.kind);
    if (closed) return;
    tokens.fail(`expected ';' or '}' after this statement, found ${describe(tokens.peek())}`);
  }

  /** Goes on behind the next `;`, or in front of the `}` that closes this block. */
  private recover(): void {
    let depth = 0;
    for (;;) {
      const token = this.tokens.peek();
      if (token.kind === "end") return;
      if (depth === 0 && token.text === "}" && token.kind === "punctuator") return;
      this.tokens.take();
      if (token.kind !== "punctuator") continue;
      if (token.text === "{") depth++;
      else if (token.text === "}") depth--;
      else if (token.text === ";" && depth === 0) return;
    }
  }

  private statement(): AstStatement {
    const { tokens } = this;
    const token = tokens.peek();
    const start = token.span.start;
    if (token.kind === "name") {
      switch (token.text) {
        case "if":
          return this.if();
        case "unroll":
          return this.unroll();
        case "while":
          return this.while();
        case "for":
          return this.for();
        case "let":
          return this.let();
        case "return":
          tokens.take();
          return {
            kind: "return",
            value: tokens.is(";") || tokens.is("}") ? undefined : this.expressions.parse(),
            span: tokens.span(start),
          };
        case "break":
        case "continue":
          tokens.take();
          return { kind: token.text, span: token.span };
        case "_":
          if (tokens.is("=", 1)) {
            tokens.take();
            tokens.take();
            return { kind: "discard", value: this.expressions.parse(), span: tokens.span(start) };
          }
          break;
        default:
          break;
      }
    }
    if (tokens.is("{")) return this.blockStatement(start);
    const value = this.expressions.parse();
    const op = tokens.peek();
    if (op.kind !== "punctuator" || !assignOps.has(op.text))
      return { kind: "expression", value, span: tokens.span(start) };
    if (value.kind !== "map" && value.kind !== "variable") {
      return tokens.fail("only a variable ($x) or a map (@x) can be assigned to", undefined, value.span);
    }
    tokens.take();
    const right = this.expressions.parse();
    return { kind: "assign", target: value, op: op.text as AssignOp, value: right, span: tokens.span(start) };
  }

  private blockStatement(start: number): AstStatement {
    const { body, value } = this.braces(true);
    const span = this.tokens.span(start);
    if (value === undefined) return { kind: "block-statement", body, span };
    return { kind: "expression", value: { kind: "block", body, value, span }, span };
  }

  private if(): AstStatement {
    const { tokens } = this;
    const start = tokens.take().span.start;
    const condition = this.condition("if");
    const then = this.valueBlock();
    let otherwise: ReturnType<StatementParser["valueBlock"]> = { body: [], value: undefined };
    if (tokens.accept("else")) {
      if (tokens.is("if")) {
        const nested = tokens.nested(() => this.if());
        otherwise = { body: [nested], value: this.ifValue };
      } else otherwise = this.valueBlock();
    }
    const span = tokens.span(start);
    this.ifValue =
      then.value === undefined || otherwise.value === undefined
        ? undefined
        : { kind: "ternary", condition, then: then.value, else: otherwise.value, span };
    return { kind: "if", condition, then: then.body, else: otherwise.body, span };
  }

  /** A block as statements, and as an expression if it ends with one. */
  private valueBlock(): { readonly body: readonly AstStatement[]; readonly value: AstExpr | undefined } {
    const start = this.tokens.peek().span.start;
    const { body, value } = this.braces(true);
    if (value === undefined) return { body, value };
    const last: AstStatement = { kind: "expression", value, span: value.span };
    return { body: [...body, last], value: { kind: "block", body, value, span: this.tokens.span(start) } };
  }

  private condition(keyword: string): AstExpr {
    // bpftrace takes the condition with and without parentheses; an expression covers both.
    if (this.tokens.is("{"))
      return this.tokens.fail(`expected a condition after ${keyword}, found ${describe(this.tokens.peek())}`);
    return this.expressions.parse();
  }

  private unroll(): AstStatement {
    const start = this.tokens.take().span.start;
    const count = this.condition("unroll");
    return { kind: "unroll", count, body: this.block(), span: this.tokens.span(start) };
  }

  private while(): AstStatement {
    const start = this.tokens.take().span.start;
    const condition = this.condition("while");
    return { kind: "while", condition, body: this.block(), span: this.tokens.span(start) };
  }

  private for(): AstStatement {
    const { tokens } = this;
    const start = tokens.take().span.start;
    const parenthesized = tokens.accept("(");
    const variable = this.variable();
    tokens.expect(":", "after the loop's variable");
    const first = this.expressions.parse();
    if (tokens.accept("..")) {
      const to = this.expressions.parse();
      if (parenthesized) tokens.expect(")", "after the range");
      return { kind: "for-range", variable, from: first, to, body: this.block(), span: tokens.span(start) };
    }
    if (parenthesized) tokens.expect(")", "after the map");
    if (first.kind !== "map" || first.keys !== undefined) {
      return tokens.fail("a for loop runs over a map (@m) or a range (0..10)", undefined, first.span);
    }
    return { kind: "for-map", variable, map: first, body: this.block(), span: tokens.span(start) };
  }

  private variable(): AstVariable {
    const token = this.tokens.expectKind("variable", "a variable ($x)");
    return { kind: "variable", name: token.text, span: token.span };
  }

  private let(): AstStatement {
    const { tokens } = this;
    const start = tokens.take().span.start;
    const variable = this.variable();
    const type = tokens.accept(":") ? this.expressions.type() : undefined;
    const value = tokens.accept("=") ? this.expressions.parse() : undefined;
    return { kind: "let", variable, type, value, span: tokens.span(start) };
  }
}
