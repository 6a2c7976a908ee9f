// What a script demands: of its run, of its types, of the kernel.

import { bool, i8, none, type Type } from "../../types/type.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { describeType } from "../describe-type.js";
import { btfFunction } from "../kernel-view.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { expressions, literalText, valueArg } from "./define.js";
import { formatConstants, sendMessage } from "./messages.js";
import { sendExit } from "./output.js";

const truth = (context: CheckContext, value: boolean): TypedExpr => ({
  kind: "const",
  value: value ? 1n : 0n,
  type: bool,
  span: context.span,
});

/** A question about the type of an expression, answered by the compiler. */
const question = (name: string, doc: string, test: (e: TypedExpr) => boolean): Builtin => ({
  name,
  params: [{ name: "expression", kind: "any" }],
  doc,
  result: () => bool,
  rewrite: (context, args) => truth(context, test(valueArg(args, 0))),
});

const isText = (type: Type): boolean => type.kind === "string" || type.kind === "probe";

const isStr = question("is_str", "Whether an expression is text; known when the script is compiled.", (e) =>
  isText(e.type),
);
const isPtr = question(
  "is_ptr",
  "Whether an expression is a pointer; known when the script is compiled.",
  (e) => e.type.kind === "pointer",
);
const isArray = question(
  "is_array",
  "Whether an expression is an array; known when the script is compiled.",
  (e) => e.type.kind === "array",
);
const isInteger = question(
  "is_integer",
  "Whether an expression is an integer; known when the script is compiled.",
  (e) => e.type.kind === "int",
);
const isUnsigned = question(
  "is_unsigned_integer",
  "Whether an expression is an unsigned integer; known when the script is compiled.",
  (e) => e.type.kind === "int" && !e.type.signed,
);
const isLiteral = question(
  "is_literal",
  'Whether an expression is a literal such as 1, true or "text".',
  (e) => e.kind === "const" || e.kind === "text",
);

/** MAX_ERRNO, include/linux/err.h. */
const maxErrno = 4095n;

const isErr: Builtin = {
  name: "is_err",
  params: [{ name: "pointer", kind: "address" }],
  doc: "Whether a pointer that the kernel returned is an error number in disguise (IS_ERR, include/linux/err.h).",
  result: () => bool,
  value: (l, args) => l.b.cmp("uge", l.value(valueArg(args, 0)), l.b.const(-maxErrno)),
};

const staticAssert: Builtin = {
  name: "static_assert",
  params: [
    { name: "condition", kind: "any" },
    { name: "message", kind: "literal-string" },
  ],
  doc: "Ends the compilation with this message if a constant condition does not hold.",
  result: ({ diags, span }, args) => {
    const condition = valueArg(args, 0);
    if (condition.kind !== "const")
      diags.error("not-constant", condition.span, "static_assert() needs a condition that is known at compile time", {
        hint: "assert() checks while the script runs",
      });
    else if (condition.value === 0n) diags.error("static-assert", span, literalText(args, 1));
    return none;
  },
  rewrite: (context) => ({ kind: "const", value: 0n, type: none, span: context.span }),
};

const fail: Builtin = {
  name: "fail",
  params: [
    { name: "format", kind: "literal-string" },
    { name: "values", kind: "any", optional: true, rest: true },
  ],
  doc: "Ends the compilation with this message, made as printf makes text of constants; in a branch that cannot be reached it does nothing.",
  result: (context, args) => {
    const text = formatConstants(context, "fail", literalText(args, 0), expressions(args.slice(1)));
    if (text !== undefined) context.diags.error("failed", context.span, text);
    return none;
  },
  rewrite: (context) => ({ kind: "const", value: 0n, type: none, span: context.span }),
};

const assert: Builtin = {
  name: "assert",
  params: [
    { name: "condition", kind: "any" },
    { name: "message", kind: "string" },
  ],
  mayLeave: true,
  doc: "Ends the trace with an error message and status 1 if the condition does not hold.",
  result: ({ diags }, args) => {
    const condition = valueArg(args, 0);
    if (!["int", "bool", "pointer", "enum"].includes(condition.type.kind))
      diags.error(
        "type-mismatch",
        condition.span,
        `a condition is a number or a pointer, not ${describeType(condition.type)}`,
      );
    return none;
  },
  value: (l, args) => {
    const { b, span } = l;
    const failed = b.newBlock();
    const done = b.newBlock();
    b.branch("eq", l.value(valueArg(args, 0)), b.const(0), failed, done, "else");
    b.seal(failed);
    b.setBlock(failed);
    sendMessage(l, { kind: "errorf", span }, "assert failed: %s", [valueArg(args, 1)]);
    sendExit(l, { kind: "const", value: 1n, type: { kind: "int", size: 8, signed: true }, span });
    b.seal(done);
    b.setBlock(done);
    return undefined;
  },
};

const assertStr: Builtin = {
  name: "assert_str",
  params: [{ name: "expression", kind: "any" }],
  doc: "Ends the compilation unless the expression is text, or an array of characters or a pointer to one.",
  result: ({ diags, span }, args: readonly TypedArg[]) => {
    const { type } = valueArg(args, 0);
    const part = type.kind === "array" ? type.of : type.kind === "pointer" ? type.to : undefined;
    const isChar = part?.kind === "int" && part.size === i8.size && part.signed;
    if (!isText(type) && part === undefined)
      diags.error("type-mismatch", span, "string-like values must be either strings, arrays or pointers");
    else if (part !== undefined && !isChar && part.kind !== "string")
      diags.error(
        "type-mismatch",
        span,
        type.kind === "array"
          ? "string-like arrays must contain a char-like type"
          : "string-like pointers must point to a char-like type",
      );
    return none;
  },
  rewrite: (context) => ({ kind: "const", value: 0n, type: none, span: context.span }),
};

/** The id of a function that the kernel exports to BPF programs. */
const kfuncExists = ({ kernel }: CheckContext, args: readonly TypedArg[]): boolean =>
  btfFunction(kernel, literalText(args, 0)) !== undefined;

const kfuncExist: Builtin = {
  name: "kfunc_exist",
  params: [{ name: "function", kind: "literal-string" }],
  doc: "Whether the kernel's BTF has a function of this name; known when the script is compiled.",
  result: () => bool,
  rewrite: (context, args) => truth(context, kfuncExists(context, args)),
};

const kfuncAllowed: Builtin = {
  name: "kfunc_allowed",
  params: [{ name: "function", kind: "literal-string" }],
  doc: "Whether this probe's programs may call this function of the kernel; known when the script is compiled.",
  result: () => bool,
  rewrite: (context, args) =>
    truth(
      context,
      kfuncExists(context, args) && context.kernel.kfuncAllowed(literalText(args, 0), context.variant.type) === "yes",
    ),
};

export const checkBuiltins: readonly Builtin[] = [
  assert,
  staticAssert,
  fail,
  assertStr,
  isStr,
  isPtr,
  isArray,
  isInteger,
  isUnsigned,
  isLiteral,
  isErr,
  kfuncExist,
  kfuncAllowed,
];
