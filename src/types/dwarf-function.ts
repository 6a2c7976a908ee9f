import type { Dwarf } from "../formats/dwarf.js";
import { DW_AT, DW_CC_nocall, DW_LANG, DW_TAG } from "../formats/dwarf-constants.js";
import type { Die } from "../formats/dwarf-unit.js";
import {
  type Class,
  classesOf,
  homogeneousFloats,
  isFloat,
  isWideNumber,
  sizeOfDie,
  travelsByAddress,
} from "./argument-classes.js";
import { complete, stripped, typeFromDwarf, typeName } from "./from-dwarf.js";
import type { Type } from "./type.js";

/** Where a parameter is when its function begins. */
export type ParameterPlace =
  /** Integer registers by their number in the ABI's order; a structure may take two. */
  | { readonly kind: "registers"; readonly numbers: readonly number[] }
  /** Bytes from the first argument on the stack. */
  | { readonly kind: "stack"; readonly offset: number }
  /** A register has its address: objects that must not be copied, and large ones on arm64. */
  | { readonly kind: "indirect"; readonly number: number }
  | { readonly kind: "indirect-stack"; readonly offset: number }
  | { readonly kind: "unreadable"; readonly reason: string };

export interface Parameter {
  readonly name: string;
  readonly type: Type;
  /** As C writes it. */
  readonly text: string;
  readonly place: ParameterPlace;
}

export interface FunctionSignature {
  readonly parameters: readonly Parameter[];
  readonly returns: Type;
  /** The same for functions with parameters of the same names, types and places in one file. */
  readonly key: string;
}

const maxParameters = 64;

/** The parameters of a function and where they are at its entry. */
export function functionSignature(dwarf: Dwarf, die: Die, arch: "x86_64" | "arm64"): FunctionSignature {
  const places = arch === "x86_64" ? new SystemV() : new Aapcs64();
  const returned = stripped(die.type());
  places.startWith(returned === undefined ? [] : classesOf(dwarf, returned, places.maxInRegisters));
  const language = die.unit.root()?.number(DW_AT.language);
  let unknown = unknownConvention(die, language);
  const parameters: Parameter[] = [];
  for (const child of die.children()) {
    if (child.tag !== DW_TAG.formalParameter || parameters.length >= maxParameters) continue;
    const declared = child.type();
    const type = stripped(declared);
    // Rust passes larger structures by address, or as C does if the function is extern "C", and DWARF does not say which.
    if (language === DW_LANG.rust && type !== undefined && sizeOfDie(dwarf, type) > places.maxInRegisters)
      unknown ??= "from the first structure of more than 16 bytes on, Rust does not say where its arguments are";
    const place: ParameterPlace =
      unknown === undefined ? places.next(dwarf, type) : { kind: "unreadable", reason: unknown };
    parameters.push({
      name: child.name() ?? `arg${parameters.length}`,
      type: typeFromDwarf(dwarf, declared, "user"),
      text: `${typeName(declared)}${child.name() === undefined ? "" : ` ${child.name()}`}`,
      place,
    });
  }
  const key = parameters
    .map(
      ({ name, text, place, type }) => `${name}:${text}:${type.kind === "record" ? type.size : ""}:${placeKey(place)}`,
    )
    .join(";");
  return { parameters, returns: typeFromDwarf(dwarf, die.type(), "user"), key };
}

/** Why the ABI of the machine does not tell where any of the arguments are. */
function unknownConvention(die: Die, language: number | undefined): string | undefined {
  if (die.number(DW_AT.callingConvention) === DW_CC_nocall)
    return "the compiler has given this function a calling convention of its own";
  return language === DW_LANG.go ? "Go passes arguments in an order of registers of its own" : undefined;
}

const placeKey = (place: ParameterPlace): string =>
  place.kind === "registers"
    ? place.numbers.join("+")
    : "offset" in place
      ? `${place.kind}${place.offset}`
      : "number" in place
        ? `*${place.number}`
        : place.kind;

const inFloatRegisters = "it is in a floating point register, which the kernel does not show to BPF programs";

