import { FormatError } from "../base/errors.js";
import type { Dwarf } from "../formats/dwarf.js";
import { DW_AT, DW_ATE, DW_TAG } from "../formats/dwarf-constants.js";
import type { Die } from "../formats/dwarf-unit.js";
import {
  type AddressSpace,
  charArray,
  type IntSize,
  int,
  type Member,
  none,
  pointer,
  type RecordType,
  type Type,
  u8,
} from "./type.js";

/** Tags that say how a type may be used, not what it is. */
const qualifiers: ReadonlySet<number> = new Set([
  DW_TAG.constType,
  DW_TAG.volatileType,
  DW_TAG.restrictType,
  DW_TAG.atomicType,
  DW_TAG.immutableType,
]);

export const recordTags: readonly number[] = [DW_TAG.structureType, DW_TAG.classType, DW_TAG.unionType];

/** No sound type is deeper; one that contains itself has no end. */
const maxDepth = 40;
const maxMembers = 10_000;

/** The entry behind qualifiers and, unless `qualifiersOnly`, typedefs; undefined: void. */
export function stripped(die: Die | undefined, qualifiersOnly = false): Die | undefined {
  let found = die;
  for (let i = 0; i < maxDepth && found !== undefined; i++) {
    const through = qualifiers.has(found.tag) || (!qualifiersOnly && found.tag === DW_TAG.typedef);
    if (!through) return found;
    found = found.type();
  }
  return undefined;
}

/** The definition of what may be only a declaration: in another unit, by its name. */
export function complete(dwarf: Dwarf, die: Die): Die {
  if (!die.flag(DW_AT.declaration)) return die;
  const whole = die.reference(DW_AT.specification) ?? die.reference(DW_AT.signature);
  if (whole !== undefined) return whole;
  const name = die.text(DW_AT.name);
  return (name === undefined ? undefined : dwarf.type(name, recordTags)) ?? die;
}

/**
 * The language's view of a type of a program. Arrays of `char` are text; floating point numbers, which the language does
 * not have, are nothing. Members are converted when they are asked for.
 */
export function typeFromDwarf(dwarf: Dwarf, die: Die | undefined, space: AddressSpace, depth = 0): Type {
  const type = stripped(die);
  if (type === undefined || depth > maxDepth) return none;
  const size = type.number(DW_AT.byteSize);
  switch (type.tag) {
    case DW_TAG.baseType:
      return baseType(type.number(DW_AT.encoding) ?? 0, size ?? 0);
    case DW_TAG.pointerType:
    case DW_TAG.referenceType:
    case DW_TAG.rvalueReferenceType:
      return pointer(typeFromDwarf(dwarf, type.type(), space, depth + 1), space);
    case DW_TAG.ptrToMemberType:
      return int(8, false);
    case DW_TAG.structureType:
    case DW_TAG.classType:
    case DW_TAG.unionType:
      return recordFromDwarf(dwarf, type, space);
    case DW_TAG.enumerationType:
      return enumType(type);
    case DW_TAG.arrayType:
      return arrayType(dwarf, type, space, depth);
    default:
      return none;
  }
}

function baseType(encoding: number, size: number): Type {
  switch (encoding) {
    case DW_ATE.boolean:
      return { kind: "bool" };
    case DW_ATE.signed:
    case DW_ATE.signedChar:
      return intOfSize(size, true);
    case DW_ATE.unsigned:
    case DW_ATE.unsignedChar:
    case DW_ATE.utf:
    case DW_ATE.address:
      return intOfSize(size, false);
    default:
      return none;
  }
}

/** Wider integers (__int128) have no counterpart and become bytes. */
function intOfSize(size: number, signed: boolean): Type {
  if (size === 1 || size === 2 || size === 4 || size === 8) return int(size, signed);
  return size === 16 ? { kind: "array", of: u8, count: size } : none;
}

function enumType(type: Die): Type {
  const size = type.number(DW_AT.byteSize) ?? 4;
  const values: { name: string; value: bigint }[] = [];
  let signed = false;
  for (const child of type.children()) {
    if (child.tag !== DW_TAG.enumerator) continue;
    const value = child.wide(DW_AT.constValue) ?? 0n;
    signed ||= value < 0n;
    values.push({ name: child.text(DW_AT.name) ?? "", value });
  }
  return {
    kind: "enum",
    name: `enum ${type.text(DW_AT.name) ?? "(anonymous)"}`,
    size: (size === 1 || size === 2 || size === 8 ? size : 4) satisfies IntSize,
    signed,
    values,
  };
}

function arrayType(dwarf: Dwarf, type: Die, space: AddressSpace, depth: number): Type {
  const counts = dimensions(type);
  const plain = stripped(type.type(), true);
  const element = stripped(plain);
  const encoding = element?.tag === DW_TAG.baseType ? element.number(DW_AT.encoding) : undefined;
  // uint8_t[6] is no text, where unsigned char[6] is taken for one, as bpftrace does.
  const isText =
    element?.number(DW_AT.byteSize) === 1 &&
    (encoding === DW_ATE.signedChar || (encoding === DW_ATE.unsignedChar && plain?.tag === DW_TAG.baseType));
  const last = counts.pop() ?? 0;
  let built: Type = isText
    ? charArray(last)
    : { kind: "array", of: typeFromDwarf(dwarf, element, space, depth + 1), count: last };
  for (const count of counts.reverse()) built = { kind: "array", of: built, count };
  return built;
}

