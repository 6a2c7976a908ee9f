import type { Diagnostics } from "../base/diagnostics.js";
import type { Source } from "../base/span.js";
import type { AstAttachPoint, AstConfig, AstExpr, AstInclude, AstProbe, AstProgram } from "./ast.js";
import { parseAttachPoint } from "./parse-attach-point.js";
import { StatementParser } from "./parse-statement.js";
import { ParseAbort, TokenStream } from "./token-stream.js";
import { findTooDeep } from "./tree-depth.js";

/** Parses a whole script; what is wrong goes to `diags`, and the rest of the script is still read. */
export function parse(source: Source, diags: Diagnostics): AstProgram {
  return new ProgramParser(source, diags).program();
}

class ProgramParser {
  private readonly source: Source;
  private readonly tokens: TokenStream;
  private readonly statements: StatementParser;
  private readonly includes: AstInclude[] = [];
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
    const { source, includes, config, probes } = this;
    if (probes.length === 0 && !tokens.diags.failed) {
      tokens.diags.error("empty-script", tokens.span(0, 0), "this script has no probe", {
        hint: "a probe looks like this: tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }",
      });
    }
    return { source, includes, config, probes };
  }

  private item(): void {
    const { tokens } = this;
    const token = tokens.peek();
    if (token.kind === "directive") this.directive();
    else if (tokens.is("config") && tokens.is("=", 1)) this.configBlock();
    else if (token.kind === "punctuator" && token.text === ";") tokens.take();
    else this.probe();
  }

  private directive(): void {
    const token = this.tokens.take();
    const include = /^#\s*include\s*(?:<([^>\n]+)>|"([^"\n]+)")/.exec(token.text);
    if (include === null) {
      this.tokens.fail(
        `the preprocessor directive '${token.text.split(/\s/, 1)[0]}' is not supported`,
        "only #include is; kernel types need no declaration, they come from BTF",
        token.span,
      );
    }
    this.includes.push({ span: token.span, header: include[1] ?? include[2] ?? "" });
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
