import { decodeBytes } from "../base/byte-text.js";
import { AddressIndex } from "./address-index.js";
import { NameIndex } from "./name-index.js";

/** A symbol of an ELF symbol table. */
export interface ElfSymbol {
  readonly name: string;
  readonly address: bigint;
  /** 0 if the table does not say. */
  readonly size: number;
  /** STT_*: 0 NOTYPE, 1 OBJECT, 2 FUNC, 10 GNU_IFUNC. */
  readonly type: number;
  /** STB_*: 0 LOCAL, 1 GLOBAL, 2 WEAK. */
  readonly binding: number;
}

const STT_OBJECT = 1;
const STT_FUNC = 2;
export const STT_GNU_IFUNC = 10;
const SHN_UNDEF = 0;
const STB_LOCAL = 0;
const STB_WEAK = 2;

/**
 * A symbol table. 180,000 symbols (node) cost one scan and two typed arrays; a name becomes a string when it is asked for.
 * Only functions are looked at: an address in the stack of a program lies in one.
 */
export class ElfSymbols {
  private readonly view: DataView;
  /** The section that the names are in. */
  readonly strings: Buffer;
  private readonly entrySize: 16 | 24;
  private readonly sectionEnds: readonly bigint[];
  /** Symbol numbers of the functions that are defined here. */
  private readonly functionIndexes: Uint32Array;
  private byAddress: AddressIndex | undefined;
  private byName: NameIndex | undefined;
  private objects: { readonly indexes: Uint32Array; readonly names: NameIndex } | undefined;