/** How many elements there are, outermost first; 0 where that is not known. */
export function dimensions(type: Die): number[] {
  const counts: number[] = [];
  for (const child of type.children()) {
    if (child.tag !== DW_TAG.subrangeType || counts.length >= 8) continue;
    const upper = child.wide(DW_AT.upperBound);
    // An upper bound of -1, in whatever width, is an array without elements.
    const count = child.number(DW_AT.count) ?? (upper === undefined ? 0 : Number(BigInt.asUintN(32, upper + 1n)));
    counts.push(count < 2 ** 28 ? count : 0);
  }
  return counts;
}

function recordFromDwarf(dwarf: Dwarf, declared: Die, space: AddressSpace): RecordType {
  const die = complete(dwarf, declared);
  let members: readonly Member[] | undefined;
  return {
    kind: "record",
    name: `${die.tag === DW_TAG.unionType ? "union" : "struct"} ${die.text(DW_AT.name) ?? "(anonymous)"}`,
    size: die.number(DW_AT.byteSize) ?? 0,
    members: () => {
      members ??= collectMembers(dwarf, die, space);
      return members;
    },
  };
}

function collectMembers(dwarf: Dwarf, die: Die, space: AddressSpace): readonly Member[] {
  const found: Member[] = [];
  try {
    addMembers(dwarf, die, 0, space, 0, found);
  } catch (error) {
    // What of the structure could be read is told; that it is damaged shows where a member is missing.
    if (!(error instanceof FormatError)) throw error;
  }
  return found;
}

/** Members of anonymous structures inside and of base classes are found by their names too. */
function addMembers(
  dwarf: Dwarf,
  die: Die,
  bitOffset: number,
  space: AddressSpace,
  depth: number,
  into: Member[],
): void {
  if (depth > 8) return;
  for (const child of die.children()) {
    if (child.tag !== DW_TAG.member && child.tag !== DW_TAG.inheritance) continue;
    if (into.length >= maxMembers) return;
    // A static member.
    if (child.flag(DW_AT.external) || child.flag(DW_AT.declaration)) continue;
    const place = placeOf(child);
    if (place === undefined) continue;
    const at = bitOffset + place.bitOffset;
    const name = child.tag === DW_TAG.member ? (child.text(DW_AT.name) ?? "") : "";
    if (name === "") {
      const inner = stripped(child.type());
      if (inner !== undefined && recordTags.includes(inner.tag))
        addMembers(dwarf, complete(dwarf, inner), at, space, depth + 1, into);
      continue;
    }
    let type: Type | undefined;
    into.push({
      name,
      get type() {
        type ??= guarded(() => typeFromDwarf(dwarf, child.type(), space));
        return type;
      },
      bitOffset: at,
      bitSize: place.bitSize,
    });
  }
}

function guarded(read: () => Type): Type {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return none;
    throw error;
  }
}

/** DWARF 5, 5.7.6; DW_AT_bit_offset is DWARF 3's, counted from the high end of the storage unit. */
function placeOf(member: Die): { readonly bitOffset: number; readonly bitSize: number } | undefined {
  const bitSize = member.number(DW_AT.bitSize) ?? 0;
  const dataBitOffset = member.number(DW_AT.dataBitOffset);
  if (dataBitOffset !== undefined) return { bitOffset: dataBitOffset, bitSize };
  const location = member.value(DW_AT.dataMemberLocation);
  let bytes = 0;
  if (location?.kind === "number") bytes = Number(BigInt.asIntN(32, location.value));
  else if (location?.kind === "block") {
    const constant = plusConstant(location.bytes);
    if (constant === undefined) return undefined;
    bytes = constant;
  }
  const old = member.wide(DW_AT.bitOffset);
  if (bitSize > 0 && old !== undefined) {
    const storage = member.number(DW_AT.byteSize) ?? stripped(member.type())?.number(DW_AT.byteSize) ?? 4;
    return { bitOffset: 8 * bytes + 8 * storage - Number(BigInt.asIntN(32, old)) - bitSize, bitSize };
  }
  return { bitOffset: 8 * bytes, bitSize };
}

/** DW_OP_plus_uconst N, which DWARF 2 has for every member. Others are virtual base classes, whose place the object says. */
function plusConstant(expression: Uint8Array): number | undefined {
  if (expression[0] !== 0x23) return undefined;
  let value = 0;
  for (let i = 1; i < expression.length && i < 6; i++) value += ((expression[i] ?? 0) & 0x7f) * 128 ** (i - 1);
  return value;
}

/** A type as C writes it, as -lv shows parameters: `const char*`, `struct Foo*`. */
export function typeName(die: Die | undefined, depth = 0): string {
  if (die === undefined) return "void";
  if (depth > maxDepth) return "...";
  const inner = (): string => typeName(die.type(), depth + 1);
  const name = die.text(DW_AT.name);
  switch (die.tag) {
    case DW_TAG.pointerType:
      return `${inner()}*`;
    case DW_TAG.referenceType:
      return `${inner()}&`;
    case DW_TAG.rvalueReferenceType:
      return `${inner()}&&`;
    case DW_TAG.structureType:
    case DW_TAG.classType:
      return `struct ${name ?? "<anonymous>"}`;
    case DW_TAG.unionType:
      return `union ${name ?? "<anonymous>"}`;
    case DW_TAG.enumerationType:
      return `enum ${name ?? "<anonymous>"}`;
    case DW_TAG.constType:
      return stripped(die.type(), true)?.tag === DW_TAG.pointerType ? `${inner()} const` : `const ${inner()}`;
    case DW_TAG.volatileType:
      return `volatile ${inner()}`;
    case DW_TAG.restrictType:
      return `${inner()} restrict`;
    case DW_TAG.atomicType:
      return `_Atomic ${inner()}`;
    case DW_TAG.arrayType:
      return `${inner()}${dimensions(die)
        .map((count) => `[${count === 0 ? "" : count}]`)
        .join("")}`;
    default:
      return name ?? "<unknown type>";
  }
}
