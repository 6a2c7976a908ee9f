import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { pathOf } from "../base/byte-text.js";
import { FormatError } from "../base/errors.js";
import { checkPiece } from "../formats/byte-source.js";
import type { CallRule } from "../formats/call-frame.js";
import { type CallRules, readCallRules } from "../formats/call-rules.js";
import { type CodePlace, CodePlaces } from "../formats/dwarf-places.js";
import { type ByteSource, Elf } from "../formats/elf.js";
import type { FunctionTable } from "../formats/function-table.js";
import type { PageCache } from "../formats/page-cache.js";
import type { SectionPages } from "../formats/section-bytes.js";
import { cfaKinds } from "../formats/unwind-rule.js";
import { dwarfOf, hasDebugInfo } from "../kernel/debug-info.js";
import { miniDebugInfo } from "../kernel/mini-debug-info.js";
import { isSystemError } from "../kernel/open-elf.js";
import { type DebugPlaces, openSeparate, type SeparateFile } from "../kernel/separate-files.js";

export { isSystemError };

/** A file as bytes that are read when they are wanted; the caller closes it. */
export interface OpenFile extends ByteSource, Disposable {
  /** Of the file itself, whatever path it was opened by. */
  readonly inode: bigint;
  /** Of its file system, as stat(2) has it. */
  readonly device: bigint;
  /** When it was made or last written, whichever is later, in nanoseconds since 1970. */
  readonly changed: bigint;
}

