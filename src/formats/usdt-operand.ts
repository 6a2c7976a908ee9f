/** A register, by its name in struct pt_regs. */
export interface OperandRegister {
  readonly name: string;
  /** Bytes of it that the operand names. */
  readonly width: 1 | 2 | 4 | 8;
  /** Bits below them: 8 for `%ah`. */
  readonly shift: number;
}

export interface OperandIndex {
  readonly register: OperandRegister;
  readonly signed: boolean;
  /** The index is multiplied by 2^shift. */
  readonly shift: number;
}

/** base + (index extended, times 2^shift) + offset + address of the symbol. */
export interface OperandAddress {
  readonly base: OperandRegister | undefined;
  readonly index: OperandIndex | undefined;
  readonly offset: bigint;
  readonly symbol?: string | undefined;
}

export type UsdtOperand =
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "register"; readonly register: OperandRegister }
  /** What lies at an address, or the address itself. */
  | { readonly kind: "memory" | "address"; readonly address: OperandAddress }
  /** Nobody knows how to read this; `reason` says why. */
  | { readonly kind: "unknown"; readonly reason: string };

/** A number as assemblers write it; undefined if it is none. */
export function parseNumber(text: string): bigint | undefined {
  const [, sign, digits] = /^([-+]?)(0x[0-9a-f]+|\d+)$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const value = BigInt(digits);
  return sign === "-" ? -value : value;
}

/** `name`, `name+16`, `name-8`, `16+name`; names of compilers have dots and dollars in them. */
export function parseSymbol(text: string): { readonly symbol: string; readonly offset: bigint } | undefined {
  const [, before, symbol, behind] =
    /^(?:(-?(?:0x[0-9a-fA-F]+|\d+))\+)?([A-Za-z_.$][\w.$@]*)([-+](?:0x[0-9a-fA-F]+|\d+))?$/.exec(text) ?? [];
  if (symbol === undefined) return undefined;
  return { symbol, offset: (parseNumber(before ?? "0") ?? 0n) + (parseNumber(behind ?? "0") ?? 0n) };
}

/** Where an operand is used: the probe's own address in the file, and whether the file can be loaded anywhere. */
export interface OperandPlace {
  readonly address: bigint;
  readonly relocated: boolean;
  /** Name of the instruction pointer in struct pt_regs. */
  readonly instructionPointer: string;
}

/**
 * The operand without symbols: as an address of the file, or, where that is loaded anywhere, as a distance from the
 * probe, whose address the instruction pointer has when the probe fires.
 */
export function resolveOperand(
  operand: UsdtOperand,
  place: OperandPlace,
  addressOf: (symbol: string) => bigint | undefined,
): UsdtOperand {
  if (operand.kind !== "memory" && operand.kind !== "address") return operand;
  const { base, index, offset, symbol } = operand.address;
  if (symbol === undefined) return operand;
  const found = addressOf(symbol);
  if (found === undefined) return { kind: "unknown", reason: `the file has no symbol '${symbol}'` };
  const here = base?.name === place.instructionPointer;
  if (!place.relocated)
    return { kind: operand.kind, address: { base: here ? undefined : base, index, offset: offset + found } };
  if (base !== undefined && !here)
    return { kind: "unknown", reason: `'${symbol}' is no fixed address in a file that can be loaded anywhere` };
  const pointer: OperandRegister = { name: place.instructionPointer, width: 8, shift: 0 };
  return { kind: operand.kind, address: { base: pointer, index, offset: offset + found - place.address } };
}
