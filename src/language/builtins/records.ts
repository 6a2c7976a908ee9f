// What the language says of structures and of itself.

import { bool, i64, pointer, type Type } from "../../types/type.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { describeType } from "../describe-type.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { textExpr, valueArg } from "./define.js";

/** Bytes from the start of a structure to a member of it, or of a member of a member; or what has no such member. */
function offsetOf(outer: Type, path: string): bigint | string {
  let type = outer;
  let bits = 0;
  for (const name of path.split(".")) {
    const member = type.kind === "record" ? type.members().find((m) => m.name === name) : undefined;
    if (member === undefined) return `${describeType(type)} has no member '${name}'`;
    bits += member.bitOffset;
    type = member.type;
  }
  return BigInt(bits >> 3);
}

interface Container {
  readonly member: TypedExpr;
  readonly type: Type;
  readonly path: string;
}

function containerOf(args: readonly TypedArg[]): Container {
  const [, type, path] = args;
  if (type?.kind !== "type" || path?.kind !== "word") throw new Error("internal: container_of of no type");
  return { member: valueArg(args, 0), type: type.type, path: path.word };
}

const container: Builtin = {
  name: "container_of",
  params: [
    { name: "pointer", kind: "address" },
    { name: "type", kind: "type" },
    { name: "member", kind: "member-path" },
  ],
  doc: "Pointer to the structure that a member belongs to, from a pointer to the member: container_of($p, typeof(struct file), f_path).",
  result: (context, args) => {
    const { member, type, path } = containerOf(args);
    const offset = offsetOf(type, path);
    if (typeof offset === "string") context.diags.error("unknown-member", context.span, offset);
    return pointer(type, member.type.kind === "pointer" ? member.type.space : "kernel");
  },
  rewrite: ({ span }, args, type) => {
    const { member, type: outer, path } = containerOf(args);
    const offset = offsetOf(outer, path);
    const right: TypedExpr = { kind: "const", value: typeof offset === "bigint" ? offset : 0n, type: i64, span };
    return { kind: "arithmetic", op: "sub", left: member, right, type, span };
  },
};

/** The settings as a record of constants. */
function settings(context: CheckContext): Extract<TypedExpr, { kind: "tuple" }> {
  const { config, span } = context;
  const items = Object.values(config).map((value): TypedExpr => {
    if (typeof value === "string") return textExpr(value, span);
    if (typeof value === "boolean") return { kind: "const", value: value ? 1n : 0n, type: bool, span };
    return { kind: "const", value: BigInt(value), type: i64, span };
  });
  const type: Type = { kind: "tuple", items: items.map((item) => item.type), names: Object.keys(config) };
  return { kind: "tuple", items, type, span };
}

const config: Builtin = {
  name: "config",
  bare: true,
  params: [],
  doc: "The settings of this run as a record: config.max_strlen, config.stack_mode ...",
  result: (context) => settings(context).type,
  rewrite: settings,
};

export const recordBuiltins: readonly Builtin[] = [container, config];
