import { decodeBytes } from "../base/byte-text.js";
import type { Elf, ElfFunction } from "./elf.js";
import { EM_AARCH64, EM_X86_64 } from "./elf.js";
import { STT_GNU_IFUNC } from "./elf-symbols.js";
import { sortNames } from "./sort-names.js";
import { beginsInstruction } from "./x86-instructions.js";

/**
 * The functions of a file that uprobes can be set on, of both symbol tables, each name once. 180,000 of them (node) are
 * looked through by their names; addresses are read of those that are wanted.
 */
export class ElfFunctions {
  private readonly elf: Elf;
  private readonly read: (offset: number, most: number) => Uint8Array;
  /** Symbol tables of another file: what was stripped from this one. */
  private readonly separate: Elf | undefined;
  private list: readonly string[] | undefined;

  /** `read` gives at most as many bytes of the file, which is closed by then. */
  constructor(elf: Elf, read: (offset: number, most: number) => Uint8Array, separate?: Elf) {
    this.elf = elf;
    this.read = read;
    this.separate = separate;
  }

  /** Sorted, each once. */
  names(): readonly string[] {
    if (this.list !== undefined) return this.list;
    const tables = this.tables();
    const [first] = tables;
    const { strings, starts } = joined(
      tables.map((table) => ({
        strings: table.strings,
        starts: table.nameStarts(table === first ? undefined : first),
      })),
    );
    this.list = decode(strings, sortNames(strings, starts)).filter((name) => name !== "");
    return this.list;
  }

  /** Those whose names match, in the order of their names. */
  matching(matches: (name: string) => boolean): readonly ElfFunction[] {
    return this.names()
      .filter(matches)
      .flatMap((name) => this.find(name) ?? []);
  }

  /** By its exact name; an exported one before others. */
  find(name: string): ElfFunction | undefined {
    for (const table of this.tables()) {
      const symbol = table.find(name);
      const fileOffset = symbol === undefined ? undefined : this.elf.fileOffset(symbol.address);
      if (symbol === undefined || fileOffset === undefined) continue;
      const { address, size, type } = symbol;
      return { name, address, size, fileOffset, indirect: type === STT_GNU_IFUNC };
    }
    return undefined;
  }

  /** The function that has code at a virtual address. */
  at(address: bigint): ElfFunction | undefined {
    const fileOffset = this.elf.fileOffset(address);
    if (fileOffset === undefined) return undefined;
    for (const table of this.tables()) {
      const symbol = table.at(address);
      if (symbol === undefined) continue;
      const { name, size } = symbol;
      return { name, address: symbol.address, size, fileOffset: fileOffset - Number(address - symbol.address) };
    }
    return undefined;
  }

  /** Where in the file a virtual address is. */
  fileOffset(address: bigint): number | undefined {
    return this.elf.fileOffset(address);
  }

  /**
   * Whether an instruction of x86-64 begins `offset` bytes into a function. `unknown` if the code in front of it is not
   * understood.
   */
  instructionAt(fn: ElfFunction, offset: number): "begins" | "inside" | "unknown" {
    if (offset === 0) return "begins";
    // On AArch64 all have four bytes.
    if (this.elf.machine === EM_AARCH64) return offset % 4 === 0 ? "begins" : "inside";
    if (this.elf.machine !== EM_X86_64) return "unknown";
    // The longest instruction behind it is read, too.
    const begins = beginsInstruction(this.read(fn.fileOffset, offset + 16), offset);
    return begins === undefined ? "unknown" : begins ? "begins" : "inside";
  }

  private tables() {
    return [this.elf.symbols("symtab"), this.separate?.symbols("symtab"), this.elf.symbols("dynsym")].filter(
      (table) => table !== undefined,
    );
  }
}

interface Names {
  readonly strings: Buffer;
  readonly starts: Uint32Array;
}

/** Names of several tables as of one. */
function joined(all: readonly Names[]): Names {
  const parts = all.filter((part) => part.starts.length > 0);
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const strings = Buffer.concat(parts.map((part) => part.strings));
  const starts = new Uint32Array(parts.reduce((sum, part) => sum + part.starts.length, 0));
  let before = 0;
  let at = 0;
  for (const part of parts) {
    for (const start of part.starts) starts[at++] = start < part.strings.length ? start + before : strings.length;
    before += part.strings.length;
  }
  return { strings, starts };
}

/** One string of all bytes and slices of it: many times faster than decoding each name. */
function decode(bytes: Buffer, starts: Uint32Array): string[] {
  const all = bytes.toString("latin1");
  // Names are ASCII but in few languages.
  const ascii = !/[\x80-\xff]/.test(all);
  return Array.from(starts, (start) => {
    const found = all.indexOf("\0", start);
    const end = found < 0 ? all.length : found;
    return ascii ? all.slice(start, end) : decodeBytes(bytes.subarray(start, end));
  });
}
