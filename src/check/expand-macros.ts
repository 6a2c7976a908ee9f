import type { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import { findBuiltin } from "../language/builtins/index.js";
import { findMapFunction } from "../language/map-functions/index.js";
import type { AstExpr, AstMacro, AstProgram, AstType } from "../syntax/ast.js";
import { rewriteChildren, rewriteTree, type TreeNode } from "../syntax/rewrite-tree.js";

/** Macros may double what they are given; this many of them in one script is more than a BPF program can hold. */
const mostExpansions = 10_000;

/**
 * The program with every call of a macro replaced by its body, as a block with a value. Variables of the body get names
 * that no script can write, so that they meet none of the caller's; maps must be passed.
 */
export function expandMacros(program: AstProgram, diags: Diagnostics): AstProgram {
  if (program.macros.length === 0) return program;
  const expander = new MacroExpander(program.macros, diags);
  return { ...program, probes: expander.expand(program.probes, []) };
}

/** What a macro's parameters stand for in one call. */
interface Bindings {
  readonly id: string;
  readonly macro: AstMacro;
  readonly variables: ReadonlyMap<string, string>;
  readonly maps: ReadonlyMap<string, string>;
  readonly expressions: ReadonlyMap<string, AstExpr>;
  /** Macros whose bodies are being expanded, the outermost first. */
  readonly chain: readonly AstMacro[];
}

/** Old names of builtins, as `name` for `probe`, are free: 0.27 does not know them. */
function isBuiltin(name: string): boolean {
  const builtin = findBuiltin(name);
  return builtin?.bare === true && builtin.name === name;
}

class MacroExpander {
  private readonly diags: Diagnostics;
  private readonly macros = new Map<string, AstMacro[]>();
  private expansions = 0;

  constructor(macros: readonly AstMacro[], diags: Diagnostics) {
    this.diags = diags;
    for (const macro of macros) this.define(macro);
  }

  private define(macro: AstMacro): void {
    const { name, parameters } = macro;
    for (const [i, parameter] of parameters.entries()) {
      if (parameters.findIndex((other) => other.name === parameter.name) < i)
        this.diags.error("twice", parameter.span, `the macro has a parameter '${parameter.name}' already`);
      else if (parameter.kind === "expression" && isBuiltin(parameter.name))
        this.diags.error("reserved", parameter.span, `builtin '${parameter.name}' can't be used as a macro argument`);
    }
    const others = this.macros.get(name) ?? [];
    const earlier = others.find((other) => matches(other, parameters));
    if (earlier !== undefined) {
      this.diags.error("redefined", macro.nameSpan, `Redefinition of macro: ${name}`, {
        notes: [{ message: "it is defined here, and takes what this one would", span: earlier.nameSpan }],
      });
      return;
    }
    this.macros.set(name, [...others, macro]);
  }

  /** Expands calls outside of any macro's body, or in what was passed to one. */
  expand<T>(tree: T, chain: readonly AstMacro[]): T {
    return rewriteTree(tree, (node) => {
      if (!isCall(node)) return undefined;
      const args = node.kind === "call" ? node.args.map((arg) => this.expand(arg, chain)) : [];
      return this.call(node, args, chain) ?? (node.kind === "call" ? { ...node, args } : undefined);
    });
  }

  /** The body of the macro that a call or a name means; undefined if it means none. */
  private call(
    node: Extract<AstExpr, { kind: "call" | "name" }>,
    args: readonly AstExpr[],
    chain: readonly AstMacro[],
  ): AstExpr | undefined {
    const known = this.macros.get(node.name);
    if (known === undefined) return undefined;
    const macro = known.find((each) => matches(each, args));
    if (macro === undefined) {
      if (findBuiltin(node.name) === undefined && findMapFunction(node.name) === undefined)
        this.mismatch(node, args, known);
      return undefined;
    }
    const nothing: AstExpr = { kind: "int", value: 0n, span: node.span };
    if (chain.includes(macro)) {
      const names = [...chain.slice(chain.indexOf(macro)), macro].map((each) => each.name).join(" > ");
      this.diags.error("recursive-macro", node.span, `Recursive macro call detected. Call chain: ${names}`);
      return nothing;
    }
    if (++this.expansions > mostExpansions) {
      if (this.expansions === mostExpansions + 1)
        this.diags.error("macro-too-large", node.span, `macros are expanded more than ${mostExpansions} times`);
      return nothing;
    }
    const bindings = this.bind(macro, args, [...chain, macro]);
    const body = this.substitute(calledFrom(macro.body, node.span), bindings);
    const value = macro.value === undefined ? undefined : this.substitute(calledFrom(macro.value, node.span), bindings);
    return { kind: "block", body, value, span: node.span };
  }

  private bind(macro: AstMacro, args: readonly AstExpr[], chain: readonly AstMacro[]): Bindings {
    const variables = new Map<string, string>();
    const maps = new Map<string, string>();
    const expressions = new Map<string, AstExpr>();
    macro.parameters.forEach((parameter, i) => {
      const arg = args[i];
      if (arg === undefined) return;
      if (parameter.kind === "variable" && arg.kind === "variable") variables.set(parameter.name, arg.name);
      else if (parameter.kind === "map" && arg.kind === "map") maps.set(parameter.name, arg.name);
      // What is passed as an expression is a value, so that the body cannot change it.
      else if (arg.kind === "map")
        expressions.set(parameter.name, { kind: "block", body: [], value: arg, span: arg.span });
      else expressions.set(parameter.name, arg);
    });
    return { id: `'${macro.name}${this.expansions}`, macro, variables, maps, expressions, chain };
  }

  /** A copy of a piece of a macro's body with its parameters put in. */
  private substitute<T>(tree: T, bindings: Bindings): T {
    const replace = (node: TreeNode): object | undefined => {
      const e = node as AstExpr | AstType | { readonly kind: "let" | "for-range" | "for-map" };
      switch (e.kind) {
        case "variable":
          return { ...e, name: bindings.variables.get(e.name) ?? `${e.name}${bindings.id}` };
        case "map": {
          const name = bindings.maps.get(e.name);
          if (name === undefined) this.unhygienic(e.name, e.span);
          return { ...rewriteChildren(e, replace), name: name ?? e.name };
        }
        case "name":
          return bindings.expressions.get(e.name) ?? this.call(e, [], bindings.chain);
        case "call": {
          const args = e.args.map((arg) => rewriteTree(arg, replace));
          return this.call(e, args, bindings.chain) ?? { ...e, args };
        }
        case "type-name":
          return this.substituteType(e, bindings, replace);
        case "sizeof":
        case "typeinfo": {
          const named = e.operand?.kind === "name" ? bindings.expressions.get(e.operand.name) : undefined;
          return named?.kind === "type" ? { ...e, operand: undefined, type: named.type } : undefined;
        }
        case "type": {
          // typeof(x) of a parameter that is a type itself.
          const of = e.type.typeOf?.kind === "name" ? bindings.expressions.get(e.type.typeOf.name) : undefined;
          return of?.kind === "type" ? { ...e, type: withSuffixes(of.type, e.type) } : undefined;
        }
        case "offsetof":
          return { ...rewriteChildren(e, replace), path: this.substitutePath(e.path, bindings) };
        case "let":
          this.refuseShadow(e as Extract<typeof e, { kind: "let" }> & LetLike, bindings);
          return undefined;
        default:
          return undefined;
      }
    };
    return rewriteTree(tree, replace);
  }

  private refuseShadow({ variable, span }: LetLike, bindings: Bindings): void {
    if (bindings.variables.has(variable.name))
      this.diags.error("shadowed", span, `Variable declaration shadows macro arg ${variable.name}`);
  }

  private unhygienic(name: string, span: Span): void {
    const message = `Unhygienic access to map: ${name}. Maps must be passed into the macro as arguments.`;
    this.diags.error("unhygienic", span, message, { hint: "give the macro a parameter for it: macro m(@map) { ... }" });
  }

  private substituteType(type: AstType, bindings: Bindings, replace: (node: TreeNode) => object | undefined): AstType {
    if (type.typeOf !== undefined) {
      const of = type.typeOf.kind === "name" ? bindings.expressions.get(type.typeOf.name) : undefined;
      return of?.kind === "type" ? withSuffixes(of.type, type) : rewriteChildren(type, replace);
    }
    const [tag, tagged] = type.name.includes(" ") ? type.name.split(" ", 2) : [undefined, type.name];
    const given = bindings.expressions.get(tagged ?? "");
    if (given === undefined) return type;
    // `struct t` takes a bare name only.
    const name =
      given.kind === "name"
        ? given.name
        : given.kind === "type" && given.type.typeOf === undefined && given.type.suffixes.length === 0
          ? given.type.name
          : given.kind === "type" && given.type.typeOf?.kind === "name"
            ? given.type.typeOf.name
            : undefined;
    if (name !== undefined && (given.kind === "name" || (tag !== undefined && !name.includes(" "))))
      return { ...type, name: tag === undefined ? name : `${tag} ${name}` };
    if (tag === undefined && given.kind === "type") return withSuffixes(given.type, type);
    this.diags.error(
      "bad-argument",
      given.span,
      `Invalid replacement for macro '${bindings.macro.name}' type parameter '${tagged}' which makes up the type '${type.name}'`,
      { hint: "pass a type as typeof(TYPE)" },
    );
    return type;
  }

  /** `offsetof(t, f)`: the second parameter can be a name, or names with dots. */
  private substitutePath(path: readonly string[], bindings: Bindings): readonly string[] {
    const given = path.length === 1 ? bindings.expressions.get(path[0] ?? "") : undefined;
    if (given === undefined) return path;
    const names: string[] = [];
    let e = given;
    for (; e.kind === "member"; e = e.object) names.unshift(e.name);
    if (e.kind === "name") return [e.name, ...names];
    this.diags.error("bad-argument", given.span, "only names, with dots between them, can take the place of a member");
    return path;
  }

  private mismatch(
    node: Extract<AstExpr, { kind: "call" | "name" }>,
    args: readonly AstExpr[],
    known: readonly AstMacro[],
  ): void {
    const closest = [...known].sort((a, b) => distance(a, args) - distance(b, args))[0];
    if (closest === undefined) return;
    const { parameters } = closest;
    const wrong = parameters.findIndex(
      (parameter, i) => parameter.kind !== "expression" && parameter.kind !== args[i]?.kind,
    );
    const parameter = parameters[wrong];
    const message = `Call to ${node.name}() has arguments that do not match any definition.`;
    const note =
      parameters.length !== args.length || parameter === undefined
        ? {
            message: `The closest definition of ${node.name}() has a different number of arguments. Expected: ${parameters.length} but got ${args.length}`,
            span: closest.nameSpan,
          }
        : {
            message: `${node.name}() expects a ${parameter.kind} for arg ${parameter.name} but got ${describeArg(args[wrong])}.`,
            span: parameter.span,
          };
    this.diags.error("macro-arguments", node.span, message, { notes: [note] });
  }
}

/** A copy of a piece of a macro's body whose places know the call. */
function calledFrom<T>(tree: T, call: Span): T {
  if (Array.isArray(tree)) return tree.map((item) => calledFrom(item, call)) as T;
  if (typeof tree !== "object" || tree === null) return tree;
  const copy: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(tree)) {
    const isSpan = key === "span" || key.endsWith("Span");
    copy[key] = isSpan ? { ...(child as Span), calledFrom: call } : calledFrom(child, call);
  }
  return copy as T;
}