/** System V psABI for x86-64, 3.2.3. */
class SystemV {
  readonly maxInRegisters = 16;
  private integers = 0;
  private floats = 0;
  private stack = 0;

  startWith(returned: readonly Class[]): void {
    // The caller says in the first register where the result goes.
    if (returned[0] === "memory") this.integers = 1;
  }

  next(dwarf: Dwarf, type: Die | undefined): ParameterPlace {
    if (type === undefined) return this.integer(1, 8, 8);
    if (travelsByAddress(dwarf, type)) {
      const place = this.integer(1, 8, 8);
      return place.kind === "registers"
        ? { kind: "indirect", number: place.numbers[0] ?? 0 }
        : { kind: "indirect-stack", offset: place.kind === "stack" ? place.offset : 0 };
    }
    const size = sizeOfDie(dwarf, type);
    const align = Math.max(8, complete(dwarf, type).number(DW_AT.alignment) ?? 8, isWideNumber(type) ? 16 : 8);
    const classes = classesOf(dwarf, type, this.maxInRegisters);
    if (classes.length === 0) return { kind: "unreadable", reason: "it has no bytes, or its size is not known" };
    if (classes[0] === "memory") return this.onStack(size, align);
    const integers = classes.filter((each) => each !== "float").length;
    const floats = classes.length - integers;
    if (floats === 0) return this.integer(integers, size, align);
    if (this.integers + integers > 6 || this.floats + floats > 8) return this.onStack(size, align);
    this.integers += integers;
    this.floats += floats;
    return { kind: "unreadable", reason: inFloatRegisters };
  }

  private integer(count: number, size: number, align: number): ParameterPlace {
    if (this.integers + count > 6) return this.onStack(size, align);
    const numbers = Array.from({ length: count }, (_, i) => this.integers + i);
    this.integers += count;
    return { kind: "registers", numbers };
  }

  private onStack(size: number, align: number): ParameterPlace {
    const offset = Math.ceil(this.stack / align) * align;
    this.stack = offset + Math.ceil(size / 8) * 8;
    return { kind: "stack", offset };
  }
}

/** Procedure Call Standard for the Arm 64-bit Architecture, 6.8.2. */
class Aapcs64 {
  readonly maxInRegisters = 16;
  private integers = 0;
  private floats = 0;
  private stack = 0;

  /** The address of a large result is in x8, which is no argument's. */
  startWith(): void {}

  next(dwarf: Dwarf, type: Die | undefined): ParameterPlace {
    if (type === undefined) return this.integer(1, 8, 8);
    const size = sizeOfDie(dwarf, type);
    const classes = classesOf(dwarf, type, this.maxInRegisters);
    if (classes.length === 0) return { kind: "unreadable", reason: "it has no bytes, or its size is not known" };
    if (isFloat(type)) return this.float(1);
    const elements = homogeneousFloats(dwarf, type);
    if (elements > 0) return this.float(elements);
    if (size > 16 || travelsByAddress(dwarf, type)) {
      const place = this.integer(1, 8, 8);
      if (place.kind === "registers") return { kind: "indirect", number: place.numbers[0] ?? 0 };
      return { kind: "indirect-stack", offset: place.kind === "stack" ? place.offset : 0 };
    }
    return this.integer(Math.ceil(size / 8), size, isWideNumber(type) ? 16 : 8);
  }

  private integer(count: number, size: number, align: number): ParameterPlace {
    if (align === 16 && this.integers % 2 === 1) this.integers++;
    if (this.integers + count <= 8) {
      const numbers = Array.from({ length: count }, (_, i) => this.integers + i);
      this.integers += count;
      return { kind: "registers", numbers };
    }
    // What did not fit closes the registers for what follows.
    this.integers = 8;
    const offset = Math.ceil(this.stack / align) * align;
    this.stack = offset + Math.ceil(size / 8) * 8;
    return { kind: "stack", offset };
  }

  private float(count: number): ParameterPlace {
    if (this.floats + count <= 8) {
      this.floats += count;
      return { kind: "unreadable", reason: inFloatRegisters };
    }
    this.floats = 8;
    this.stack += 8 * count;
    return { kind: "unreadable", reason: "it is a floating point number" };
  }
}
