import { FormatError } from "../base/errors.js";
import { sortAllNames } from "./sort-names.js";

export interface TraceableFunction {
  readonly name: string;
  readonly module: string;
  readonly address: bigint | undefined;
}

/** Functions whose names were lost are listed as this and a number: kernel/trace/ftrace.c, t_show(), since v5.18. */
const lostName = Buffer.from("__ftrace_invalid_address___");

const newline = 0x0a;
const blank = 0x20;
const bracket = 0x5b;
const closing = 0x5d;
/** Of an address in front of a name, with the blank behind it. */
const addressWidth = 17;

/** Names that are searched for in the whole list, before it is worth to have all of them by name. */
const fewSearches = 16;

/**
 * The lines of tracefs's available_filter_functions, `name` or `name [module]`, or of available_filter_functions_addrs, which
 * have the address in 16 hexadecimal digits in front. A function without a module is in `vmlinux`. There are 40,000 of them, and
 * most scripts ask for one: a line becomes an object when it is asked for.
 */
export class TraceableFunctions {
  private readonly bytes: Buffer;
  private searches = 0;
  /** Where names begin, in the order of the list and in that of the names. */
  private starts: Uint32Array | undefined;
  private sorted: Uint32Array | undefined;
  private byName: Map<string, number | number[]> | undefined;

  /** Of a list that nobody has checked {@link find} sees the lines that are well-formed; the rest throws FormatError. */
  constructor(contents: Uint8Array) {
    this.bytes = Buffer.from(contents.buffer, contents.byteOffset, contents.byteLength);
  }

  /** Throws FormatError if a line is no function. */
  check(): this {
    this.places();
    return this;
  }

  /** All functions of that name, in the order of the list. */
  find(name: string): readonly TraceableFunction[] {
    if (this.byName === undefined && this.searches++ < fewSearches) return this.search(name);
    this.byName ??= this.index();
    const found = this.byName.get(name) ?? [];
    return typeof found === "number" ? [this.at(found, name)] : found.map((start) => this.at(start, name));
  }

  /** Their names, sorted by their bytes, each once. */
  names(): readonly string[] {
    const all = this.decode(this.inOrder());
    return all.filter((name, i) => name !== all[i - 1]);
  }

  /** All functions with such names, in the order of {@link names}; `matches` is asked of each name once. */
  matching(matches: (name: string) => boolean): readonly TraceableFunction[] {
    const places = this.inOrder();
    const found: TraceableFunction[] = [];
    let last = "";
    let isWanted = false;
    for (const [i, name] of this.decode(places).entries()) {
      if (name !== last) isWanted = matches(name);
      last = name;
      if (isWanted) found.push(this.at(places[i] as number, name));
    }
    return found;
  }

  private places(): Uint32Array {
    this.starts ??= parseLines(this.bytes);
    return this.starts;
  }

  private inOrder(): Uint32Array {
    this.sorted ??= sortAllNames(this.bytes, this.places(), blank);
    return this.sorted;
  }

  private search(name: string): readonly TraceableFunction[] {
    const { bytes } = this;
    const wanted = Buffer.from(name, "latin1");
    const found: TraceableFunction[] = [];
    if (wanted.length === 0 || isLost(wanted, 0) || wanted.some((byte) => byte <= blank)) return found;
    for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + wanted.length)) {
      const end = bytes[at + wanted.length];
      if ((end === undefined || end <= blank) && this.isStart(at)) found.push(this.at(at, name));
    }
    return found;
  }

  private isStart(at: number): boolean {
    return this.isLine(at) || (this.isLine(at - addressWidth) && hasAddress(this.bytes, at - addressWidth));
  }

  private isLine(at: number): boolean {
    return at === 0 || (at > 0 && this.bytes[at - 1] === newline);
  }

  private index(): Map<string, number | number[]> {
    const byName = new Map<string, number | number[]>();
    const places = this.places();
    for (const [i, name] of this.decode(places).entries()) {
      const start = places[i] as number;
      const known = byName.get(name);
      if (known === undefined) byName.set(name, start);
      else if (typeof known === "number") byName.set(name, [known, start]);
      else known.push(start);
    }
    return byName;
  }

  /** Names by where they begin: slices of one string, which is many times faster than decoding each. */
  private decode(starts: Uint32Array): string[] {
    const { bytes } = this;
    const text = bytes.toString("latin1");
    return Array.from(starts, (start) => text.slice(start, endOfName(bytes, start)));
  }

  /** The function whose name begins there. */
  private at(start: number, name: string): TraceableFunction {
    const { bytes } = this;
    let next = start + name.length;
    while (bytes[next] === blank) next++;
    const module =
      bytes[next] === bracket ? bytes.toString("latin1", next + 1, endOfModule(bytes, next) - 1) : "vmlinux";
    const line = start - addressWidth;
    const address = this.isLine(line) && hasAddress(bytes, line) ? addressAt(bytes, line) : undefined;
    return { name, module, address };
  }
}

/** Where the names begin. */
function parseLines(bytes: Buffer): Uint32Array {
  // The shortest line is a letter and a line end.
  const starts = new Uint32Array((bytes.length + 1) >>> 1);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const start = hasAddress(bytes, at) ? at + addressWidth : at;
    const end = endOfName(bytes, start);
    let next = end;
    while (bytes[next] === blank || bytes[next] === 0x0d) next++;
    if (next === at && bytes[at] === newline) {
      at++;
      continue;
    }
    if (bytes[next] === bracket && next > end) next = endOfModule(bytes, next);
    if (end === start || bytes[start] === bracket || (next < bytes.length && bytes[next] !== newline))
      throw new FormatError(`functions: '${lineAt(bytes, at)}' is not of the form 'name' or 'name [module]'`);
    if (!isLost(bytes, start)) starts[count++] = start;
    at = next + 1;
  }
  return starts.subarray(0, count);
}

function addressAt(bytes: Buffer, at: number): bigint {
  let [high, low] = [0, 0];
  for (let i = 0; i < 8; i++) {
    high = high * 16 + digitOf(bytes[at + i] as number);
    low = low * 16 + digitOf(bytes[at + 8 + i] as number);
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

const digitOf = (byte: number): number => (byte > 0x39 ? byte - 0x57 : byte - 0x30);

/** A name that begins with 16 digits and a blank would be an address; names of C functions have no blanks. */
function hasAddress(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + addressWidth - 1] !== blank) return false;
  for (let i = at; i < at + addressWidth - 1; i++) {
    const byte = bytes[i] as number;
    if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) return false;
  }
  return true;
}

function endOfName(bytes: Uint8Array, start: number): number {
  let end = start;
  while (end < bytes.length && (bytes[end] as number) > blank) end++;
  return end;
}

/** Behind the bracket that closes the module's name; the bracket that opens it if none does in this line. */
function endOfModule(bytes: Uint8Array, open: number): number {
  for (let at = open + 1; at < bytes.length && bytes[at] !== newline; at++) if (bytes[at] === closing) return at + 1;
  return open;
}

function isLost(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < lostName.length; i++) if (bytes[start + i] !== lostName[i]) return false;
  return true;
}

function lineAt(bytes: Buffer, at: number): string {
  const end = bytes.indexOf(newline, at);
  return bytes.toString("latin1", at, end < 0 ? bytes.length : end);
}
