// Plain data as bytes, and back to the same: what JSON cannot hold (undefined, bigints, bytes, maps, text of any 16-bit units),
// and what is shared stays shared.

import { FormatError } from "./errors.js";

/** Tags; numbers in them are of base 128, lowest digits first, the upper bit saying that another one follows. */
const tags = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  /** A number; twice it, plus 1 if it is negative. */
  integer: 4,
  /** 8 bytes, IEEE 754. */
  double: 5,
  /** Number of bytes, doubled, plus 1 if it is negative; then the bytes of the absolute value, lowest first. */
  bigint: 6,
  /** Number of units; a byte each, or two, lowest first. */
  latin1: 7,
  utf16: 8,
  /** Number of bytes, then they. */
  bytes: 9,
  /** Number of items, then they. */
  array: 10,
  /** Number of members, then name and value of each. */
  object: 11,
  /** Number of entries, then key and value of each. */
  map: 12,
  /** Number of a text, an array, an object, a map or bytes that have stood before, counted in the order of their ends. */
  again: 13,
} as const;

/** Values in values: more than compilers make, less than a stack holds. */
const mostDepth = 500;

const mostArguments = 4096;

/** The bytes of plain data. Throws if there is something in it that is not plain: functions, instances of classes, circles. */
export function encodePlain(value: unknown): Uint8Array {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.bytes();
}

/** What {@link encodePlain} was given. Throws FormatError for any other bytes. */
export function decodePlain(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Writer {
  private buffer = new Uint8Array(1 << 12);
  private length = 0;
  private readonly seen = new Map<unknown, number>();

  bytes(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  value(value: unknown, depth: number): void {
    if (depth > mostDepth) throw new Error("internal: plain data that is too deep, or goes in a circle");
    if (value === undefined) this.byte(tags.undefined);
    else if (value === null) this.byte(tags.null);
    else if (typeof value === "boolean") this.byte(value ? tags.true : tags.false);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "bigint") this.bigint(value);
    else if (typeof value === "string") this.once(value, () => this.text(value));
    else if (typeof value === "object") this.once(value, () => this.object(value, depth + 1));
    else throw new Error(`internal: a ${typeof value} is no plain data`);
  }

  private once(value: unknown, write: () => void): void {
    const before = this.seen.get(value);
    if (before !== undefined) {
      this.byte(tags.again);
      this.count(before);
      return;
    }
    write();
    this.seen.set(value, this.seen.size);
  }

  private number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.byte(tags.double);
      new DataView(this.room(8).buffer).setFloat64(this.length - 8, value, true);
      return;
    }
    this.byte(tags.integer);
    this.digits(BigInt(Math.abs(value)) * 2n + (value < 0 ? 1n : 0n));
  }

  private bigint(value: bigint): void {
    const absolute = value < 0n ? -value : value;
    const size = Math.ceil(absolute.toString(16).length / 2);
    this.byte(tags.bigint);
    this.count(2 * size + (value < 0n ? 1 : 0));
    for (let i = 0, rest = absolute; i < size; i++, rest >>= 8n) this.byte(Number(rest & 0xffn));
  }

  private text(value: string): void {
    let wide = false;
    for (let i = 0; i < value.length; i++) wide ||= value.charCodeAt(i) > 0xff;
    this.byte(wide ? tags.utf16 : tags.latin1);
    this.count(value.length);
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      this.byte(unit & 0xff);
      if (wide) this.byte(unit >> 8);
    }
  }

  private object(value: object, depth: number): void {
    if (value instanceof Uint8Array) {
      this.byte(tags.bytes);
      this.count(value.length);
      this.room(value.length).set(value, this.length - value.length);
    } else if (Array.isArray(value)) {
      this.byte(tags.array);
      this.count(value.length);
      for (const item of value) this.value(item, depth);
    } else if (value instanceof Map) {
      this.byte(tags.map);
      this.count(value.size);
      for (const [key, item] of value) {
        this.value(key, depth);
        this.value(item, depth);
      }
    } else {
      const { constructor: made } = value;
      if (made !== undefined && made !== Object)
        throw new Error(`internal: an instance of ${made.name} is no plain data`);
      const members = Object.entries(value);
      this.byte(tags.object);
      this.count(members.length);
      for (const [name, item] of members) {
        this.value(name, depth);
        this.value(item, depth);
      }
    }
  }

  private count(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.byte((rest % 0x80) | 0x80);
    this.byte(rest);
  }

  private digits(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest));
  }

  private byte(value: number): void {
    this.room(1)[this.length - 1] = value;
  }

  /** Takes so many bytes, which end at `length`; the whole buffer. */
  private room(size: number): Uint8Array {
    this.length += size;
    if (this.length > this.buffer.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.buffer);
      this.buffer = larger;
    }
    return this.buffer;
  }
}

