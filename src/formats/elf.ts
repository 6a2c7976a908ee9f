import { bytesIn, decodeBytes } from "../base/byte-text.js";
import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { type ByteSource, bytesSource } from "./byte-source.js";
import { ElfSymbols } from "./elf-symbols.js";
import { FunctionTable } from "./function-table.js";
import type { PageCache } from "./page-cache.js";
import { type SectionBytes, type SectionPages, wholeSection } from "./section-bytes.js";

export type { ByteSource } from "./byte-source.js";
export { bytesSource } from "./byte-source.js";
export type { ElfSymbol } from "./elf-symbols.js";

/** A part of the file that is mapped when it runs (PT_LOAD), or another program header. */
export interface ElfSegment {
  /** PT_*: 1 LOAD, 2 DYNAMIC, 3 INTERP, 4 NOTE. */
  readonly type: number;
  /** PF_*: 1 execute, 2 write, 4 read. */
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

export interface ElfSection {
  readonly name: string;
  /** SHT_*: 1 PROGBITS, 2 SYMTAB, 3 STRTAB, 7 NOTE, 8 NOBITS, 11 DYNSYM. */
  readonly type: number;
  /** SHF_*: 1 write, 2 alloc, 4 execute, 0x800 compressed. */
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
}

export interface ElfNote {
  /** Owner: `GNU`, `stapsdt`. */
  readonly name: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** A function that a uprobe can be set on. */
export interface ElfFunction {
  readonly name: string;
  readonly address: bigint;
  /** 0 if the table does not say. */
  readonly size: number;
  /** In the file, as uprobes want it. */
  readonly fileOffset: number;
  /** It chooses the function that callers are given (STT_GNU_IFUNC), and is not called by them. */
  readonly indirect?: boolean;
}

/** e_machine. */
export const EM_386 = 3;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
/** e_type of what is loaded anywhere: shared libraries and PIE. */
export const ET_DYN = 3;
/** e_type of what is loaded where it says. */
export const ET_EXEC = 2;
const PT_LOAD = 1;
const PT_NOTE = 4;
const SHT_SYMTAB = 2;
const SHT_NOTE = 7;
const SHT_NOBITS = 8;
const SHT_DYNSYM = 11;
/** No program has more sections or segments, or more bytes of notes or of names of sections. */
const maxHeaders = 1 << 18;
const maxNotes = 16 << 20;
/** No symbol table of a program that runs is larger: 11 million symbols. */
const maxSymbols = 1 << 28;
const SHN_XINDEX = 0xffff;
const PN_XNUM = 0xffff;
const NT_GNU_BUILD_ID = 3;

/**
 * An ELF file (System V ABI, chapters 4 and 5, and elf(5)). Parsing reads the headers; symbol tables and other sections
 * are read when they are asked for, names are decoded one by one.
 */
export class Elf {
  /** What messages call it. */
  readonly what: string;
  readonly bits: 32 | 64;
  /** ET_*: 1 REL, 2 EXEC, 3 DYN. */
  readonly type: number;
  /** EM_*: 62 x86-64, 183 AArch64. */
  readonly machine: number;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  private readonly source: ByteSource;
  private readonly tables = new Map<number, ElfSymbols | undefined>();

  private constructor(source: ByteSource, what: string, header: Header) {
    this.source = source;
    this.what = what;
    this.bits = header.is64 ? 64 : 32;
    this.type = header.type;
    this.machine = header.machine;
    this.entry = header.entry;
    const raw = readSections(source, what, header);
    const zero = raw[0];
    // Counts that do not fit into 16 bits stand in section 0 (elf(5): e_phnum, e_shstrndx).
    const segmentCount = header.segmentCount === PN_XNUM && zero !== undefined ? zero.info : header.segmentCount;
    const namesIndex = header.namesIndex === SHN_XINDEX && zero !== undefined ? zero.link : header.namesIndex;
    this.segments = readSegments(source, what, header, segmentCount);
    this.sections = nameSections(source, raw, namesIndex);
  }

  /** Reads the headers of a file, or of bytes in memory (the vDSO). Anything that is no ELF file is a FormatError. */
  static parse(input: ByteSource | Uint8Array, what: string): Elf {
    const source = input instanceof Uint8Array ? bytesSource(input, what) : input;
    return new Elf(source, what, readHeader(source, what));
  }

