import { type OperandIndex, type OperandRegister, parseNumber, parseSymbol, type UsdtOperand } from "./usdt-operand.js";

/**
 * An operand as GCC and Clang write it for AArch64: `x0`, `w1`, `sp`, `5`, `[x0]`, `[sp, 16]`, `[x0, x1, lsl 3]`,
 * `[x0, w1, sxtw 2]`, `[x0, :lo12:symbol]` (Arm Architecture Reference Manual, C1.3.3, load/store addressing modes).
 */
export function parseArmOperand(text: string): UsdtOperand {
  const number = parseNumber(text.replace(/^#/, ""));
  if (number !== undefined) return { kind: "constant", value: number };
  if (/^[xw]zr$/.test(text)) return { kind: "constant", value: 0n };
  const register = registerOf(text);
  if (register !== undefined) return { kind: "register", register };
  const inside = /^\[([^[\]]*)\]$/.exec(text)?.[1];
  if (inside !== undefined) return memoryOperand(inside.split(",").map((part) => part.trim()));
  if (/^[bhsdqv]\d/.test(text)) return unknown("floating point and vector registers are not in struct pt_regs");
  const symbol = parseSymbol(text);
  return symbol === undefined
    ? unknown("it is neither register, number nor memory")
    : { kind: "address", address: { base: undefined, index: undefined, ...symbol } };
}

function memoryOperand(parts: readonly string[]): UsdtOperand {
  const [baseText = "", second, third] = parts;
  const base = registerOf(baseText);
  if (base === undefined || base.width !== 8 || parts.length > 3) return unknown("its base is no 64-bit register");
  const offset = second === undefined ? 0n : parseNumber(second.replace(/^#/, ""));
  if (offset !== undefined && third === undefined)
    return { kind: "memory", address: { base, index: undefined, offset } };
  // The base holds the symbol's page, the symbol all of its address.
  const low = /^#?:lo12:(.+)$/.exec(second ?? "")?.[1];
  const symbol = low === undefined ? undefined : parseSymbol(low);
  // Labels of GCC itself, from which variables that stand side by side are reached; the assembler drops their names.
  if (symbol !== undefined && /^\.LANCHOR\d+$/.test(symbol.symbol))
    return unknown(`${symbol.symbol} is GCC's own label, which the file does not name; -fno-section-anchors avoids it`);
  if (symbol !== undefined && third === undefined)
    return { kind: "memory", address: { base: undefined, index: undefined, ...symbol } };
  const register = registerOf(second ?? "");
  const extend = /^(lsl|sxtw|uxtw|sxtx)(?:\s+#?([0-4]))?$/.exec(third ?? "lsl 0");
  if (register === undefined || extend === null) return unknown("its index is none that is known");
  const index: OperandIndex = { register, signed: extend[1]?.startsWith("s") === true, shift: Number(extend[2] ?? 0) };
  return { kind: "memory", address: { base, index, offset: 0n } };
}

function registerOf(text: string): OperandRegister | undefined {
  if (text === "sp" || text === "wsp") return { name: "sp", width: text === "sp" ? 8 : 4, shift: 0 };
  const [, kind, digits] = /^([xw])(\d{1,2})$/.exec(text) ?? [];
  if (digits === undefined || Number(digits) > 30) return undefined;
  return { name: `x${Number(digits)}`, width: kind === "x" ? 8 : 4, shift: 0 };
}

const unknown = (reason: string): UsdtOperand => ({ kind: "unknown", reason });
