import type { UsdtOperand } from "./usdt-operand.js";
import { parseArmOperand } from "./usdt-operands-arm64.js";
import { parseX86Operand } from "./usdt-operands-x86.js";

/** Machines whose assembler is understood. */
export type OperandSyntax = "x86_64" | "arm64";

/** An argument of a statically defined probe. */
export interface UsdtArgument {
  /** As it stands in the note. */
  readonly text: string;
  /** Bytes of the value. */
  readonly size: 1 | 2 | 4 | 8;
  readonly signed: boolean;
  readonly operand: UsdtOperand;
}

const sizes: Readonly<Record<string, UsdtArgument["size"]>> = { 1: 1, 2: 2, 4: 4, 8: 8 };

/** The arguments of a note. What is not understood has an operand of the kind "unknown", so that others can be used. */
export function parseUsdtArguments(text: string, arch: OperandSyntax): readonly UsdtArgument[] {
  return splitArguments(text).map((each) => parseArgument(each, arch));
}

function parseArgument(text: string, arch: OperandSyntax): UsdtArgument {
  // `SIZE@OPERAND`: bytes, negative if signed, `f` behind floating point numbers. The oldest notes have no size.
  const [, sign, digits = "8", float, operand = ""] = /^(?:(-?)(\d+)(f?)@)?(.*)$/s.exec(text) ?? [];
  const size = sizes[digits];
  const make = (parsed: UsdtOperand): UsdtArgument => ({
    text,
    size: size ?? 8,
    signed: sign === "-",
    operand: parsed,
  });
  if (size === undefined) return make({ kind: "unknown", reason: `values of ${digits} bytes cannot be read` });
  if (float === "f") return make({ kind: "unknown", reason: "the language has no floating point numbers" });
  return make(arch === "arm64" ? parseArmOperand(operand) : parseX86Operand(operand));
}

/** Splits at blanks that are in no brackets: `-4@[sp, 12] 8@x0`. */
function splitArguments(text: string): readonly string[] {
  const found: string[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at <= text.length; at++) {
    const c = text[at] ?? " ";
    if (c === "[" || c === "(") depth++;
    else if (c === "]" || c === ")") depth--;
    else if (/\s/.test(c) && (depth <= 0 || at === text.length)) {
      if (at > start) found.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return found;
}