  /** Bytes of the file. */
  get size(): number {
    return this.source.size;
  }

  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** The bytes of a section as they are in the file (compressed ones are not unpacked). */
  data(section: ElfSection): Uint8Array {
    return section.type === SHT_NOBITS ? new Uint8Array(0) : this.source.read(section.offset, section.size);
  }

  /** The same, read page by page; the file must stay open. */
  pagesOf(section: ElfSection, pages: SectionPages): SectionBytes {
    return section.type === SHT_NOBITS
      ? wholeSection(new Uint8Array(0))
      : pages.section(this.source, section.offset, section.size, `${this.what}: ${section.name}`);
  }

  /** Bytes of the file, e.g. those of a segment; outside of it it is a FormatError. */
  bytesAt(offset: number, size: number): Uint8Array {
    return this.source.read(offset, size);
  }

  /** The same, but only what there is. */
  bytesUpTo(offset: number, most: number): Uint8Array {
    return this.source.read(offset, Math.min(most, Math.max(this.source.size - offset, 0)));
  }

  hasTable(table: "symtab" | "dynsym"): boolean {
    const type = table === "symtab" ? SHT_SYMTAB : SHT_DYNSYM;
    return this.sections.some((each) => each.type === type);
  }

  /** `symtab` is the full table, which strip(1) removes; `dynsym` what the dynamic linker needs. */
  symbols(table: "symtab" | "dynsym"): ElfSymbols | undefined {
    const type = table === "symtab" ? SHT_SYMTAB : SHT_DYNSYM;
    if (this.tables.has(type)) return this.tables.get(type);
    const section = this.sections.find((each) => each.type === type);
    const strings = section === undefined ? undefined : this.sections[section.link];
    const symbols =
      section === undefined || strings === undefined
        ? undefined
        : new ElfSymbols(
            this.data(section),
            this.data(strings),
            this.bits === 64,
            this.sections.map(({ address, size }) => address + BigInt(size)),
          );
    this.tables.set(type, symbols);
    return symbols;
  }

  /**
   * The functions of a symbol table for looking up addresses. It is made anew each time and kept by nobody; names are read
   * from the file when they are wanted, by way of `pages`, so that the file must stay open.
   */
  functionTable(table: "symtab" | "dynsym", pages: PageCache): FunctionTable | undefined {
    const type = table === "symtab" ? SHT_SYMTAB : SHT_DYNSYM;
    const section = this.sections.find((each) => each.type === type);
    const strings = section === undefined ? undefined : this.sections[section.link];
    if (section === undefined || strings === undefined) return undefined;
    const size = strings.type === SHT_NOBITS ? 0 : strings.size;
    if (section.size > maxSymbols) throw new FormatError(`${this.what}: ${section.name} has ${section.size} bytes`);
    return new FunctionTable({
      symbols: this.data(section),
      is64: this.bits === 64,
      sectionEnds: this.sections.map(({ address, size }) => address + BigInt(size)),
      name: (start) => (start < size ? pages.text(this.source, strings.offset + start, strings.offset + size) : ""),
    });
  }

  /** Functions with a place in the file, of both symbol tables, each name once. */
  *functions(): Generator<ElfFunction> {
    const seen = new Set<string>();
    for (const table of ["symtab", "dynsym"] as const) {
      for (const symbol of this.symbols(table)?.functions() ?? []) {
        if (seen.has(symbol.name)) continue;
        seen.add(symbol.name);
        const fileOffset = this.fileOffset(symbol.address);
        if (fileOffset === undefined) continue;
        yield { name: symbol.name, address: symbol.address, size: symbol.size, fileOffset };
      }
    }
  }

  /** A function by its exact name. */
  function(name: string): ElfFunction | undefined {
    for (const table of ["symtab", "dynsym"] as const) {
      const symbol = this.symbols(table)?.find(name);
      if (symbol === undefined) continue;
      const fileOffset = this.fileOffset(symbol.address);
      if (fileOffset !== undefined) return { name, address: symbol.address, size: symbol.size, fileOffset };
    }
    return undefined;
  }