interface LetLike {
  readonly variable: { readonly name: string };
  readonly span: Span;
}

const isCall = (node: TreeNode): node is Extract<AstExpr, { kind: "call" | "name" }> =>
  node.kind === "call" || node.kind === "name";

/** Whether a macro takes these arguments (or could take what others are parameters for). */
const matches = (macro: AstMacro, args: readonly { readonly kind: string }[]): boolean =>
  macro.parameters.length === args.length &&
  macro.parameters.every((parameter, i) => {
    const arg = args[i];
    if (parameter.kind === "map") return arg?.kind === "map" && (!("keys" in arg) || arg.keys === undefined);
    return parameter.kind === "expression" || arg?.kind === parameter.kind;
  });

const distance = (macro: AstMacro, args: readonly AstExpr[]): number =>
  1024 * Math.abs(macro.parameters.length - args.length) +
  macro.parameters.filter((parameter, i) => parameter.kind !== "expression" && parameter.kind !== args[i]?.kind).length;

function describeArg(arg: AstExpr | undefined): string {
  if (arg?.kind === "map") return arg.keys === undefined ? "a map" : "an entry of a map";
  return arg?.kind === "variable" ? "a variable" : "an expression";
}

const withSuffixes = (base: AstType, outer: AstType): AstType => ({
  ...base,
  span: outer.span,
  suffixes: [...base.suffixes, ...outer.suffixes],
});
