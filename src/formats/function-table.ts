import { countUpTo } from "../base/ordered.js";
import { AddressIndex } from "./address-index.js";
import { isPreferred } from "./elf-symbols.js";

const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const STB_LOCAL = 0;
const SHN_UNDEF = 0;
/** Up to here a double is exact. No file of a program has addresses above; a symbol that claims one is left out. */
const maxAddress = 2 ** 53;
/** Sizes may nest (a hot part in a larger function); a few steps back find the outer one without a tree of intervals. */
const maxSteps = 8;

/** Functions of a table of which most may be shown. */
const maxArray = 8192;

const local = 1;
const sized = 2;

/** What a table needs of its file. */
export interface FunctionTableSource {
  /** Elf64_Sym or Elf32_Sym, one after the other. */
  readonly symbols: Uint8Array;
  readonly is64: boolean;
  /** Addresses at which the file's sections end, by index: a symbol without size ends there at the latest. */
  readonly sectionEnds: readonly bigint[];
  /** The name that begins at a place of the section of names; it may be read only now. */
  name(start: number): string;
}

/**
 * The functions of a symbol table in the order of their addresses, some 17 bytes each. A name is read when it is
 * asked for. Answers are those of {@link ElfSymbols.at}.
 */
export class FunctionTable {
  private readonly starts: Float64Array;
  /** Bytes of the function; of one without size those up to the end of its section. */
  private readonly sizes: Uint32Array;
  private readonly names: Uint32Array;
  private readonly flags: Uint8Array;
  private readonly nameAt: (start: number) => string;
  /** What people see in place of names, by function: an array unless that would be too large for what is used of it. */
  private shownNames: (string | undefined)[] | Map<number, string> | undefined;
  /** Of several functions that begin at one place the best, by the last of them, and up to which distance it is the answer. */
  private readonly aliases = new Map<number, { readonly best: number; readonly bytes: number }>();

  constructor({ symbols, is64, sectionEnds, name }: FunctionTableSource) {
    this.nameAt = name;
    const view = new DataView(symbols.buffer, symbols.byteOffset, symbols.byteLength);
    const entry = is64 ? 24 : 16;
    const [infoAt, sectionAt, addressAt] = is64 ? [4, 6, 8] : [12, 14, 4];
    const found = new Uint32Array(Math.floor(symbols.length / entry));
    let count = 0;
    for (let at = 0; at + entry <= symbols.length; at += entry) {
      const type = (symbols[at + infoAt] ?? 0) & 0xf;
      if (type !== STT_FUNC && type !== STT_GNU_IFUNC) continue;
      if (view.getUint16(at + sectionAt, true) === SHN_UNDEF) continue;
      if (is64 && view.getUint32(at + 12, true) >= maxAddress / 2 ** 32) continue;
      found[count++] = at;
    }
    const high = new Uint32Array(count);
    const low = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const at = (found[i] as number) + addressAt;
      low[i] = view.getUint32(at, true);
      if (is64) high[i] = view.getUint32(at + 4, true);
    }
    const { order } = new AddressIndex(high, low, found.subarray(0, count));
    this.starts = new Float64Array(count);
    this.sizes = new Uint32Array(count);
    this.names = new Uint32Array(count);
    this.flags = new Uint8Array(count);
    const ends = sectionEnds.map(Number);
    for (let i = 0; i < count; i++) {
      const at = order[i] as number;
      const start = view.getUint32(at + addressAt, true) + (is64 ? view.getUint32(at + 12, true) * 2 ** 32 : 0);
      const size = is64
        ? view.getUint32(at + 16, true) + view.getUint32(at + 20, true) * 2 ** 32
        : view.getUint32(at + 8, true);
      const bytes = size === 0 ? (ends[view.getUint16(at + sectionAt, true)] ?? 0) - start : size;
      this.starts[i] = start;
      this.sizes[i] = Math.min(Math.max(bytes, 0), 0xffffffff);
      this.names[i] = view.getUint32(at, true);
      this.flags[i] = (size === 0 ? 0 : sized) | ((symbols[at + infoAt] ?? 0) >>> 4 === STB_LOCAL ? local : 0);
    }
  }

  get length(): number {
    return this.starts.length;
  }

  /** Bytes in memory. */
  get memory(): number {
    return 17 * this.starts.length;
  }

  /** What was given to {@link show}. */
  shown(index: number): string | undefined {
    const { shownNames } = this;
    return shownNames instanceof Map ? shownNames.get(index) : shownNames?.[index];
  }

  /** Keeps what people see in place of a name. Says how many bytes that takes, without the text. */
  show(index: number, name: string): number {
    const { length } = this;
    if (length > maxArray) {
      if (!(this.shownNames instanceof Map)) this.shownNames = new Map();
      this.shownNames.set(index, name);
      return 40;
    }
    const isFirst = this.shownNames === undefined;
    if (!Array.isArray(this.shownNames)) this.shownNames = new Array<string | undefined>(length).fill(undefined);
    this.shownNames[index] = name;
    return isFirst ? 8 * length : 0;
  }

  /** Keeps none of them any more. */
  forgetShown(): void {
    if (this.shownNames instanceof Map) this.shownNames.clear();
    else this.shownNames?.fill(undefined);
  }

  /** Which function holds an address; -1 between functions. */
  at(address: number): number {
    const { starts, sizes, flags } = this;
    let position = countUpTo(starts.length, (i) => (starts[i] as number) <= address) - 1;
    const alias = this.aliases.get(position);
    if (alias !== undefined && address - (starts[position] as number) < alias.bytes) return alias.best;
    for (let step = 0; step < maxSteps && position >= 0; step++) {
      const start = starts[position] as number;
      let best = -1;
      let i = position;
      let least = Number.POSITIVE_INFINITY;
      for (; i >= 0 && starts[i] === start; i--) {
        least = Math.min(least, sizes[i] as number);
        const covers = address - start < (sizes[i] as number) && (step === 0 || ((flags[i] as number) & sized) !== 0);
        if (covers && (best < 0 || this.isBetter(i, best))) best = i;
      }
      // Comparing names means reading them.
      if (step === 0 && position - i > 1 && best >= 0) this.aliases.set(position, { best, bytes: least });
      if (best >= 0) return best;
      position = i;
    }
    return -1;
  }

  /** Where a function begins. */
  start(index: number): number {
    return this.starts[index] ?? 0;
  }

  /** As the table has it, with its version. */
  name(index: number): string {
    return this.nameAt(this.names[index] ?? 0);
  }

  private isBetter(a: number, b: number): boolean {
    const of = (i: number) => ({ isLocal: ((this.flags[i] ?? 0) & local) !== 0, name: this.name(i) });
    return isPreferred(of(a), of(b));
  }
}
