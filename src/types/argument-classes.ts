import type { Dwarf } from "../formats/dwarf.js";
import { DW_AT, DW_ATE, DW_CC_passByReference, DW_TAG } from "../formats/dwarf-constants.js";
import type { Die } from "../formats/dwarf-unit.js";
import { complete, dimensions, recordTags, stripped } from "./from-dwarf.js";

/** Of the registers and memory in which arguments travel. */
export type Class = "integer" | "float" | "memory" | "none";

export const sizeOfDie = (dwarf: Dwarf, type: Die): number => {
  if (type.tag === DW_TAG.arrayType) return dimensions(type).reduce((a, b) => a * b, 1) * elementSize(dwarf, type);
  return complete(dwarf, type).number(DW_AT.byteSize) ?? (recordTags.includes(type.tag) ? 0 : 8);
};

function elementSize(dwarf: Dwarf, type: Die): number {
  const element = stripped(type.type());
  return element === undefined || element.tag === DW_TAG.arrayType ? 0 : sizeOfDie(dwarf, element);
}

export function isFloat(type: Die): boolean {
  const encoding = type.tag === DW_TAG.baseType ? type.number(DW_AT.encoding) : undefined;
  return encoding === DW_ATE.float || encoding === DW_ATE.complexFloat || encoding === DW_ATE.imaginaryFloat;
}

/** The class of each eight bytes (System V psABI for x86-64, 3.2.3); one `memory` for what travels there. */
export function classesOf(dwarf: Dwarf, type: Die, maxSize: number): readonly Class[] {
  const size = sizeOfDie(dwarf, type);
  if (size === 0) return [];
  if (size > maxSize) return ["memory"];
  const classes: Class[] = new Array<Class>(Math.ceil(size / 8)).fill("none");
  classify(dwarf, type, 0, classes, 0);
  return classes.includes("memory") ? ["memory"] : classes;
}

function classify(dwarf: Dwarf, type: Die, offset: number, into: Class[], depth: number): void {
  if (depth > 8) return;
  const note = (found: Class): void => {
    const index = offset >> 3;
    // Memory wins over all, integers over floating point numbers.
    const known = into[index];
    if (known !== "memory" && (known !== "integer" || found === "memory")) into[index] = found;
  };
  if (recordTags.includes(type.tag)) {
    for (const child of complete(dwarf, type).children()) {
      if ((child.tag !== DW_TAG.member && child.tag !== DW_TAG.inheritance) || child.flag(DW_AT.external)) continue;
      const inner = stripped(child.type());
      if (inner === undefined) continue;
      const bits = child.number(DW_AT.dataBitOffset);
      const at = bits === undefined ? (child.number(DW_AT.dataMemberLocation) ?? 0) : bits >> 3;
      classify(dwarf, inner, offset + at, into, depth + 1);
    }
    return;
  }
  if (type.tag === DW_TAG.arrayType) {
    const element = stripped(type.type());
    const size = elementSize(dwarf, type);
    if (element === undefined || size === 0) {
      note("integer");
      return;
    }
    const count = Math.min(
      dimensions(type).reduce((a, b) => a * b, 1),
      16,
    );
    for (let i = 0; i < count; i++) classify(dwarf, element, offset + i * size, into, depth + 1);
    return;
  }
  // long double: x87 registers return it, memory takes it as an argument.
  if (isFloat(type)) {
    note((type.number(DW_AT.byteSize) ?? 8) > 8 ? "memory" : "float");
    return;
  }
  note("integer");
  if ((type.number(DW_AT.byteSize) ?? 8) > 8) into[(offset >> 3) + 1] = "integer";
}

/** __int128, and long double. */
export const isWideNumber = (type: Die): boolean => type.tag === DW_TAG.baseType && type.number(DW_AT.byteSize) === 16;

/** Number of members if there are one to four, all floating point numbers of one size (an HFA); else 0. */
export function homogeneousFloats(dwarf: Dwarf, type: Die): number {
  if (!recordTags.includes(type.tag)) return 0;
  const sizes: number[] = [];
  for (const child of complete(dwarf, type).children()) {
    if (child.tag !== DW_TAG.member) continue;
    const member = stripped(child.type());
    if (member === undefined || !isFloat(member)) return 0;
    sizes.push(member.number(DW_AT.byteSize) ?? 0);
  }
  return sizes.length <= 4 && sizes.every((size) => size === sizes[0]) ? sizes.length : 0;
}

/**
 * An object that must not be copied bit by bit is passed by its address (Itanium C++ ABI, 3.1.2.3): one with a destructor
 * or copy constructor of its own, or with virtual functions, or with a part that is such an object. Clang says so; GCC 12
 * leaves it to who reads the class.
 */
export function travelsByAddress(dwarf: Dwarf, type: Die, depth = 0): boolean {
  if (depth > 4 || !recordTags.includes(type.tag)) return false;
  const whole = complete(dwarf, type);
  if (whole.number(DW_AT.callingConvention) === DW_CC_passByReference) return true;
  const name = whole.text(DW_AT.name) ?? "";
  for (const child of whole.children()) {
    if (child.tag === DW_TAG.subprogram) {
      if (isSpecial(dwarf, child, name, whole)) return true;
    } else if (child.tag === DW_TAG.member || child.tag === DW_TAG.inheritance) {
      if (child.flag(DW_AT.external)) continue;
      if (child.text(DW_AT.name)?.startsWith("_vptr") === true) return true;
      const inner = stripped(child.type());
      if (inner !== undefined && travelsByAddress(dwarf, inner, depth + 1)) return true;
    }
  }
  return false;
}

/** A destructor, copy or move constructor that the class defines itself. */
function isSpecial(dwarf: Dwarf, fn: Die, className: string, whole: Die): boolean {
  // `= default` inside of the class: DW_DEFAULTED_in_class.
  if (fn.flag(DW_AT.artificial) || fn.number(DW_AT.defaulted) === 1) return false;
  const name = fn.text(DW_AT.name) ?? "";
  if (name.startsWith("~")) return true;
  if (name === "" || (name !== className && !className.startsWith(`${name}<`))) return false;
  for (const parameter of fn.children()) {
    if (parameter.tag !== DW_TAG.formalParameter || parameter.flag(DW_AT.artificial)) continue;
    const reference = parameter.type();
    if (reference?.tag !== DW_TAG.referenceType && reference?.tag !== DW_TAG.rvalueReferenceType) return false;
    const target = stripped(reference.type());
    return target !== undefined && complete(dwarf, target).offset === whole.offset;
  }
  return false;
}