  /** Address and size of a variable by its exact name. */
  variable(name: string): { readonly address: bigint; readonly size: number } | undefined {
    for (const table of ["symtab", "dynsym"] as const) {
      const symbol = this.symbols(table)?.findObject(name);
      if (symbol !== undefined) return { address: symbol.address, size: symbol.size };
    }
    return undefined;
  }

  /** Where in the file the byte lies that is at `address` in memory; undefined if it is not loaded from the file. */
  fileOffset(address: bigint): number | undefined {
    for (const segment of this.segments) {
      if (segment.type !== PT_LOAD || address < segment.address) continue;
      const distance = address - segment.address;
      if (distance < BigInt(segment.fileSize)) return segment.offset + Number(distance);
    }
    return undefined;
  }

  /** The address in memory (without load bias) of a byte of the file. */
  addressOf(fileOffset: number): bigint | undefined {
    for (const segment of this.segments) {
      if (segment.type !== PT_LOAD || fileOffset < segment.offset) continue;
      const distance = fileOffset - segment.offset;
      if (distance < segment.fileSize) return segment.address + BigInt(distance);
    }
    return undefined;
  }

  /** All notes, of the sections or, where these are stripped, of the segments. */
  *notes(): Generator<ElfNote> {
    let fromSections = false;
    for (const section of this.sections) {
      if (section.type !== SHT_NOTE) continue;
      fromSections = true;
      yield* this.notesOf(section);
    }
    if (fromSections) return;
    for (const segment of this.segments) {
      if (segment.type !== PT_NOTE) continue;
      const { offset, fileSize, align } = segment;
      yield* parseNotes(this.source.read(offset, Math.min(fileSize, maxNotes)), align, this.what);
    }
  }

  /** The notes of one section, e.g. `.note.stapsdt`. */
  *notesOf(section: ElfSection): Generator<ElfNote> {
    if (section.size > maxNotes) throw new FormatError(`${this.what}: ${section.name} has ${section.size} bytes`);
    yield* parseNotes(this.data(section), section.align, this.what);
  }

  /** Hexadecimal; undefined if the linker gave none. */
  buildId(): string | undefined {
    for (const note of this.notes()) {
      if (note.type === NT_GNU_BUILD_ID && note.name === "GNU") return Buffer.from(note.bytes).toString("hex");
    }
    return undefined;
  }

