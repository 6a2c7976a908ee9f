import { bytesIn } from "../../base/byte-text.js";
import { bool, i64, none, string, type Type, u64 } from "../../types/type.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { Parameter } from "../parameters.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { literalText, optionalValue } from "./define.js";

export const parameterBuiltins: readonly Builtin[] = [
  {
    name: "config",
    doc: "The settings that hold for the script, as a record: `config().max_strlen`.",
    bare: true,
    params: [],
    result: ({ config }) => {
      const items = Object.values(config).map((value): Type => typeOf(value));
      return { kind: "tuple", items, names: Object.keys(config) };
    },
    rewrite({ config, span }, _args, type): TypedExpr {
      const items = Object.values(config).map((value): TypedExpr => {
        if (typeof value === "string") return { kind: "text", value, type: typeOf(value), span };
        return { kind: "const", value: BigInt(value), type: typeOf(value), span };
      });
      return { kind: "tuple", items, type, span };
    },
  },
  {
    name: "getopt",
    doc: "A named parameter of the script, given behind `--` as `--name=value`; the default says its type. `--help` lists them.",
    params: [
      { name: "name", kind: "literal-string" },
      { name: "default", kind: "any", optional: true },
      { name: "description", kind: "literal-string", optional: true },
    ],
    result(context, args) {
      const parameter = declared(context, args);
      if (parameter === undefined) return none;
      const value = parameterValue(context, parameter);
      if (typeof value === "boolean") return bool;
      if (typeof value === "string") return string(bytesIn(value) + 1);
      return value !== undefined && value >= 1n << 63n ? u64 : i64;
    },
    rewrite(context, args, type): TypedExpr {
      const { span } = context;
      const parameter = declared(context, args);
      const value = parameter === undefined ? 0n : (parameterValue(context, parameter) ?? parameter.fallback);
      if (typeof value === "string") return { kind: "text", value, type, span };
      const known: Type = type.kind === "none" ? i64 : type;
      return { kind: "const", value: typeof value === "bigint" ? value : value ? 1n : 0n, type: known, span };
    },
  },
];

function typeOf(value: number | boolean | string): Type {
  if (typeof value === "boolean") return bool;
  return typeof value === "string" ? string(bytesIn(value) + 1) : u64;
}

function declared(context: CheckContext, args: readonly TypedArg[]): Parameter | undefined {
  const name = literalText(args, 0);
  const given = optionalValue(args, 1);
  const description = args.length > 2 ? literalText(args, 2) : "";
  let fallback: Parameter["fallback"] = false;
  if (given?.kind === "const") fallback = given.type.kind === "bool" ? given.value !== 0n : given.value;
  else if (given?.kind === "text") fallback = given.value;
  else if (given !== undefined) {
    const message = "getopt() needs a literal number, text, true or false as its default";
    context.diags.error("bad-argument", given.span, message, { hint: "the default says which type the parameter has" });
    return undefined;
  }
  const parameter = { name, fallback, description };
  const other = context.parameters.declare(parameter);
  if (other !== undefined) {
    const message = `the parameter '${name}' needs the same default wherever it is used; before it was ${other.fallback}`;
    context.diags.error("bad-argument", context.span, message, { hint: "let $x = getopt(...) once, and use $x" });
  }
  return parameter;
}

/** The value from the command line, or the default; undefined if what is given is none. */
function parameterValue(context: CheckContext, { name, fallback }: Parameter): Parameter["fallback"] | undefined {
  const text = context.parameters.given.get(name);
  if (text === undefined || typeof fallback === "string") return text ?? fallback;
  if (typeof fallback === "boolean") {
    if (/^(?:true|1)$/i.test(text)) return true;
    if (/^(?:false|0)$/i.test(text)) return false;
    refuse(context, `--${name} expects a boolean (e.g. 'true') (value: ${text})`);
    return undefined;
  }
  const number = /^-?(?:0x[0-9a-f]+|[0-9]+)$/i.exec(text) === null ? undefined : toBigInt(text);
  if (number === undefined || number < -(1n << 63n) || number >= 1n << 64n) {
    refuse(context, `--${name} ${text === "true" ? "expects an" : "invalid"} integer (value: ${text})`);
    return undefined;
  }
  return number;
}

function refuse(context: CheckContext, message: string): void {
  // What is wrong stands on the command line, not at a place of the script.
  context.diags.error("bad-parameter", undefined, `program command line option ${message}`);
}

const toBigInt = (text: string): bigint => (text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text));
