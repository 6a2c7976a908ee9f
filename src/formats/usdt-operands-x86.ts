import { type OperandIndex, type OperandRegister, parseNumber, parseSymbol, type UsdtOperand } from "./usdt-operand.js";

/** Registers by all their names: %rax, %eax, %ax, %al, %ah; %r8, %r8d, %r8w, %r8b. */
const registers = new Map<string, OperandRegister>();
for (const name of ["ax", "bx", "cx", "dx"]) {
  addRegister(name, [`r${name}`, `e${name}`, name, `${name[0]}l`]);
  registers.set(`${name[0]}h`, { name, width: 1, shift: 8 });
}
for (const name of ["si", "di", "bp", "sp", "ip"]) addRegister(name, [`r${name}`, `e${name}`, name, `${name}l`]);
for (let n = 8; n <= 15; n++) addRegister(`r${n}`, [`r${n}`, `r${n}d`, `r${n}w`, `r${n}b`]);

function addRegister(name: string, names: readonly string[]): void {
  const widths = [8, 4, 2, 1] as const;
  for (const [i, each] of names.entries()) registers.set(each, { name, width: widths[i] ?? 1, shift: 0 });
}

const scaleShifts: Readonly<Record<string, number>> = { 1: 0, 2: 1, 4: 2, 8: 3 };

/** An operand in AT&T syntax, of 32 and 64-bit programs: `%rax`, `$-1`, `-8(%rbp)`, `table+16(%rip)`, `(%rax,%rdx,4)`. */
export function parseX86Operand(text: string): UsdtOperand {
  if (text.startsWith("%")) {
    const register = registers.get(text.slice(1));
    if (register !== undefined) return { kind: "register", register };
    return unknown(
      /^%(?:[xyz]mm|st)/.test(text)
        ? "floating point and vector registers are not in struct pt_regs"
        : `there is no register ${text} in struct pt_regs`,
    );
  }
  if (text.startsWith("$")) {
    const value = parseNumber(text.slice(1));
    if (value !== undefined) return { kind: "constant", value };
    const symbol = parseSymbol(text.slice(1));
    return symbol === undefined
      ? unknown("it is no constant")
      : { kind: "address", address: { base: undefined, index: undefined, ...symbol } };
  }
  const [, displacement = "", inside] = /^([^()]*)\(([^()]*)\)$/.exec(text) ?? [undefined, text, undefined];
  const number = displacement === "" && inside !== undefined ? 0n : parseNumber(displacement);
  const start = number === undefined ? parseSymbol(displacement) : { offset: number };
  if (start === undefined) return unknown("its displacement is neither number nor symbol");
  const parts = inside === undefined ? [] : inside.split(",").map((part) => part.trim());
  const [baseText = "", indexText = "", scale = "1"] = parts;
  const base = registerOf(baseText);
  const indexRegister = registerOf(indexText);
  const shift = scaleShifts[scale];
  if (parts.length > 3 || base === "none" || indexRegister === "none" || shift === undefined)
    return unknown("its base, index or scale is none that is known");
  const index: OperandIndex | undefined =
    indexRegister === undefined ? undefined : { register: indexRegister, signed: false, shift };
  return { kind: "memory", address: { base, index, ...start } };
}

/** A register in parentheses, which may be left out. */
function registerOf(text: string): OperandRegister | undefined | "none" {
  if (text === "") return undefined;
  const register = text.startsWith("%") ? registers.get(text.slice(1)) : undefined;
  return register === undefined || register.width < 4 ? "none" : register;
}

const unknown = (reason: string): UsdtOperand => ({ kind: "unknown", reason });
