// What a script says: printf and all that take its format.

import { bytesIn } from "../../base/byte-text.js";
import { formatPrintf } from "../../output/printf.js";
import { none, string } from "../../types/type.js";
import { residence } from "../../wire/layout.js";
import { parseFormat } from "../../wire/printf.js";
import type { Message, RecordMode } from "../../wire/record.js";
import type { Value } from "../../wire/value.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { checkFormat } from "../check-format.js";
import type { Lowering } from "../lowering.js";
import type { ProgramVariant } from "../probe.js";
import type { TypedExpr } from "../typed.js";
import { expressions, literalText } from "./define.js";
import { checkSequence, isKernelFormat, printIntoSequence } from "./sequence.js";

const formatParams = [
  { name: "format", kind: "literal-string" },
  { name: "values", kind: "any", optional: true, rest: true },
] as const;

/** A builtin with a format string and values, which user space gets in such a record. */
function formatted(
  name: string,
  doc: string,
  messageOf: (l: Lowering) => Message & RecordMode,
  extra: Partial<Builtin> = {},
): Builtin {
  return {
    name,
    doc,
    params: formatParams,
    shows: true,
    ...extra,
    result: (context, args) => {
      checkFormat(context, name, literalText(args, 0), expressions(args.slice(1)));
      return none;
    },
    value: (l, args) => {
      sendMessage(l, messageOf(l), literalText(args, 0), expressions(args.slice(1)));
      return undefined;
    },
  };
}

/** Sends values of which user space makes a text by a format. */
export function sendMessage(
  l: Lowering,
  message: Message & RecordMode,
  format: string,
  values: readonly TypedExpr[],
): void {
  l.send((fields) => ({ ...message, format, fields }), values);
}

const isPinned = ({ context }: ProgramVariant): boolean => context.kind === "iterator" && context.pinned;

const plainPrintf = formatted("printf", "Prints text in the format of printf(3).", () => ({
  kind: "printf",
  outlivesExit: true,
}));
const printf: Builtin = {
  ...plainPrintf,
  result: (context, args) => {
    if (isPinned(context.variant)) checkSequence(context, literalText(args, 0), expressions(args.slice(1)));
    return plainPrintf.result(context, args);
  },
  value: (l, args, type) => {
    if (!isPinned(l.variant)) return plainPrintf.value?.(l, args, type);
    printIntoSequence(l, literalText(args, 0), expressions(args.slice(1)));
    return undefined;
  },
};

/** The text of a format with constants, made by the compiler; undefined if something is wrong with it, which is reported. */
export function formatConstants(
  context: CheckContext,
  name: string,
  format: string,
  values: readonly TypedExpr[],
): string | undefined {
  const before = context.diags.failed;
  checkFormat(context, name, format, values);
  if (context.diags.failed && !before) return undefined;
  const constants: Value[] = [];
  for (const value of values) {
    if (value.kind === "text") constants.push({ kind: "string", value: value.value });
    else if (value.kind === "const")
      constants.push(
        value.type.kind === "bool" ? { kind: "bool", value: value.value !== 0n } : { kind: "int", value: value.value },
      );
    else {
      context.diags.error("not-constant", value.span, `${name}() takes constants only: it speaks at compile time`, {
        hint: "errorf() speaks while the script runs",
      });
      return undefined;
    }
  }
  const parsed = parseFormat(format);
  return parsed.conversions.length === constants.length ? formatPrintf(parsed, constants) : undefined;
}

/** errorf and warnf: the text stands behind the place of the call. */
const complaint = (kind: "errorf" | "warnf", doc: string): Builtin =>
  formatted(kind, doc, ({ span }) => ({ kind, span }));

const errorf = complaint("errorf", "Prints text in the format of printf(3) as an error, with the place of the call.");
const warnf = complaint(
  "warnf",
  "Prints text in the format of printf(3) as a warning, with the place of the call; --no-warnings keeps it quiet.",
);

/** Arguments of bpf_trace_printk() behind the format. */
const mostDebugValues = 3;

const debugf: Builtin = {
  ...formatted(
    "debugf",
    `Writes to the kernel's trace buffer (trace_pipe of tracefs), at once and formatted by the kernel: at most ${mostDebugValues} values, of %d %i %u %x %p %s and their long forms. For debugging: slow, and shared by the whole system.`,
    () => ({ kind: "printf" }),
    { shows: false },
  ),
  result: (context, args) => {
    const values = expressions(args.slice(1));
    checkFormat(context, "debugf", literalText(args, 0), values);
    const { diags, span } = context;
    diags.warning("debugf", span, "debugf() writes to a buffer that the whole system shares and makes the probe slow", {
      hint: "printf() is the one for output",
    });
    if (!isKernelFormat(literalText(args, 0)))
      diags.error("bad-argument", span, "the kernel writes this text, and takes ASCII only");
    if (values.length > mostDebugValues)
      diags.error("argument-count", span, `debugf() takes at most ${mostDebugValues} values`, {
        hint: "the kernel's bpf_trace_printk() has no more",
      });
    return none;
  },
  value: (l, args) => {
    const format = args[0]?.kind === "literal" ? args[0] : undefined;
    const text = literalText(args, 0);
    const bytes = bytesIn(text) + 1;
    const at = l.temporary(bytes, "format");
    const span = format?.span ?? l.span;
    l.into({ kind: "text", value: text, type: string(bytes), span }, at, false);
    const values = expressions(args.slice(1)).map((e) => {
      if (residence(e.type) === "register") return l.value(e);
      const place = l.place(e);
      return place.offset === 0 ? place.base : l.b.bin("add", place.base, l.b.const(place.offset));
    });
    l.b.call("trace_printk", [l.address(at), l.b.const(bytes), ...values]);
    return undefined;
  },
};

const system = formatted(
  "system",
  "Runs a command with /bin/sh, with the tracer's rights, and prints what it says.",
  () => ({ kind: "system", isControl: true }),
  { unsafe: true },
);
const cat = formatted("cat", "Prints the contents of a file; the name is made as printf makes text.", () => ({
  kind: "cat",
  isControl: true,
}));

export const messageBuiltins: readonly Builtin[] = [printf, errorf, warnf, debugf, system, cat];
