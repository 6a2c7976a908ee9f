// printf of a pinned iterator: the kernel makes the text, for whoever reads the file.

import { bytesIn } from "../../base/byte-text.js";
import { string } from "../../types/type.js";
import { residence } from "../../wire/layout.js";
import { type Conversion, parseFormat, shownBits } from "../../wire/printf.js";
import type { CheckContext } from "../builtin.js";
import { describeType } from "../describe-type.js";
import type { Lowering } from "../lowering.js";
import type { TypedExpr } from "../typed.js";

/** MAX_BPRINTF_VARARGS: include/linux/bpf.h, v6.2. */
const mostValues = 12;

/** Where struct bpf_iter_meta is in the context, and the struct seq_file in it: include/linux/bpf.h, since v5.8. */
const metaOffset = 0;
const seqFileOffset = 0;

/** Reports what bpf_seq_printf() cannot print: bpf_bprintf_prepare(), kernel/bpf/helpers.c, v6.18. */
export function checkSequence(context: CheckContext, format: string, values: readonly TypedExpr[]): void {
  const { diags } = context;
  const bad = (e: TypedExpr | undefined, message: string): void =>
    diags.error("bad-format", e?.span ?? context.span, `printf in a pinned iterator: ${message}`, {
      hint: "the kernel itself makes the text for whoever reads the file; without a pin there are no such limits",
    });
  if (values.length > mostValues) bad(values[mostValues], `the kernel prints ${mostValues} values at most`);
  for (const [i, conversion] of parseFormat(format).conversions.entries()) {
    const value = values[i];
    if (value === undefined) continue;
    const { kind } = value.type;
    const isText = conversion.specifier === "s";
    const fits = isText
      ? kind === "string"
      : kind === "int" || kind === "bool" || kind === "pointer" || kind === "enum";
    if (!fits) bad(value, `the kernel cannot print ${describeType(value.type)} by ${conversion.text}`);
    else if (conversion.precision !== undefined || conversion.alternate || !(conversion.specifier in specifiers))
      bad(value, `the kernel does not know ${conversion.text}`);
  }
  if (!isKernelFormat(format)) bad(undefined, "the kernel takes ASCII only");
}

/** Whether the kernel's printf takes this text: otherwise it answers -EINVAL, and nobody sees it (bpf_bprintf_prepare(), kernel/bpf/helpers.c). */
export const isKernelFormat = (format: string): boolean => /^[\x20-\x7e\t\n\v\f\r]*$/.test(format);

/** What the kernel's printf has for ours; values are 64 bits wide, cut or extended before. */
const specifiers: Readonly<Partial<Record<Conversion["specifier"], string>>> = {
  d: "lld",
  i: "lld",
  u: "llu",
  x: "llx",
  X: "llX",
  p: "llx",
  c: "c",
  s: "s",
};

/** Writes text into the file that the program runs for. */
export function printIntoSequence(l: Lowering, format: string, values: readonly TypedExpr[]): void {
  const { b } = l;
  const { pieces, conversions } = parseFormat(format);
  const escaped = pieces.map((piece) => piece.replaceAll("%", "%%"));
  const text = conversions.map((c, i) => `${escaped[i] ?? ""}${forKernel(c)}`).join("") + (escaped.at(-1) ?? "");
  const bytes = bytesIn(text) + 1;
  const at = l.temporary(bytes, "format");
  l.into({ kind: "text", value: text, type: string(bytes), span: l.span }, at, false);
  const data = l.temporary(Math.max(8, 8 * values.length), "values");
  for (const [i, value] of values.entries())
    b.store(8, data.base, data.offset + 8 * i, argument(l, value, conversions[i]));
  const file = b.load(8, false, b.load(8, false, b.ctx(), metaOffset), seqFileOffset);
  b.call("seq_printf", [file, l.address(at), b.const(bytes), l.address(data), b.const(8 * values.length)]);
}

function forKernel(conversion: Conversion): string {
  const { leftAlign, showSign, zeroPad, width, specifier } = conversion;
  const flags = `${leftAlign ? "-" : ""}${showSign ? "+" : ""}${zeroPad ? "0" : ""}`;
  return `${specifier === "p" ? "0x" : ""}%${flags}${width === 0 ? "" : width}${specifiers[specifier] ?? "llx"}`;
}

/** A value as bpf_seq_printf() takes it: a number, or the address of a text. */
function argument(l: Lowering, value: TypedExpr, conversion: Conversion | undefined) {
  if (residence(value.type) === "memory") {
    const to = l.temporary(value.type.kind === "string" ? value.type.size : 8, "text");
    l.into(value, to, false);
    return l.address(to);
  }
  const number = l.value(value);
  const bits = conversion === undefined ? undefined : shownBits(conversion);
  const isSigned = conversion?.specifier === "d" || conversion?.specifier === "i";
  return bits === 32 || bits === 16 || bits === 8 ? l.b.ext((bits / 8) as 1 | 2 | 4, isSigned, number) : number;
}
