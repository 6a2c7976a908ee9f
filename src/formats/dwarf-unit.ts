import { FormatError } from "../base/errors.js";
import type { Abbrev, AbbrevTable } from "./dwarf-abbrev.js";
import { DW_AT } from "./dwarf-constants.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import { type FormSizes, type FormValue, readForm, skipForm } from "./dwarf-form.js";
import type { SectionBytes } from "./section-bytes.js";

export type DwarfSectionName =
  | "info"
  | "abbrev"
  | "str"
  | "line_str"
  | "str_offsets"
  | "addr"
  | "line"
  | "aranges"
  | "ranges"
  | "rnglists"
  | "types";

/** What a unit asks of the file that it is in. */
export interface UnitFile {
  readonly what: string;
  /** A section, unpacked; empty if there is none. */
  section(name: DwarfSectionName): SectionBytes;
  abbrevs(offset: number, sizes: FormSizes): AbbrevTable;
  /** The entry at an offset of .debug_info, whatever unit it is in. */
  entryAt(offset: number): Die | undefined;
  entryBySignature(signature: bigint): Die | undefined;
}

/** Header of a unit of .debug_info (DWARF 5, 7.5.1). */
export interface UnitHeader {
  /** DWARF 4 has type units in a section of their own. */
  readonly section: "info" | "types";
  readonly offset: number;
  /** Behind its last byte. */
  readonly end: number;
  /** Of its first DIE. */
  readonly start: number;
  readonly sizes: FormSizes;
  readonly abbrevOffset: number;
  /** DW_UT_*: 1 compile, 2 type, 3 partial, 4 skeleton, 5 split_compile, 6 split_type. */
  readonly kind: number;
  /** Of a skeleton and its other half. */
  readonly dwoId: bigint | undefined;
  /** Of a type unit: its signature and where the type is. */
  readonly type: { readonly signature: bigint; readonly offset: number } | undefined;
}

/** Reads the header at the cursor, and goes past the whole unit. */
export function parseUnitHeader(cursor: DwarfCursor, section: "info" | "types" = "info"): UnitHeader {
  const { what } = cursor;
  const offset = cursor.at;
  let length = cursor.u32();
  let width: 4 | 8 = 4;
  if (length === 0xffffffff) {
    width = 8;
    length = cursor.offset(8);
  } else if (length >= 0xfffffff0)
    throw new FormatError(`${what}: the unit at ${offset} has the reserved length ${length}`);
  const end = cursor.at + length;
  if (end > cursor.length) throw new FormatError(`${what}: the unit at ${offset} ends behind the section`);
  const version = cursor.u16();
  if (version < 2 || version > 5)
    throw new FormatError(`${what}: the unit at ${offset} is of DWARF ${version}, not 2 to 5`);
  let kind = 1;
  let address: number;
  let abbrevOffset: number;
  let dwoId: bigint | undefined;
  let type: UnitHeader["type"];
  if (version === 5) {
    kind = cursor.u8();
    address = cursor.u8();
    abbrevOffset = cursor.offset(width);
    if (kind === 4 || kind === 5) dwoId = cursor.u64();
    if (kind === 2 || kind === 6) {
      const signature = cursor.u64();
      type = { signature, offset: offset + cursor.offset(width) };
    }
  } else {
    abbrevOffset = cursor.offset(width);
    address = cursor.u8();
    if (section === "types") {
      const signature = cursor.u64();
      type = { signature, offset: offset + cursor.offset(width) };
    }
  }
  if (address !== 4 && address !== 8)
    throw new FormatError(`${what}: addresses of ${address} bytes in the unit at ${offset}`);
  const start = cursor.at;
  if (start > end) throw new FormatError(`${what}: the unit at ${offset} is shorter than its header`);
  cursor.at = end;
  return { section, offset, end, start, sizes: { version, address, offset: width }, abbrevOffset, kind, dwoId, type };
}

/** What a split unit has from its skeleton. */
export interface Skeleton {
  /** Where in .debug_addr its addresses begin. */
  readonly addrBase: number;
  /** The same of its ranges in DWARF 4; version 5 has them in the other file. */
  readonly rangesBase: number;
  /** What its ranges start from. */
  readonly lowPc: bigint;
}