export function openFile(path: string): OpenFile {
  // What stands there now may be a pipe, which would wait for a writer.
  const fd = openSync(pathOf(path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size, ino, dev, mtimeNs, birthtimeNs } = fstatSync(fd, { bigint: true });
    const readInto = (offset: number, target: Uint8Array): void => {
      for (let done = 0; done < target.length; ) {
        const got = readSync(fd, target, done, target.length - done, offset + done);
        if (got === 0) throw new FormatError(`${path}: ends at ${offset + done}, although it has ${size} bytes`);
        done += got;
      }
    };
    return {
      size: Number(size),
      inode: ino,
      device: kernelDevice(dev),
      changed: later(mtimeNs, birthtimeNs),
      read(offset, length) {
        checkPiece(offset, length, Number(size), path);
        const bytes = Buffer.allocUnsafeSlow(length);
        readInto(offset, bytes);
        return bytes;
      },
      readInto,
      [Symbol.dispose]: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** From stat(2)'s number: new_encode_dev(), include/linux/kdev_t.h. */
const kernelDevice = (dev: bigint): bigint => {
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return (major << 20n) | minor;
};

function later(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

/** The name of a piece of code in a file, as it is shown, and how far behind the function's beginning it is. */
export type FileSymbol =
  | { readonly kind: "symbol"; readonly name: string; readonly offset: number }
  | { readonly kind: "unknown"; readonly reason: "stripped" | "unreadable" };

/** Who has a file: sees to the memory of all of them, and knows how names are shown. */
export interface FileKeeper {
  /** The file holds so many bytes more. */
  grew(bytes: number): void;
  /** Through which names are read. */
  readonly pages: PageCache;
  /** The same of debugging information. */
  readonly sections: SectionPages;
  /** The linker's name of a function as people write it. */
  shown(symbol: string): string;
}

/** Tables of functions, of the file itself and of what was stripped from it, in the order in which they are asked. */
interface Tables {
  readonly elf: Elf;
  readonly functions: FunctionTable[];
  /** The dynamic one is not among them yet: it is read for what the others do not have. */
  hasMore: boolean;
  readonly segments: readonly Segment[];
  /** The file that was split off from this one. */
  readonly separate: Elf | undefined;
}

/** What of the file lies where in memory, as numbers. */
interface Segment {
  readonly offset: number;
  readonly size: number;
  readonly address: number;
}

/**
 * Symbols of one file. It is held open, so that a process that ends, or a container that goes away, does not take the names
 * along; tables are read when a name is wanted, and again after they were dropped for want of memory.
 */
export class ElfFile implements Disposable {
  /** Goes up with each use of any file: the smallest has not been used for the longest time. */
  used = 0;
  private file: OpenFile | undefined;
  private readonly places: DebugPlaces;
  private readonly what: string;
  private readonly keeper: FileKeeper;
  private tables: Tables | "unreadable" | undefined;
  private readonly held: Disposable[] = [];
  private lines: CodePlaces | "none" | undefined;
  private codes = new Map<number, CodePlace | "none">();
  private rules: CallRules | undefined;
  private bytes = 0;

  constructor(file: OpenFile, what: string, places: DebugPlaces, keeper: FileKeeper) {
    this.file = file;
    this.what = what;
    this.places = places;
    this.keeper = keeper;
  }

  /** Bytes of symbol tables and debugging information in memory. */
  get memory(): number {
    return this.bytes;
  }

  /** It was closed: whoever has kept it must ask for it again. */
  get isClosed(): boolean {
    return this.file === undefined;
  }

  /** The function that a byte of the file belongs to. */
  at(fileOffset: number): FileSymbol {
    const tables = this.load();
    if (tables === "unreadable") return { kind: "unknown", reason: "unreadable" };
    const address = addressOf(tables.segments, fileOffset);
    if (address === undefined) return { kind: "unknown", reason: "stripped" };
    try {
      for (let i = 0; ; i++) {
        const table = tables.functions[i] ?? this.nextTable(tables);
        if (table === undefined) break;
        const index = table.at(address);
        if (index < 0) continue;
        const name = table.shown(index) ?? this.show(table, index);
        return { kind: "symbol", name, offset: address - table.start(index) };
      }
    } catch (error) {
      // It was cut off meanwhile.
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      return { kind: "unknown", reason: "unreadable" };
    }
    return { kind: "unknown", reason: "stripped" };
  }

  /** Where in the file a function or variable begins. */
  offsetOf(name: string): number | undefined {
    const { file } = this;
    if (file === undefined) return undefined;
    let separate: Separate | undefined;
    try {
      // Read for this one question, without being kept.
      const elf = Elf.parse(file, this.what);
      const isStripped = elf.symbols("symtab") === undefined;
      separate = isStripped ? this.openSeparate(elf) : undefined;
      const debug = isStripped ? (separate?.elf ?? miniDebugInfo(elf)) : undefined;
      const address =
        elf.function(name)?.address ??
        debug?.symbols("symtab")?.find(name)?.address ??
        elf.variable(name)?.address ??
        debug?.variable(name)?.address;
      return address === undefined ? undefined : elf.fileOffset(address);
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      return undefined;
    } finally {
      separate?.file[Symbol.dispose]();
    }
  }

  /** Where in the source a byte of the file comes from; undefined if nobody tells. */
  code(fileOffset: number): CodePlace | undefined {
    if (this.lines === "none") return undefined;
    const known = this.codes.get(fileOffset);
    if (known !== undefined) return known === "none" ? undefined : known;
    const found = this.lookUpCode(fileOffset);
    this.codes.set(fileOffset, found ?? "none");
    this.grow(codeBytes);
    return found;
  }

  private lookUpCode(fileOffset: number): CodePlace | undefined {
    const tables = this.load();
    if (tables === "unreadable" || this.lines === "none") return undefined;
    const address = tables.elf.addressOf(fileOffset);
    if (address === undefined) return undefined;
    try {
      this.lines ??= this.openLines(tables);
      if (this.lines === "none") return undefined;
      const before = this.lines.memory;
      const found = this.lines.at(address);
      this.grow(this.lines.memory - before);
      return found === undefined ? undefined : this.showCode(found);
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      this.lines = "none";
      return undefined;
    }
  }

  private showCode({ place, inlined }: CodePlace): CodePlace {
    return { place, inlined: inlined.map((each) => ({ ...each, name: this.keeper.shown(each.name) })) };
  }

  /** How the code at a byte of the file finds its caller; the rule is `none` if nobody tells. */
  ruleAt(fileOffset: number): CallRule {
    if (this.file === undefined) return noRule;
    try {
      if (this.rules === undefined) {
        this.rules = readCallRules(Elf.parse(this.file, this.what), this.keeper.sections);
        this.grow(this.rules.memory);
      }
      return this.rules.at(fileOffset);
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      return noRule;
    }
  }

  /** Gives its memory back; what is wanted again is read again. */
  drop(): void {
    this.tables = undefined;
    this.lines = undefined;
    this.rules = undefined;
    this.codes = new Map();
    this.bytes = 0;
    for (const each of this.held.splice(0)) each[Symbol.dispose]();
  }

  /** The texts of names that were shown are not kept any more. */
  forgetNames(): void {
    if (typeof this.tables === "object") for (const table of this.tables.functions) table.forgetShown();
  }

  [Symbol.dispose](): void {
    this.drop();
    this.file?.[Symbol.dispose]();
    this.file = undefined;
  }

  private show(table: FunctionTable, index: number): string {
    const name = this.keeper.shown(table.name(index));
    this.grow(table.show(index, name));
    return name;
  }

  private grow(bytes: number): void {
    this.bytes += bytes;
    if (bytes !== 0) this.keeper.grew(bytes);
  }

  private openLines({ elf, separate }: Tables): CodePlaces | "none" {
    const { sections } = this.keeper;
    const memory = { pages: sections, onUnpacked: (bytes: number) => this.grow(bytes) };
    const found = hasDebugInfo(elf) ? elf : separate;
    return found === undefined || !hasDebugInfo(found) ? "none" : new CodePlaces(dwarfOf(found, this.what, memory));
  }

  private load(): Tables | "unreadable" {
    if (this.tables !== undefined) return this.tables;
    if (this.file === undefined) return "unreadable";
    try {
      this.tables = this.readTables(this.file);
    } catch (error) {
      if (!(error instanceof FormatError) && !isSystemError(error)) throw error;
      this.tables = "unreadable";
    }
    return this.tables;
  }

  private readTables(file: OpenFile): Tables {
    const elf = Elf.parse(file, this.what);
    const own = elf.functionTable("symtab", this.keeper.pages);
    const separate = hasDebugInfo(elf) ? undefined : this.openSeparate(elf);
    // Open as long as its tables are in use.
    if (separate !== undefined) this.held.push(separate.file);
    const full = own ?? this.strippedTable(elf, separate?.elf);
    this.grow((full?.memory ?? 0) + headerBytes);
    const functions = full === undefined ? [] : [full];
    return { elf, functions, hasMore: true, separate: separate?.elf, segments: loaded(elf) };
  }

  /** What a full table does not have the dynamic one has neither, but for damaged files. */
  private nextTable(tables: Tables): FunctionTable | undefined {
    if (!tables.hasMore) return undefined;
    tables.hasMore = false;
    const table = tables.elf.functionTable("dynsym", this.keeper.pages);
    if (table === undefined) return undefined;
    tables.functions.push(table);
    this.grow(table.memory);
    return table;
  }

  /** The table that was stripped from the file: what was split off, or what is packed in it. */
  private strippedTable(elf: Elf, separate: Elf | undefined): FunctionTable | undefined {
    const table = separate?.functionTable("symtab", this.keeper.pages);
    if (table !== undefined) return table;
    const mini = miniDebugInfo(elf);
    if (mini === undefined) return undefined;
    // Its names are in what was unpacked.
    this.grow(mini.size);
    return mini.functionTable("symtab", this.keeper.pages);
  }

  private openSeparate(elf: Elf): Separate | undefined {
    const isOfUse = (other: Elf): boolean => hasDebugInfo(other) || other.hasTable("symtab");
    return openSeparate(elf, this.what, this.places, openFile, isOfUse);
  }
}

type Separate = SeparateFile<OpenFile>;

/** Of code that no file tells the rules of. */
export const noRule: CallRule = { rule: cfaKinds.none, fromBase: false, base: "unknown" };

/** Headers and names of sections, about. */
const headerBytes = 8192;
/** Of a place in the source. */
const codeBytes = 200;

const PT_LOAD = 1;

const loaded = (elf: Elf): readonly Segment[] =>
  elf.segments
    .filter(({ type }) => type === PT_LOAD)
    .map(({ offset, fileSize, address }) => ({ offset, size: fileSize, address: Number(address) }));

function addressOf(segments: readonly Segment[], fileOffset: number): number | undefined {
  for (const { offset, size, address } of segments)
    if (fileOffset >= offset && fileOffset - offset < size) return address + (fileOffset - offset);
  return undefined;
}