  /**
   * `bytes` is the table, `strings` the section that it links to. What does not fit into them is left out. `sectionEnds`
   * are the addresses where the file's sections end, by index: a symbol without size ends there at the latest.
   */
  constructor(bytes: Uint8Array, strings: Uint8Array, is64: boolean, sectionEnds: readonly bigint[]) {
    this.sectionEnds = sectionEnds;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.strings = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength);
    this.entrySize = is64 ? 24 : 16;
    const count = Math.floor(bytes.length / this.entrySize);
    const infoAt = is64 ? 4 : 12;
    const sectionAt = is64 ? 6 : 14;
    const found = new Uint32Array(count);
    let functions = 0;
    for (let i = 0; i < count; i++) {
      const at = i * this.entrySize;
      const type = this.view.getUint8(at + infoAt) & 0xf;
      if (type !== STT_FUNC && type !== STT_GNU_IFUNC) continue;
      if (this.view.getUint16(at + sectionAt, true) === SHN_UNDEF) continue;
      found[functions++] = i;
    }
    this.functionIndexes = found.slice(0, functions);
  }

  /** Number of functions. */
  get length(): number {
    return this.functionIndexes.length;
  }

  /** Bytes that this table keeps in memory, roughly; a cache of tables adds them up. */
  get memory(): number {
    return this.view.byteLength + this.strings.length + this.functionIndexes.length * 28;
  }

  /** The function of that name; a global one before others. */
  find(name: string): ElfSymbol | undefined {
    if (this.byName === undefined) {
      const starts = this.functionIndexes.map((index) => this.view.getUint32(index * this.entrySize, true));
      this.byName = new NameIndex(this.strings, starts, 0);
    }
    let best: ElfSymbol | undefined;
    for (const i of this.byName.find(name)) {
      const symbol = this.symbol(this.functionIndexes[i] ?? 0);
      if (best === undefined || rankOf(symbol) < rankOf(best)) best = symbol;
    }
    return best;
  }

  /** The variable of that name; a global one before others. */
  findObject(name: string): ElfSymbol | undefined {
    this.objects ??= this.indexObjects();
    let best: ElfSymbol | undefined;
    for (const i of this.objects.names.find(name)) {
      const symbol = this.symbol(this.objects.indexes[i] ?? 0);
      if (best === undefined || rankOf(symbol) < rankOf(best)) best = symbol;
    }
    return best;
  }

  /**
   * The function that holds `address`: one whose size covers it, or, where the nearest one below has no size (assembler),
   * that one. Undefined between functions.
   */
  at(address: bigint): ElfSymbol | undefined {
    const index = this.addressIndex();
    let position = index.floor(address);
    // Sizes may nest (a hot part in a larger one); a few steps back find the outer one without a tree of intervals.
    for (let step = 0; step < 8 && position >= 0; step++) {
      const first = index.firstAt(position);
      let best: ElfSymbol | undefined;
      for (let i = first; i <= position; i++) {
        const number = index.order[i] ?? 0;
        const symbol = this.symbol(number);
        const end = symbol.size === 0 ? this.sectionEnd(number) : symbol.address + BigInt(symbol.size);
        const covers = address < end && (symbol.size > 0 || step === 0);
        if (covers && (best === undefined || isBetter(symbol, best))) best = symbol;
      }
      if (best !== undefined) return best;
      position = first - 1;
    }
    return undefined;
  }

  /**
   * Names of the functions: where they start in {@link strings}, in the order of the table. Those that `other` has by the same
   * name at the same address are left out: of a program that was not stripped most that its dynamic table has.
   */
  nameStarts(other?: ElfSymbols): Uint32Array {
    const { functionIndexes } = this;
    const wanted = other === undefined ? functionIndexes : functionIndexes.filter(this.isOnlyHere(other));
    return wanted.map((index) => this.view.getUint32(index * this.entrySize, true));
  }

  /** Tells of a symbol whether the other table has none of its name at its address. */
  private isOnlyHere(other: ElfSymbols): (index: number) => boolean {
    const { functionIndexes: theirs } = other;
    let size = 16;
    while (size < 2 * theirs.length) size *= 2;
    // Buckets of places in their table + 1; one that is taken leads to the next.
    const buckets = new Uint32Array(size);
    const shift = 32 - Math.log2(size);
    const bucketOf = (low: number): number => Math.imul(low, 0x9e3779b1) >>> shift;
    for (let i = 0; i < theirs.length; i++) {
      let bucket = bucketOf(other.lowAddress(theirs[i] as number));
      while (buckets[bucket] !== 0) bucket = (bucket + 1) & (size - 1);
      buckets[bucket] = i + 1;
    }
    return (index) => {
      for (let bucket = bucketOf(this.lowAddress(index)); ; bucket = (bucket + 1) & (size - 1)) {
        const entry = buckets[bucket] as number;
        if (entry === 0) return true;
        if (this.isSame(index, other, theirs[entry - 1] as number)) return false;
      }
    };
  }

  private lowAddress(index: number): number {
    return this.view.getUint32(index * this.entrySize + (this.entrySize === 24 ? 8 : 4), true);
  }

  private highAddress(index: number): number {
    return this.entrySize === 24 ? this.view.getUint32(index * 24 + 12, true) : 0;
  }

  /** Whether a symbol has the name and the address of one of another table. */
  private isSame(index: number, other: ElfSymbols, theirs: number): boolean {
    if (this.lowAddress(index) !== other.lowAddress(theirs)) return false;
    if (this.highAddress(index) !== other.highAddress(theirs)) return false;
    const { strings } = this;
    let a = this.view.getUint32(index * this.entrySize, true);
    let b = other.view.getUint32(theirs * other.entrySize, true);
    for (; ; a++, b++) {
      const byte = strings[a] ?? 0;
      if (byte !== (other.strings[b] ?? 0)) return false;
      if (byte === 0) return true;
    }
  }

  /** Every function, in the order of the table. */
  *functions(): Generator<ElfSymbol> {
    for (const index of this.functionIndexes) {
      const symbol = this.symbol(index);
      if (symbol.name !== "") yield symbol;
    }
  }

  private indexObjects(): { readonly indexes: Uint32Array; readonly names: NameIndex } {
    const { view, entrySize } = this;
    const wide = entrySize === 24;
    const found: number[] = [];
    for (let at = 0; at + entrySize <= view.byteLength; at += entrySize) {
      if ((view.getUint8(at + (wide ? 4 : 12)) & 0xf) !== STT_OBJECT) continue;
      if (view.getUint16(at + (wide ? 6 : 14), true) !== SHN_UNDEF) found.push(at / entrySize);
    }
    const indexes = Uint32Array.from(found);
    const starts = indexes.map((index) => view.getUint32(index * entrySize, true));
    return { indexes, names: new NameIndex(this.strings, starts, 0) };
  }

  private addressIndex(): AddressIndex {
    if (this.byAddress !== undefined) return this.byAddress;
    const count = this.functionIndexes.length;
    const high = new Uint32Array(count);
    const low = new Uint32Array(count);
    const wide = this.entrySize === 24;
    for (let i = 0; i < count; i++) {
      const at = (this.functionIndexes[i] as number) * this.entrySize;
      low[i] = this.view.getUint32(at + (wide ? 8 : 4), true);
      if (wide) high[i] = this.view.getUint32(at + 12, true);
    }
    this.byAddress = new AddressIndex(high, low, this.functionIndexes);
    return this.byAddress;
  }

  private sectionEnd(index: number): bigint {
    const at = index * this.entrySize;
    return this.sectionEnds[this.view.getUint16(at + (this.entrySize === 24 ? 6 : 14), true)] ?? 0n;
  }

  private symbol(index: number): ElfSymbol {
    const { view } = this;
    const at = index * this.entrySize;
    const wide = this.entrySize === 24;
    const info = view.getUint8(at + (wide ? 4 : 12));
    return {
      name: this.name(view.getUint32(at, true)),
      address: wide ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true)),
      size: wide ? Number(view.getBigUint64(at + 16, true)) : view.getUint32(at + 8, true),
      type: info & 0xf,
      binding: info >>> 4,
    };
  }

  private name(start: number): string {
    if (start >= this.strings.length) return "";
    const end = this.strings.indexOf(0, start);
    return decodeBytes(this.strings.subarray(start, end < 0 ? this.strings.length : end));
  }
}

const rankOf = (symbol: ElfSymbol): number => (symbol.binding === STB_LOCAL ? 2 : symbol.binding === STB_WEAK ? 1 : 0);

const isBetter = (a: ElfSymbol, b: ElfSymbol): boolean =>
  isPreferred({ isLocal: a.binding === STB_LOCAL, name: a.name }, { isLocal: b.binding === STB_LOCAL, name: b.name });

interface Candidate {
  readonly isLocal: boolean;
  readonly name: string;
}

/** Of several names of one place the one that people know: exported, without leading underscores, short. */
export function isPreferred(a: Candidate, b: Candidate): boolean {
  if (a.isLocal !== b.isLocal) return b.isLocal;
  const underscores = leadingUnderscores(a.name) - leadingUnderscores(b.name);
  if (underscores !== 0) return underscores < 0;
  if (a.name.length !== b.name.length) return a.name.length < b.name.length;
  return a.name < b.name;
}

function leadingUnderscores(name: string): number {
  let count = 0;
  while (name[count] === "_") count++;
  return count;
}