class Reader {
  private readonly bytes: Uint8Array;
  private at = 0;
  private readonly ended: unknown[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  end(): void {
    if (this.at !== this.bytes.length) this.fail("has something behind its end");
  }

  value(depth: number): unknown {
    if (depth > mostDepth) this.fail("is too deep");
    const tag = this.byte();
    switch (tag) {
      case tags.undefined:
        return undefined;
      case tags.null:
        return null;
      case tags.false:
      case tags.true:
        return tag === tags.true;
      case tags.integer:
        return this.integer();
      case tags.double: {
        const at = this.skip(8);
        return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, 8).getFloat64(0, true);
      }
      case tags.bigint:
        return this.bigint();
      case tags.again: {
        const index = this.count();
        if (index >= this.ended.length) this.fail("refers to what has not been there");
        return this.ended[index];
      }
      default: {
        const value = this.shared(tag, depth + 1);
        this.ended.push(value);
        return value;
      }
    }
  }

  private shared(tag: number, depth: number): unknown {
    switch (tag) {
      case tags.latin1:
        return this.text(1);
      case tags.utf16:
        return this.text(2);
      case tags.bytes: {
        const size = this.count();
        const at = this.skip(size);
        return this.bytes.slice(at, at + size);
      }
      case tags.array:
        return this.repeat(1, () => this.value(depth));
      case tags.object: {
        const members = this.repeat(2, () => {
          const name = this.value(depth);
          if (typeof name !== "string" || name === "__proto__") this.fail("has a member without a name");
          return [name, this.value(depth)] as const;
        });
        return Object.fromEntries(members);
      }
      case tags.map:
        return new Map(this.repeat(2, () => [this.value(depth), this.value(depth)] as const));
      default:
        return this.fail(`has an unknown tag ${tag}`);
    }
  }

  /** What is repeated takes a byte each time at least, so that no count makes us ask for more memory than there are bytes. */
  private repeat<T>(bytes: number, read: () => T): T[] {
    const count = this.count();
    if (count * bytes > this.bytes.length - this.at) this.fail("ends too early");
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read());
    return items;
  }

  private text(unit: 1 | 2): string {
    const length = this.count();
    const at = this.skip(unit * length);
    const parts: string[] = [];
    // As many units as a call takes as arguments.
    for (let i = 0; i < length; i += mostArguments) {
      const units = Array.from({ length: Math.min(mostArguments, length - i) }, (_, j) => {
        const place = at + unit * (i + j);
        return (this.bytes[place] ?? 0) | (unit === 2 ? (this.bytes[place + 1] ?? 0) << 8 : 0);
      });
      parts.push(String.fromCharCode(...units));
    }
    return parts.join("");
  }

  private integer(): number {
    const digits = this.digits();
    const absolute = digits >> 1n;
    if (absolute > BigInt(Number.MAX_SAFE_INTEGER)) this.fail("has a number that is too large");
    return (digits & 1n) === 1n ? -Number(absolute) : Number(absolute);
  }

  private bigint(): bigint {
    const head = this.count();
    const size = Math.floor(head / 2);
    const at = this.skip(size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[at + i] ?? 0);
    return head % 2 === 1 ? -value : value;
  }

  private count(): number {
    const value = this.digits();
    if (value > 0xffff_ffffn) this.fail("has a count that is too large");
    return Number(value);
  }

  /** Ten of them hold 64 bits. */
  private digits(): bigint {
    let value = 0n;
    for (let i = 0n; i < 10n; i++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) return value;
    }
    return this.fail("has a number that is too large");
  }

  private byte(): number {
    return this.bytes[this.skip(1)] ?? 0;
  }

  private skip(size: number): number {
    const { at } = this;
    if (size > this.bytes.length - at) this.fail("ends too early");
    this.at += size;
    return at;
  }

  private fail(what: string): never {
    throw new FormatError(`it ${what}, at byte ${this.at}`);
  }
}
