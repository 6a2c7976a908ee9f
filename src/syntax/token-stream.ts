import type { Diagnostics } from "../base/diagnostics.js";
import type { Source, Span } from "../base/span.js";
import { Lexer, type Token, type TokenKind } from "./lexer.js";

/** Thrown after a syntax error was reported, caught where parsing can go on. */
export class ParseAbort extends Error {}

/** Deeper nesting than any script needs; keeps hostile input from overflowing our own stack. */
const maxDepth = 256;

/** Tokens with look-ahead, and the helpers that every part of the grammar uses. */
export class TokenStream {
  readonly lexer: Lexer;
  readonly diags: Diagnostics;
  private ahead: Token[] = [];
  private depth = 0;
  /** End of the token taken last. */
  lastEnd = 0;

  constructor(source: Source, diags: Diagnostics) {
    this.lexer = new Lexer(source, diags);
    this.diags = diags;
  }

  peek(distance = 0): Token {
    for (;;) {
      const token = this.ahead[distance];
      if (token !== undefined) return token;
      this.ahead.push(this.lexer.next());
    }
  }

  take(): Token {
    const token = this.peek();
    if (token.kind !== "end") this.ahead.shift();
    this.lastEnd = token.span.end;
    return token;
  }

  /** Forgets what was looked at, so that text can be read by another grammar from the next token's start. */
  rewind(): number {
    const next = this.ahead[0];
    if (next !== undefined) this.lexer.offset = next.span.start;
    else this.lexer.skipSpace();
    this.ahead = [];
    return this.lexer.offset;
  }

  span(start: number, end = this.lastEnd): Span {
    return this.lexer.span(start, end);
  }

  is(text: string, distance = 0): boolean {
    const token = this.peek(distance);
    return (token.kind === "punctuator" || token.kind === "name") && token.text === text;
  }

  isKind(kind: TokenKind, distance = 0): boolean {
    return this.peek(distance).kind === kind;
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.take();
    return true;
  }

  expect(text: string, context: string): Token {
    if (this.is(text)) return this.take();
    return this.fail(`expected '${text}' ${context}, found ${describe(this.peek())}`);
  }

  expectKind(kind: TokenKind, what: string): Token {
    if (this.isKind(kind)) return this.take();
    return this.fail(`expected ${what}, found ${describe(this.peek())}`);
  }

  fail(message: string, hint?: string, span: Span = this.peek().span): never {
    this.diags.error("syntax", span, message, { hint });
    throw new ParseAbort();
  }

  /** Runs one level of recursive grammar. */
  nested<T>(parse: () => T): T {
    if (this.depth >= maxDepth) this.fail(`nesting deeper than ${maxDepth} levels`);
    this.depth++;
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }
}

export function describe(token: Token): string {
  switch (token.kind) {
    case "end":
      return "the end of the script";
    case "string":
      return "a string";
    default:
      return `'${token.text.slice(0, 40)}'`;
  }
}
