import { bytesIn } from "../../base/byte-text.js";
import type { Span } from "../../base/span.js";
import { string, type Type } from "../../types/type.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { TypedArg, TypedExpr } from "../typed.js";

/** A builtin whose result has always the same type. */
export function builtin(entry: Omit<Builtin, "result"> & { readonly type: Type }): Builtin {
  const { type, ...rest } = entry;
  return { ...rest, result: () => type };
}

/** The value of argument `index`; the parameter's kind has made sure that it is one. */
export function valueArg(args: readonly TypedArg[], index: number): TypedExpr {
  const arg = args[index];
  if (arg?.kind !== "value") throw new Error(`internal: argument ${index} is no value`);
  return arg.value;
}

export function optionalValue(args: readonly TypedArg[], index: number): TypedExpr | undefined {
  const arg = args[index];
  return arg?.kind === "value" ? arg.value : undefined;
}

export function literalText(args: readonly TypedArg[], index: number): string {
  const arg = args[index];
  if (arg?.kind !== "literal" || typeof arg.value !== "string")
    throw new Error(`internal: argument ${index} is no text`);
  return arg.value;
}

export function optionalText(args: readonly TypedArg[], index: number): string | undefined {
  const arg = args[index];
  return arg?.kind === "literal" && typeof arg.value === "string" ? arg.value : undefined;
}

export function literalNumber(args: readonly TypedArg[], index: number): bigint | undefined {
  const arg = args[index];
  return arg?.kind === "literal" && typeof arg.value === "bigint" ? arg.value : undefined;
}

export const expressions = (args: readonly TypedArg[]): TypedExpr[] =>
  args.flatMap((arg) => (arg.kind === "value" ? [arg.value] : []));

/** Reports a use of a builtin in a probe that does not offer it. */
export function notHere(context: CheckContext, what: string, hint?: string): void {
  context.diags.error("wrong-probe", context.span, `${what} cannot be used in ${context.probeName}`, { hint });
}

/** The text of an argument that is a text literal. */
export function textOf(arg: TypedArg | undefined): string | undefined {
  return arg?.kind === "value" && arg.value.kind === "text" ? arg.value.value : undefined;
}

/** A text literal that the compiler makes. */
export const textExpr = (value: string, span: Span): Extract<TypedExpr, { kind: "text" }> => ({
  kind: "text",
  value,
  type: string(bytesIn(value) + 1),
  span,
});
