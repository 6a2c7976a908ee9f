import type { Diagnostics } from "../base/diagnostics.js";
import type { Source, Span } from "../base/span.js";
import type { AstAttachPoint, AstConfig, AstExpr, AstProbe, AstProgram } from "./ast.js";
import { parseAttachPoint } from "./parse-attach-point.js";
import { StatementParser } from "./parse-statement.js";
import { endOfDefinition, endOfDirective } from "./scan-definition.js";
import { ParseAbort, TokenStream } from "./token-stream.js";
import { findTooDeep } from "./tree-depth.js";

/** Parses a whole script; what is wrong goes to `diags`, and the rest of the script is still read. */
export function parse(source: Source, diags: Diagnostics): AstProgram {
  return new ProgramParser(source, diags).program();
}

/**
 * Parses an expression that stands alone, such as what a C macro stands for; undefined if it is none, which has been
 * said to `diags`.
 */
export function parseExpression(source: Source, diags: Diagnostics): AstExpr | undefined {
  const tokens = new TokenStream(source, diags);
  try {
    const expression = new StatementParser(tokens).expressions.parse();
    if (!tokens.isKind("end")) tokens.fail(`expected the end of the expression`);
    return findTooDeep([expression]) === undefined ? expression : undefined;
  } catch (error) {
    if (!(error instanceof ParseAbort)) throw error;
    return undefined;
  }
}

class ProgramParser {
  private readonly source: Source;
  private readonly tokens: TokenStream;
  private readonly statements: StatementParser;
  private readonly preamble: Span[] = [];
  private readonly config: AstConfig[] = [];
  private readonly probes: AstProbe[] = [];

  constructor(source: Source, diags: Diagnostics) {
    this.source = source;
    this.tokens = new TokenStream(source, diags);
    this.statements = new StatementParser(this.tokens);
  }

  program(): AstProgram {
    const { tokens } = this;
    while (!tokens.isKind("end")) {
      try {
        this.item();
      } catch (error) {
        if (!(error instanceof ParseAbort)) throw error;
        this.recover();
      }
    }
    const { source, preamble, config, probes } = this;
    if (probes.length === 0 && !tokens.diags.failed) {
      tokens.diags.error("empty-script", tokens.span(0, 0), "this script has no probe", {
        hint: "a probe looks like this: tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }",
      });
    }
    return { source, preamble, config, probes };
  }

  private item(): void {
    const { tokens } = this;
    const token = tokens.peek();
    if (token.kind === "directive") this.directive();
    else if (this.startsDefinition()) this.definition();
    else if (tokens.is("config") && tokens.is("=", 1)) this.configBlock();
    else if (token.kind === "punctuator" && token.text === ";") tokens.take();
    else this.probe();
  }

  /** A preprocessor line. */
  private directive(): void {
    const start = this.tokens.rewind();
    const end = endOfDirective(this.source.text, start);
    this.tokens.lexer.offset = end;
    this.preamble.push(this.tokens.span(start, end));
  }

  /** `struct Foo {`, `enum {`, `typedef ...`: no probe type is called that. */
  private startsDefinition(): boolean {
    const { tokens } = this;
    if (tokens.is("typedef")) return true;
    if (!tokens.is("struct") && !tokens.is("union") && !tokens.is("enum")) return false;
    return tokens.isKind("name", 1) || tokens.is("{", 1);
  }

  /** A definition of C, which is kept as it is written. */
  private definition(): void {
    const { tokens } = this;
    const { span, text } = tokens.peek();
    const start = tokens.rewind();
    const end = endOfDefinition(this.source.text, start, text === "typedef");
    if (end === undefined) {
      tokens.lexer.offset = this.source.text.length;
      this.tokens.fail(`this ${text} has no end`, "close it with };", span);
    }
    tokens.lexer.offset = end;
    this.preamble.push(tokens.span(start, end));
  }

  /** `config = { key = value; ... }` */
  private configBlock(): void {
    const { tokens } = this;
    tokens.take();
    tokens.take();
    tokens.expect("{", "to open the config block");
    while (!tokens.accept("}")) {
      if (tokens.accept(";")) continue;
      const key = tokens.expectKind("name", "the name of a setting");
      tokens.expect("=", "after the name of the setting");
      const value = tokens.take();
      if (!["name", "int", "string"].includes(value.kind))
        tokens.fail("expected the setting's value", undefined, value.span);
      this.config.push({
        span: tokens.span(key.span.start),
        key: key.text,
        keySpan: key.span,
        value: value.text,
        valueSpan: value.span,
      });
    }
  }

  private probe(): void {
    const { tokens } = this;
    const start = tokens.peek().span.start;
    const attachPoints: AstAttachPoint[] = [];
    do {
      if (tokens.is("{") && attachPoints.length > 0) break; // a trailing comma
      attachPoints.push(parseAttachPoint(tokens));
    } while (tokens.accept(","));
    const predicate = tokens.is("/") ? this.predicate() : undefined;
    const body = this.statements.block();
    const deep = findTooDeep(predicate === undefined ? body : [predicate, ...body]);
    if (deep !== undefined) {
      tokens.fail("this expression is too long for one", "compute parts of it into variables first", deep);
    }
    this.probes.push({ span: tokens.span(start), attachPoints, predicate, body });
  }

  private predicate(): AstExpr {
    const { tokens } = this;
    tokens.take();
    // In `/a/ b/` the first `/` that could end the predicate does, unless an operand follows that is not a block.
    const condition = this.statements.expressions.parsePredicate();
    tokens.expect("/", "to end the predicate");
    return condition;
  }

  /** Goes on at the next line that closes a top-level block, so that the next probe is still checked. */
  private recover(): void {
    let depth = 0;
    for (;;) {
      const token = this.tokens.take();
      if (token.kind === "end") return;
      if (token.kind !== "punctuator") continue;
      if (token.text === "{") depth++;
      else if (token.text === "}" && --depth <= 0) return;
    }
  }
}