/** One unit: what one run of the compiler has said. */
export class DwarfUnit {
  readonly file: UnitFile;
  readonly header: UnitHeader;
  private table: AbbrevTable | undefined;
  private first: Die | undefined;
  /** Of a split unit that was found by its skeleton. */
  skeleton: Skeleton | undefined;

  constructor(file: UnitFile, header: UnitHeader) {
    this.file = file;
    this.header = header;
  }

  abbrevOf(code: number): Abbrev {
    this.table ??= this.file.abbrevs(this.header.abbrevOffset, this.header.sizes);
    const abbrev = this.table.get(code);
    if (abbrev === undefined) throw new FormatError(`${this.file.what}: there is no abbreviation ${code}`);
    return abbrev;
  }

  cursor(at: number): DwarfCursor {
    const { start, end, section } = this.header;
    if (at < start || at > end)
      throw new FormatError(`${this.file.what}: offset ${at} is not in the unit at ${this.header.offset}`);
    return new DwarfCursor(this.file.section(section), `${this.file.what}: .debug_${section}`, at, end);
  }

  /** The compile unit itself; undefined if the unit is empty. */
  root(): Die | undefined {
    this.first ??= this.header.start < this.header.end ? readDie(this, this.cursor(this.header.start)) : undefined;
    return this.first;
  }

  /** What was read of it is read again when it is wanted: of a large file each unit is asked for its addresses once. */
  forget(): void {
    this.table = undefined;
    this.first = undefined;
  }

  /** By which the two halves of a split unit know each other; DWARF 4 has it as an attribute. */
  dwoId(): bigint | undefined {
    return this.header.dwoId ?? this.root()?.wide(DW_AT.gnuDwoId);
  }

  text(value: FormValue): string | undefined {
    switch (value.kind) {
      case "text":
        return value.value;
      case "text-at":
        return textAt(this.file, value.section === "str" ? "str" : "line_str", value.offset);
      case "text-index": {
        const width = this.header.sizes.offset;
        const at = this.strOffsetsBase() + value.index * width;
        const table = this.file.section("str_offsets");
        if (at + width > table.length) return undefined;
        return textAt(this.file, "str", new DwarfCursor(table, this.file.what, at).offset(width));
      }
      default:
        return undefined;
    }
  }

  address(value: FormValue): bigint | undefined {
    if (value.kind === "address") return value.value;
    if (value.kind !== "address-index") return undefined;
    const { address: width } = this.header.sizes;
    const at = this.baseOfAddresses() + value.index * width;
    const table = this.file.section("addr");
    if (at + width > table.length) return undefined;
    const cursor = new DwarfCursor(table, this.file.what, at);
    return width === 8 ? cursor.u64() : BigInt(cursor.u32());
  }

  /** Without the attribute, a split unit: behind the header of its own table (DWARF 5, 7.26), which version 4 has not. */
  private strOffsetsBase(): number {
    const given = this.root()?.number(DW_AT.strOffsetsBase);
    if (given !== undefined) return given;
    if (this.header.sizes.version < 5) return 0;
    return this.header.sizes.offset === 4 ? 8 : 16;
  }

  private baseOfAddresses(): number {
    return (
      this.skeleton?.addrBase ?? this.root()?.number(DW_AT.addrBase) ?? this.root()?.number(DW_AT.gnuAddrBase) ?? 0
    );
  }
}

function textAt(file: UnitFile, name: "str" | "line_str", offset: number): string | undefined {
  const section = file.section(name);
  return offset >= section.length ? undefined : new DwarfCursor(section, `${file.what}: .debug_${name}`, offset).text();
}

/** How often an entry may say that another completes it: declaration, abstract instance. */
const maxOrigins = 4;

/** A debugging information entry. */
export class Die {
  readonly unit: DwarfUnit;
  /** In .debug_info. */
  readonly offset: number;
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Behind its attributes. */
  readonly end: number;
  private readonly values: ReadonlyMap<number, FormValue>;

  constructor(unit: DwarfUnit, offset: number, abbrev: Abbrev, values: ReadonlyMap<number, FormValue>, end: number) {
    this.unit = unit;
    this.offset = offset;
    this.tag = abbrev.tag;
    this.hasChildren = abbrev.hasChildren;
    this.values = values;
    this.end = end;
  }

  has(attribute: number): boolean {
    return this.values.has(attribute);
  }

  value(attribute: number): FormValue | undefined {
    return this.values.get(attribute);
  }