  /** Name and CRC-32 of the file with the debugging information (`.gnu_debuglink`, GDB manual, Separate Debug Files). */
  debugLink(): { readonly file: string; readonly crc: number } | undefined {
    const section = this.section(".gnu_debuglink");
    if (section === undefined) return undefined;
    const reader = new ByteReader(this.data(section), `${this.what}: .gnu_debuglink`);
    const file = reader.cString(0);
    return { file, crc: reader.u32((bytesIn(file) + 4) & ~3) };
  }
}

interface Header {
  readonly is64: boolean;
  readonly type: number;
  readonly machine: number;
  readonly entry: bigint;
  readonly segmentsAt: number;
  readonly segmentSize: number;
  readonly segmentCount: number;
  readonly sectionsAt: number;
  readonly sectionSize: number;
  readonly sectionCount: number;
  readonly namesIndex: number;
}

function readHeader(source: ByteSource, what: string): Header {
  const start = new ByteReader(source.read(0, Math.min(source.size, 64)), what);
  if (start.length < 52 || start.u32(0) !== 0x464c457f) throw new FormatError(`${what}: is no ELF file`);
  const width = start.u8(4);
  if (width !== 1 && width !== 2) throw new FormatError(`${what}: has the unknown ELF class ${width}`);
  if (start.u8(5) !== 1) throw new FormatError(`${what}: is an ELF file of a big-endian machine`);
  const is64 = width === 2;
  const offset = (at64: number, at32: number): number => (is64 ? start.size64(at64) : start.u32(at32));
  // After the offsets both classes have the same fields: e_flags, e_ehsize, e_phentsize ...
  const tail = is64 ? 48 : 36;
  return {
    is64,
    type: start.u16(16),
    machine: start.u16(18),
    entry: is64 ? start.u64(24) : BigInt(start.u32(24)),
    segmentsAt: offset(32, 28),
    sectionsAt: offset(40, 32),
    segmentSize: start.u16(tail + 6),
    segmentCount: start.u16(tail + 8),
    sectionSize: start.u16(tail + 10),
    sectionCount: start.u16(tail + 12),
    namesIndex: start.u16(tail + 14),
  };
}

interface RawSection extends Omit<ElfSection, "name"> {
  readonly nameAt: number;
}

function readSections(source: ByteSource, what: string, header: Header): readonly RawSection[] {
  const { is64, sectionsAt, sectionSize } = header;
  if (sectionsAt === 0) return [];
  const least = is64 ? 64 : 40;
  if (sectionSize < least)
    throw new FormatError(`${what}: its section headers have ${sectionSize} bytes, not ${least}`);
  let count = header.sectionCount;
  if (count === 0) {
    const zero = new ByteReader(source.read(sectionsAt, sectionSize), what);
    count = is64 ? zero.size64(32) : zero.u32(20);
  }
  if (count > maxHeaders) throw new FormatError(`${what}: it has ${count} sections`);
  const reader = new ByteReader(source.read(sectionsAt, count * sectionSize), what);
  const sections: RawSection[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * sectionSize;
    sections.push({
      nameAt: reader.u32(at),
      type: reader.u32(at + 4),
      // Flags above 32 bits are the machine's own.
      flags: reader.u32(at + 8),
      address: is64 ? reader.u64(at + 16) : BigInt(reader.u32(at + 12)),
      offset: is64 ? reader.size64(at + 24) : reader.u32(at + 16),
      size: is64 ? reader.size64(at + 32) : reader.u32(at + 20),
      link: reader.u32(at + (is64 ? 40 : 24)),
      info: reader.u32(at + (is64 ? 44 : 28)),
      align: is64 ? reader.size64(at + 48) : reader.u32(at + 32),
    });
  }
  return sections;
}

function nameSections(source: ByteSource, raw: readonly RawSection[], namesIndex: number): readonly ElfSection[] {
  const table = raw[namesIndex];
  if (table !== undefined && table.size > maxNotes)
    return raw.map(({ nameAt: _, ...section }) => ({ ...section, name: "" }));
  const names = Buffer.from(
    table === undefined || table.type === SHT_NOBITS ? new Uint8Array(0) : source.read(table.offset, table.size),
  );
  return raw.map(({ nameAt, ...section }) => {
    const end = names.indexOf(0, nameAt);
    return { ...section, name: end < 0 || nameAt >= names.length ? "" : decodeBytes(names.subarray(nameAt, end)) };
  });
}

function readSegments(source: ByteSource, what: string, header: Header, count: number): readonly ElfSegment[] {
  const { is64, segmentsAt, segmentSize } = header;
  if (segmentsAt === 0 || count === 0) return [];
  const least = is64 ? 56 : 32;
  if (segmentSize < least)
    throw new FormatError(`${what}: its program headers have ${segmentSize} bytes, not ${least}`);
  if (count > maxHeaders) throw new FormatError(`${what}: it has ${count} segments`);
  const reader = new ByteReader(source.read(segmentsAt, count * segmentSize), what);
  const segments: ElfSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * segmentSize;
    segments.push({
      type: reader.u32(at),
      flags: reader.u32(at + (is64 ? 4 : 24)),
      offset: is64 ? reader.size64(at + 8) : reader.u32(at + 4),
      address: is64 ? reader.u64(at + 16) : BigInt(reader.u32(at + 8)),
      fileSize: is64 ? reader.size64(at + 32) : reader.u32(at + 16),
      memorySize: is64 ? reader.size64(at + 40) : reader.u32(at + 20),
      align: is64 ? reader.size64(at + 48) : reader.u32(at + 28),
    });
  }
  return segments;
}

function* parseNotes(bytes: Uint8Array, sectionAlign: number, what: string): Generator<ElfNote> {
  const reader = new ByteReader(bytes, `${what}: notes`);
  const align = sectionAlign === 8 ? 8 : 4;
  const up = (n: number): number => Math.ceil(n / align) * align;
  let at = 0;
  while (at + 12 <= reader.length) {
    const nameSize = reader.u32(at);
    const size = reader.u32(at + 4);
    const type = reader.u32(at + 8);
    const name = Buffer.from(reader.slice(at + 12, nameSize))
      .toString("latin1")
      .replace(/\0+$/, "");
    const start = up(at + 12 + nameSize);
    yield { name, type, bytes: reader.slice(start, size) };
    at = up(start + size);
  }
}
