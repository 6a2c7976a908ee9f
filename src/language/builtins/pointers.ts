// Which memory a pointer points into.
import { inSpace } from "../../types/address-space.js";
import { type AddressSpace, none, pointer, u64 } from "../../types/type.js";
import type { Builtin } from "../builtin.js";
import { describeType } from "../describe-type.js";
import { valueArg } from "./define.js";

const marker = (name: string, space: AddressSpace, where: string): Builtin => ({
  name,
  params: [{ name: "pointer", kind: "any" }],
  doc: `The same pointer, read as one into the memory of ${where}; an integer becomes a pointer to uint64.`,
  result: ({ diags, span }, args) => {
    const { type } = valueArg(args, 0);
    if (type.kind === "pointer") return inSpace(type, space);
    if (type.kind !== "int")
      diags.error("type-mismatch", span, `${name}() takes a pointer, not ${describeType(type)}`, {
        hint: "cast it first: (struct task_struct *)x",
      });
    return pointer(u64, space);
  },
  rewrite: (_context, args, type) => {
    const operand = valueArg(args, 0);
    return { kind: "convert", operand, type, span: operand.span };
  },
});

const context: Builtin = {
  name: "ctx",
  bare: true,
  params: [],
  doc: "Address of the program's context, whose structure depends on the probe: cast it to a pointer to that. In an iterator: what it is at, as ctx.NAME.",
  result: ({ variant, probeName }) =>
    variant.context.kind === "iterator"
      ? { kind: "record", name: `${probeName} ctx`, size: 0, members: () => [] }
      : pointer(none, "kernel"),
  // The verifier lets programs read an iterator's context by its members only.
  rewrite: ({ variant, span }, _args, type) =>
    variant.context.kind === "iterator" ? { kind: "args", type, span } : undefined,
  value: (l) => l.contextAddress(),
};

export const pointers = [
  context,
  marker("kptr", "kernel", "the kernel"),
  marker("uptr", "user", "the process"),
] as const;
