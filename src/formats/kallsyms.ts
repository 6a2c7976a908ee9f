import { FormatError } from "../base/errors.js";
import { AddressIndex } from "./address-index.js";
import { NameIndex } from "./name-index.js";

export interface KallsymsEntry {
  readonly name: string;
  readonly address: bigint;
  /** nm(1)'s letter: `t` and `T` are functions. */
  readonly type: string;
  /** `bpf` for BPF programs, `__builtin__kprobes` and the like for generated code; undefined for the kernel itself. */
  readonly module: string | undefined;
}

/**
 * `/proc/kallsyms` as it was read. 120,000 lines are scanned once for their addresses; a string is made only of a line
 * that is asked for. Both indexes are built at first use.
 */
export class Kallsyms {
  private readonly bytes: Buffer;
  /** Where the name of each line begins. */
  private readonly nameStarts: Uint32Array;
  private readonly high: Uint32Array;
  private readonly low: Uint32Array;
  /** All addresses are zero: the reader may not see them (kptr_restrict, no CAP_SYSLOG). */
  readonly hidden: boolean;
  private byAddress: AddressIndex | undefined;
  private byName: NameIndex | undefined;

  private constructor(bytes: Buffer, nameStarts: Uint32Array, high: Uint32Array, low: Uint32Array, hidden: boolean) {
    this.bytes = bytes;
    this.nameStarts = nameStarts;
    this.high = high;
    this.low = low;
    this.hidden = hidden;
  }

  /** Lines of `ADDRESS TYPE NAME` or `ADDRESS TYPE NAME\t[MODULE]`: kernel/kallsyms.c, s_show(), Linux 6.12. */
  static parse(contents: Uint8Array): Kallsyms {
    const bytes = Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength);
    // The shortest line has 8 (32-bit kernels) digits, two spaces, a type, a name and a line end.
    const capacity = Math.floor(bytes.length / 13) + 1;
    const nameStarts = new Uint32Array(capacity);
    const high = new Uint32Array(capacity);
    const low = new Uint32Array(capacity);
    let any = 0;
    let count = 0;
    let at = 0;
    while (at < bytes.length) {
      const line = at;
      let upper = 0;
      let lower = 0;
      let digit = hexValue[bytes[at] as number] as number;
      while (digit < 16) {
        upper = (upper << 4) | (lower >>> 28);
        lower = (lower << 4) | digit;
        digit = hexValue[bytes[++at] as number] ?? 16;
      }
      const digits = at - line;
      if ((digits !== 16 && digits !== 8) || bytes[at] !== 0x20 || bytes[at + 2] !== 0x20 || at + 3 >= bytes.length) {
        throw new FormatError(`kallsyms: line ${count + 1} is not of the form 'address type name'`);
      }
      nameStarts[count] = at + 3;
      high[count] = upper;
      low[count] = lower;
      any |= upper | lower;
      count++;
      at += 3;
      while (at < bytes.length && bytes[at] !== 0x0a) at++;
      at++;
    }
    return new Kallsyms(
      bytes,
      nameStarts.subarray(0, count),
      high.subarray(0, count),
      low.subarray(0, count),
      any === 0,
    );
  }

  /** Number of symbols. */
  get length(): number {
    return this.nameStarts.length;
  }

  /** The symbol of line `index`. */
  entry(index: number): KallsymsEntry {
    const start = this.nameStarts[index];
    if (start === undefined) throw new Error(`internal: kallsyms has no line ${index}`);
    const newline = this.bytes.indexOf(0x0a, start);
    const line = this.bytes.toString("utf8", start, newline < 0 ? this.bytes.length : newline);
    const tab = line.indexOf("\t");
    return {
      name: tab < 0 ? line : line.slice(0, tab),
      address: (BigInt(this.high[index] ?? 0) << 32n) | BigInt(this.low[index] ?? 0),
      type: String.fromCharCode(this.bytes[start - 2] ?? 0x20),
      module: tab < 0 ? undefined : /^\[(.*)\]\s*$/.exec(line.slice(tab + 1))?.[1],
    };
  }

  /** The symbol that `address` lies in or behind: the nearest one below it. Of several there, the first line's. */
  at(address: bigint): KallsymsEntry | undefined {
    if (this.hidden) return undefined;
    this.byAddress ??= new AddressIndex(this.high, this.low);
    const position = this.byAddress.floor(address);
    if (position < 0) return undefined;
    const index = this.byAddress.order[this.byAddress.firstAt(position)];
    return index === undefined ? undefined : this.entry(index);
  }

  /** All symbols of that name, in the order of the file: static functions may share one. */
  *find(name: string): Generator<KallsymsEntry> {
    this.byName ??= new NameIndex(this.bytes, this.nameStarts, 0x0a);
    for (const index of this.byName.find(name)) yield this.entry(index);
  }

  /** Every symbol, in the order of the file. */
  *entries(): Generator<KallsymsEntry> {
    for (let i = 0; i < this.nameStarts.length; i++) yield this.entry(i);
  }
}

const hexValue = new Uint8Array(256).fill(16);
for (const [i, digit] of [..."0123456789abcdef"].entries()) hexValue[digit.charCodeAt(0)] = i;
for (const [i, digit] of [..."ABCDEF"].entries()) hexValue[digit.charCodeAt(0)] = i + 10;