  wide(attribute: number): bigint | undefined {
    const value = this.values.get(attribute);
    return value?.kind === "number" ? value.value : undefined;
  }

  /** A size, count or offset. */
  number(attribute: number): number | undefined {
    const value = this.wide(attribute);
    return value === undefined || value > BigInt(Number.MAX_SAFE_INTEGER) || value < 0n ? undefined : Number(value);
  }

  flag(attribute: number): boolean {
    return (this.wide(attribute) ?? 0n) !== 0n;
  }

  text(attribute: number): string | undefined {
    const value = this.values.get(attribute);
    return value === undefined ? undefined : this.unit.text(value);
  }

  address(attribute: number): bigint | undefined {
    const value = this.values.get(attribute);
    return value === undefined ? undefined : this.unit.address(value);
  }

  reference(attribute: number): Die | undefined {
    const value = this.values.get(attribute);
    if (value?.kind === "signature") return this.unit.file.entryBySignature(value.value);
    if (value?.kind !== "reference") return undefined;
    if (!value.local) return this.unit.file.entryAt(value.offset);
    const at = this.unit.header.offset + value.offset;
    return readDie(this.unit, this.unit.cursor(at));
  }

  /** The entry with those that it completes: a definition's declaration, an instance's abstract one. */
  private origins(): readonly Die[] {
    const found: Die[] = [this];
    for (let last: Die | undefined = this; found.length <= maxOrigins; found.push(last)) {
      last = last.reference(DW_AT.abstractOrigin) ?? last.reference(DW_AT.specification);
      if (last === undefined) break;
    }
    return found;
  }

  /** The name, its own or its origin's. */
  name(): string | undefined {
    return this.fromOrigins((die) => die.text(DW_AT.name));
  }

  /** The name that the linker knows. */
  linkageName(): string | undefined {
    return this.fromOrigins((die) => die.text(DW_AT.linkageName) ?? die.text(DW_AT.mipsLinkageName));
  }

  /** The entry of its type; undefined: void. */
  type(): Die | undefined {
    return this.fromOrigins((die) => die.reference(DW_AT.type));
  }

  /** What the entry, or one that it completes, knows. */
  fromOrigins<T>(ask: (die: Die) => T | undefined): T | undefined {
    for (const die of this.origins()) {
      const answer = ask(die);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  *children(): Generator<Die> {
    if (!this.hasChildren) return;
    const cursor = this.unit.cursor(this.end);
    const { end } = this.unit.header;
    while (cursor.at < end) {
      const child = readDie(this.unit, cursor);
      if (child === undefined) return;
      yield child;
      skipChildren(child, cursor);
    }
  }
}

/** Reads the entry at the cursor; undefined for the one that ends a list of children. */
export function readDie(unit: DwarfUnit, cursor: DwarfCursor): Die | undefined {
  const offset = cursor.at;
  const code = cursor.uleb();
  if (code === 0) return undefined;
  const abbrev = unit.abbrevOf(code);
  const { sizes } = unit.header;
  const values = new Map<number, FormValue>();
  for (const { name, form, implicit } of abbrev.attributes) {
    values.set(name, readForm(cursor, form, implicit, sizes));
  }
  return new Die(unit, offset, abbrev, values, cursor.at);
}

export function skipAttributes(cursor: DwarfCursor, abbrev: Abbrev, sizes: FormSizes): void {
  if (abbrev.size !== undefined) cursor.skip(abbrev.size);
  else for (const { form } of abbrev.attributes) skipForm(cursor, form, sizes);
}

/** Goes on to what follows an entry and all that is below it. */
export function skipChildren(die: Die, cursor: DwarfCursor): void {
  cursor.at = die.end;
  if (!die.hasChildren) return;
  const sibling = die.value(DW_AT.sibling);
  if (sibling?.kind === "reference") {
    const at = sibling.offset + (sibling.local ? die.unit.header.offset : 0);
    // A place behind this entry; anything else would lead in circles.
    if (at > die.end && at <= die.unit.header.end) {
      cursor.at = at;
      return;
    }
  }
  let depth = 1;
  while (depth > 0 && cursor.at < die.unit.header.end) {
    const code = cursor.uleb();
    if (code === 0) depth--;
    else {
      const abbrev = die.unit.abbrevOf(code);
      skipAttributes(cursor, abbrev, die.unit.header.sizes);
      if (abbrev.hasChildren) depth++;
    }
  }
}
