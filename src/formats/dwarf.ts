import { FormatError } from "../base/errors.js";
import { countUpTo } from "../base/ordered.js";
import { AbbrevTable } from "./dwarf-abbrev.js";
import { DW_AT, DW_TAG } from "./dwarf-constants.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import type { FormSizes } from "./dwarf-form.js";
import { type LineTable, parseLineTable } from "./dwarf-line.js";
import { type AddressRange, rangesOf } from "./dwarf-ranges.js";
import {
  type Die,
  type DwarfSectionName,
  DwarfUnit,
  parseUnitHeader,
  readDie,
  skipChildren,
  type UnitFile,
} from "./dwarf-unit.js";
import { type SectionBytes, wholeSection } from "./section-bytes.js";

/** Where the sections come from; the reader itself opens no file. */
export interface DwarfSource {
  /** What messages call the file. */
  readonly what: string;
  /** A section, unpacked; undefined if the file has none. */
  section(name: DwarfSectionName): Uint8Array | SectionBytes | undefined;
  /** The other half of a split unit (-gsplit-dwarf). */
  split?(unit: SplitUnit): DwarfSource | undefined;
}

/** What a skeleton unit says of its other half. */
export interface SplitUnit {
  readonly name: string;
  readonly folder: string;
  readonly id: bigint;
}

/** What line tables know of a place in the source. */
export interface LinePlace {
  /** Files whose paths end as it says. */
  readonly files: readonly string[];
  /** The lowest address with code of the line. */
  readonly address: bigint | undefined;
}

