import { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import type { CDefinitions } from "../c/definitions.js";
import { findBuiltin } from "../language/builtins/index.js";
import { findMapFunction } from "../language/map-functions/index.js";
import type { AstExpr, AstProgram } from "../syntax/ast.js";
import { parseExpression } from "../syntax/parser.js";
import { rewriteTree } from "../syntax/rewrite-tree.js";

/**
 * The program with every macro of its C replaced by the expression that it stands for. Only names that mean nothing to the
 * language are looked up, so that headers are not read for scripts that need none of their macros.
 */
export function expandCMacros(program: AstProgram, definitions: CDefinitions, diags: Diagnostics): AstProgram {
  if (definitions.empty) return program;
  const expansion = new Expansion(definitions, diags);
  return { ...program, probes: expansion.expand(program.probes) };
}

class Expansion {
  private readonly definitions: CDefinitions;
  private readonly diags: Diagnostics;

  constructor(definitions: CDefinitions, diags: Diagnostics) {
    this.definitions = definitions;
    this.diags = diags;
  }

  expand<T>(tree: T): T {
    return rewriteTree(tree, (node) => (isExpression(node) ? this.replaced(node) : undefined));
  }

  private replaced(e: AstExpr): AstExpr | undefined {
    if (e.kind === "name" && isFree(e.name)) {
      const text = this.definitions.macro(e.name);
      return text === undefined ? undefined : this.parsed(e.name, text, e.span);
    }
    if (e.kind === "call" && isFree(e.name)) {
      const args = e.args.map(({ span }) => span.source.text.slice(span.start, span.end));
      const text = this.definitions.macroCall(e.name, args);
      return text === undefined ? undefined : this.parsed(e.name, text, e.span);
    }
    return undefined;
  }

  /** What is wrong with a macro's value is said where the script uses it. */
  private parsed(name: string, text: string, span: Span): AstExpr | undefined {
    const inner = new Diagnostics();
    const expression = parseExpression({ name, text }, inner);
    if (expression !== undefined) return relocated(expression, span);
    // The name of a macro without a value, or of an attribute, may still mean something else.
    if (text === "" || text === name) return undefined;
    this.diags.error("bad-macro", span, `'${name}' stands for '${text.slice(0, 200)}', which is no expression`, {
      hint: "only macros that are expressions of the language can be used here",
    });
    return { kind: "int", value: 0n, span };
  }
}

const isFree = (name: string): boolean => findBuiltin(name) === undefined && findMapFunction(name) === undefined;

const isExpression = (node: object): node is AstExpr =>
  "kind" in node && (node.kind === "name" || node.kind === "call") && "span" in node && "name" in node;

/** The same tree, all of it at the place where the macro is used: that is what messages should show. */
function relocated<T>(node: T, span: Span): T {
  if (Array.isArray(node)) return node.map((item) => relocated(item, span)) as T;
  if (typeof node !== "object" || node === null) return node;
  const copy: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(node))
    copy[key] = key === "span" || key.endsWith("Span") ? span : relocated(child, span);
  return copy as T;
}
