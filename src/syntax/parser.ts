import type { Diagnostics } from "../base/diagnostics.js";
import type { Source, Span } from "../base/span.js";
import type {
  AstAttachPoint,
  AstConfig,
  AstExpr,
  AstImport,
  AstMacro,
  AstMapDeclaration,
  AstParameter,
  AstProbe,
  AstProgram,
} from "./ast.js";
import { parseAttachPoint } from "./parse-attach-point.js";
import { StatementParser } from "./parse-statement.js";
import { endOfDefinition, endOfDirective } from "./scan-definition.js";
import { describe, ParseAbort, TokenStream } from "./token-stream.js";
import { findTooDeep } from "./tree-depth.js";

/**
 * Parses a whole script; what is wrong goes to `diags`, and the rest of the script is still read. A `library` is imported
 * by others and needs no probe.
 */
export function parse(source: Source, diags: Diagnostics, library = false): AstProgram {
  return new ProgramParser(source, diags, library).program();
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
const tooLong = (tokens: TokenStream, where: Span): never =>
  tokens.fail("this expression is too long for one", "compute parts of it into variables first", where);

class ProgramParser {
  private readonly source: Source;
  private readonly library: boolean;
  private readonly tokens: TokenStream;
  private readonly statements: StatementParser;
  private readonly preamble: Span[] = [];
  private readonly config: AstConfig[] = [];
  private readonly imports: AstImport[] = [];
  private readonly maps: AstMapDeclaration[] = [];
  private readonly macros: AstMacro[] = [];
  private readonly probes: AstProbe[] = [];

  constructor(source: Source, diags: Diagnostics, library: boolean) {
    this.source = source;
    this.library = library;
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
    const { source, preamble, config, imports, maps, macros, probes } = this;
    if (probes.length === 0 && imports.length === 0 && !this.library && !tokens.diags.failed) {
      tokens.diags.error("empty-script", tokens.span(0, 0), "this script has no probe", {
        hint: "a probe looks like this: tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }",
      });
    }
    return { source, preamble, config, imports, maps, macros, probes };
  }

  private item(): void {
    const { tokens } = this;
    const token = tokens.peek();
    if (token.kind === "directive") this.directive();
    else if (this.startsDefinition()) this.definition();
    else if (tokens.is("config") && tokens.is("=", 1)) this.configBlock();
    else if (tokens.is("import") && tokens.isKind("string", 1)) this.import();
    else if (tokens.is("let") && tokens.isKind("map", 1)) this.mapDeclaration();
    else if (tokens.is("macro") && tokens.isKind("name", 1)) this.macro();
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

  private import(): void {
    const { tokens } = this;
    const start = tokens.take().span.start;
    const path = tokens.take().text;
    if (!tokens.accept(";")) tokens.fail(`expected ';' after the import, found ${describe(tokens.peek())}`);
    this.imports.push({ span: tokens.span(start), path });
  }

  private mapDeclaration(): void {
    const { tokens } = this;
    const start = tokens.take().span.start;
    const name = tokens.take().text;
    tokens.expect("=", "after the map's name");
    const type = tokens.expectKind("name", "the kind of the map");
    tokens.expect("(", "after the kind of the map");
    const entries = tokens.expectKind("int", "the number of keys that the map can hold");
    tokens.expect(")", "after the number of keys");
    if (!tokens.accept(";")) tokens.fail(`expected ';' after the declaration, found ${describe(tokens.peek())}`);
    this.maps.push({
      span: tokens.span(start),
      name,
      type: type.text,
      typeSpan: type.span,
      maxEntries: entries.value,
      entriesSpan: entries.span,
    });
  }

  /** `macro name($x, @m, e) { ... }`; the parentheses may be missing. */
  private macro(): void {
    const { tokens } = this;
    const start = tokens.take().span.start;
    const name = tokens.take();
    const parameters: AstParameter[] = [];
    if (tokens.accept("(")) {
      while (!tokens.is(")")) {
        parameters.push(this.parameter());
        if (!tokens.accept(",")) break;
      }
      tokens.expect(")", "after the macro's parameters");
    }
    const { body, value } = this.statements.body();
    const deep = findTooDeep(value === undefined ? body : [...body, value]);
    if (deep !== undefined) tooLong(tokens, deep);
    this.macros.push({ span: tokens.span(start), name: name.text, nameSpan: name.span, parameters, body, value });
  }

  private parameter(): AstParameter {
    const token = this.tokens.take();
    const kind = token.kind === "variable" || token.kind === "map" ? token.kind : "expression";
    if (kind === "expression" && token.kind !== "name") {
      this.tokens.fail(`expected a parameter ($x, @m or a name), found ${describe(token)}`, undefined, token.span);
    }
    return { span: token.span, name: token.text, kind };
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
    if (deep !== undefined) tooLong(tokens, deep);
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