/** Whole names only: `b.c` is the end of `/a/b.c`, not of `/a/bb.c`. */
const endsWithPath = (path: string, end: string): boolean => {
  const [whole, tail] = [path, end].map((each) => each.replaceAll("/./", "/").replace(/^\.\//, ""));
  return whole === tail || (whole ?? "").endsWith(`/${tail ?? ""}`);
};

const typeTags: ReadonlySet<number> = new Set([
  DW_TAG.structureType,
  DW_TAG.classType,
  DW_TAG.unionType,
  DW_TAG.enumerationType,
  DW_TAG.typedef,
]);

const nothing = wholeSection(new Uint8Array(0));

/** No program has more units or, of all units, pieces of code; a damaged file might say so. */
const maxUnits = 1 << 20;
const maxUnitRanges = 1 << 22;

/** Tables of abbreviations that are kept; units keep their own as long as they are in use. */
const maxTables = 64;

/**
 * The debugging information of a file (DWARF 2 to 5). Units are looked through when a name or an address is asked for, one
 * after the other and each once; of what is inside of functions and structures nothing is read before somebody wants it.
 */
export class Dwarf implements UnitFile {
  readonly what: string;
  private readonly source: DwarfSource;
  private readonly sections = new Map<DwarfSectionName, SectionBytes>();
  private readonly tables = new Map<number, AbbrevTable>();
  private all: readonly DwarfUnit[] | undefined;
  private ofTypes: readonly DwarfUnit[] | undefined;
  private readonly scanned = new Set<DwarfUnit>();
  private readonly byAddress = new Map<bigint, Die>();
  private readonly byName = new Map<string, Die>();
  private readonly types = new Map<string, Die>();
  private ranges: readonly UnitRange[] | undefined;
  private readonly splits = new Map<DwarfUnit, DwarfUnit | undefined>();
  /** Of split units that were not found. */
  private readonly lost: string[] = [];

  constructor(source: DwarfSource) {
    this.source = source;
    this.what = source.what;
  }

  section(name: DwarfSectionName): SectionBytes {
    let bytes = this.sections.get(name);
    if (bytes === undefined) {
      const found = this.source.section(name) ?? nothing;
      bytes = found instanceof Uint8Array ? wholeSection(found) : found;
      this.sections.set(name, bytes);
    }
    return bytes;
  }

  abbrevs(offset: number, sizes: FormSizes): AbbrevTable {
    // Units of several widths may share a table only if its sizes are their own.
    const key = offset * 128 + sizes.version * 16 + sizes.address + (sizes.offset === 8 ? 4 : 0);
    let table = this.tables.get(key);
    if (table === undefined) {
      table = new AbbrevTable(new DwarfCursor(this.section("abbrev"), `${this.what}: .debug_abbrev`, offset), sizes);
      const [oldest = key] = this.tables.keys();
      if (this.tables.size >= maxTables) this.tables.delete(oldest);
      this.tables.set(key, table);
    }
    return table;
  }

  /** Files of split debugging information that the file names and that are not there. */
  missingFiles(): readonly string[] {
    return this.lost;
  }

  units(): readonly DwarfUnit[] {
    this.all ??= this.unitsOf("info");
    return this.all;
  }

  /** DWARF 4 has its type units in a section of their own. */
  private typeUnits(): readonly DwarfUnit[] {
    this.ofTypes ??= [...this.units().filter(({ header }) => header.type !== undefined), ...this.unitsOf("types")];
    return this.ofTypes;
  }

  private unitsOf(section: "info" | "types"): readonly DwarfUnit[] {
    const cursor = new DwarfCursor(this.section(section), `${this.what}: .debug_${section}`);
    const units: DwarfUnit[] = [];
    while (cursor.at < cursor.length) {
      units.push(new DwarfUnit(this, parseUnitHeader(cursor, section)));
      if (units.length > maxUnits) throw new FormatError(`${this.what}: it has more than ${maxUnits} units`);
    }
    return units;
  }

  entryAt(offset: number): Die | undefined {
    const units = this.units();
    let [low, high] = [0, units.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((units[middle]?.header.end ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = units[low];
    return unit === undefined || offset < unit.header.start ? undefined : readDie(unit, unit.cursor(offset));
  }

  entryBySignature(signature: bigint): Die | undefined {
    const unit = this.typeUnits().find((each) => each.header.type?.signature === signature);
    return unit?.header.type === undefined ? undefined : readDie(unit, unit.cursor(unit.header.type.offset));
  }

  /** The function that begins at an address, or else has the name, its own or the linker's. */
  function(name: string, address: bigint): Die | undefined {
    const likely = this.unitAt(address);
    if (likely !== undefined) this.scan(likely);
    return (
      this.find(() => this.byAddress.get(address)) ??
      // Without an address of its own: in pieces (DW_AT_ranges), or in another file of split information.
      this.byName.get(name)
    );
  }

  /** A structure, class, union, enumeration or typedef that is defined, by its name alone. */
  type(name: string, tags: readonly number[]): Die | undefined {
    const keys = tags.map((tag) => `${tag} ${name}`);
    return this.find(() => {
      for (const key of keys) {
        const found = this.types.get(key);
        if (found !== undefined) return found;
      }
      return undefined;
    });
  }

  /** Where the code of a line begins; `file` is the end of a path. Several files may be meant: they are told. */
  line(file: string, line: number, column: number): LinePlace {
    const files = new Set<string>();
    let best: number | undefined;
    for (const table of this.lineTables()) {
      const wanted = new Set<number>();
      for (const [number, path] of table.files.entries()) {
        if (!endsWithPath(path, file)) continue;
        wanted.add(number);
        files.add(path);
      }
      if (wanted.size === 0) continue;
      for (const row of table.rows()) {
        if (row.endsSequence || row.line !== line || !row.isStatement || !wanted.has(row.file) || row.address === 0)
          continue;
        if ((column === 0 || row.column === column) && (best === undefined || row.address < best)) best = row.address;
      }
    }
    return { files: [...files], address: best === undefined ? undefined : BigInt(best) };
  }

  /** Each unit has one, some share it. */
  private *lineTables(): Generator<LineTable> {
    const seen = new Set<number>();
    for (const unit of this.units()) {
      const at = unit.root()?.number(DW_AT.stmtList);
      if (at === undefined || seen.has(at)) continue;
      seen.add(at);
      const table = this.lineTable(unit);
      if (table !== undefined) yield table;
    }
  }

  /** The lines of a unit; undefined if it has none. */
  lineTable(unit: DwarfUnit): LineTable | undefined {
    const root = unit.root();
    const section = this.section("line");
    // The other half of a split unit need not say where the names of its files are.
    const first = unit.skeleton !== undefined && section.length > 0 ? 0 : undefined;
    const at = root?.number(DW_AT.stmtList) ?? first;
    if (root === undefined || at === undefined) return undefined;
    const cursor = new DwarfCursor(section, `${this.what}: .debug_line`, at);
    return parseLineTable(cursor, root.text(DW_AT.compDir) ?? "", unit.header.sizes.address, (value) =>
      unit.text(value),
    );
  }

  /** Asks again after each unit that is looked through. */
  private find(ask: () => Die | undefined): Die | undefined {
    let found = ask();
    for (const unit of [...this.units(), ...this.typeUnits()]) {
      if (found !== undefined) break;
      if (this.scanned.has(unit)) continue;
      this.scan(unit);
      found = ask();
    }
    return found;
  }

  private scan(unit: DwarfUnit): void {
    if (this.scanned.has(unit)) return;
    this.scanned.add(unit);
    const root = unit.root();
    if (root === undefined) return;
    if (unit.header.type !== undefined) this.noteType(readDie(unit, unit.cursor(unit.header.type.offset)));
    this.scanEntries(unit, root);
    this.scanSplit(unit);
  }

  /** Functions and types of a unit and its namespaces. */
  private scanEntries(unit: DwarfUnit, root: Die): void {
    if (!root.hasChildren) return;
    const cursor = unit.cursor(root.end);
    let depth = 1;
    while (depth > 0 && cursor.at < unit.header.end) {
      const die = readDie(unit, cursor);
      if (die === undefined) {
        depth--;
        continue;
      }
      if (die.tag === DW_TAG.namespace && die.hasChildren) {
        depth++;
        continue;
      }
      if (die.tag === DW_TAG.subprogram) this.noteFunction(die);
      else if (typeTags.has(die.tag)) this.noteType(die);
      skipChildren(die, cursor);
    }
  }

  private noteFunction(die: Die): void {
    if (die.flag(DW_AT.declaration)) return;
    const address = die.address(DW_AT.lowPc);
    // 0: the linker has dropped the function, or it is an abstract one.
    if (address !== undefined && address !== 0n && !this.byAddress.has(address)) this.byAddress.set(address, die);
    for (const name of [die.linkageName(), die.name()])
      if (name !== undefined && !this.byName.has(name)) this.byName.set(name, die);
  }

  private noteType(die: Die | undefined): void {
    const name = die?.text(DW_AT.name);
    if (die === undefined || name === undefined || die.flag(DW_AT.declaration)) return;
    const key = `${die.tag} ${name}`;
    if (!this.types.has(key)) this.types.set(key, die);
  }

  /**
   * The other half of a skeleton unit, in a file of its own that names the same id; its addresses are in this one. Undefined
   * for other units, and if it is not there.
   */
  split(unit: DwarfUnit): DwarfUnit | undefined {
    if (!this.splits.has(unit)) this.splits.set(unit, this.findSplit(unit));
    return this.splits.get(unit);
  }

  private findSplit(unit: DwarfUnit): DwarfUnit | undefined {
    const root = unit.root();
    const name = root?.text(DW_AT.dwoName) ?? root?.text(DW_AT.gnuDwoName);
    const id = unit.dwoId();
    if (root === undefined || name === undefined) return undefined;
    const source =
      id === undefined ? undefined : this.source.split?.({ name, folder: root.text(DW_AT.compDir) ?? "", id });
    const other =
      source === undefined
        ? undefined
        : new Dwarf({
            what: source.what,
            section: (wanted) =>
              wanted === "addr" || wanted === "ranges" ? this.section(wanted) : source.section(wanted),
          });
    // A file of that name may be of another build.
    const found = other?.units().find((each) => each.dwoId() === id);
    if (found === undefined) {
      this.lost.push(name);
      return undefined;
    }
    found.skeleton = {
      addrBase: root.number(DW_AT.addrBase) ?? root.number(DW_AT.gnuAddrBase) ?? 0,
      rangesBase: root.number(DW_AT.gnuRangesBase) ?? 0,
      lowPc: root.address(DW_AT.lowPc) ?? 0n,
    };
    return found;
  }

  private scanSplit(skeleton: DwarfUnit): void {
    const unit = this.split(skeleton);
    const other = unit?.file;
    if (unit === undefined || !(other instanceof Dwarf)) return;
    other.scan(unit);
    for (const each of other.typeUnits()) other.scan(each);
    for (const [into, from] of [
      [this.byName, other.byName],
      [this.types, other.types],
    ] as const)
      for (const [key, die] of from) if (!into.has(key)) into.set(key, die);
    for (const [address, die] of other.byAddress) if (!this.byAddress.has(address)) this.byAddress.set(address, die);
  }

  /** The unit whose code lies at an address: by .debug_aranges (DWARF 5, 6.1.2), or what units say of themselves. */
  unitAt(address: bigint): DwarfUnit | undefined {
    this.ranges ??= this.unitRanges();
    const { ranges } = this;
    const found = ranges[countUpTo(ranges.length, (i) => (ranges[i]?.start ?? 0n) <= address) - 1];
    return found === undefined || address >= found.end ? undefined : found.unit;
  }

  private unitRanges(): readonly UnitRange[] {
    const byOffset = new Map(this.units().map((unit) => [unit.header.offset, unit]));
    const ranges: UnitRange[] = [];
    const told = new Set<DwarfUnit>();
    for (const { start, end, unit: offset } of parseAranges(this.section("aranges"), this.what)) {
      const unit = byOffset.get(offset);
      // 0: the linker has dropped the code.
      if (unit === undefined || start === 0n) continue;
      told.add(unit);
      ranges.push({ start, end, unit });
    }
    // Compilers need not write that section: clang does not.
    for (const unit of byOffset.values()) {
      if (told.has(unit)) continue;
      const root = unit.root();
      for (const { start, end } of root === undefined ? [] : rangesOf(root))
        if (start !== 0n) ranges.push({ start, end, unit });
      unit.forget();
      if (ranges.length > maxUnitRanges) throw new FormatError(`${this.what}: its units have too many pieces`);
    }
    return ranges.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  }
}

interface UnitRange extends AddressRange {
  readonly unit: DwarfUnit;
}

function parseAranges(
  bytes: SectionBytes,
  what: string,
): readonly { readonly start: bigint; readonly end: bigint; readonly unit: number }[] {
  const cursor = new DwarfCursor(bytes, `${what}: .debug_aranges`);
  const ranges: { start: bigint; end: bigint; unit: number }[] = [];
  while (cursor.at < cursor.length) {
    const begin = cursor.at;
    let length = cursor.u32();
    const width = length === 0xffffffff ? 8 : 4;
    if (width === 8) length = cursor.offset(8);
    const end = cursor.at + length;
    cursor.u16();
    const unit = cursor.offset(width);
    const [addressSize, segmentSize] = [cursor.u8(), cursor.u8()];
    if (end > cursor.length || segmentSize !== 0 || (addressSize !== 8 && addressSize !== 4))
      throw new FormatError(`${what}: .debug_aranges has a table at ${begin} that cannot be read`);
    const tuple = 2 * addressSize;
    cursor.at = begin + Math.ceil((cursor.at - begin) / tuple) * tuple;
    while (cursor.at + tuple <= end) {
      const start = addressSize === 8 ? cursor.u64() : BigInt(cursor.u32());
      const size = addressSize === 8 ? cursor.u64() : BigInt(cursor.u32());
      if (size > 0n) ranges.push({ start, end: start + size, unit });
      if (ranges.length > maxUnitRanges) throw new FormatError(`${what}: .debug_aranges has too many entries`);
    }
    cursor.at = end;
  }
  return ranges;
}
