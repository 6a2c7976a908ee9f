import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";

const utf8 = new TextDecoder("utf-8");

/** Reads a section of DWARF from one byte to the next; past its end is a FormatError. */
export class DwarfCursor {
  readonly reader: ByteReader;
  at: number;

  constructor(bytes: Uint8Array, what: string, at = 0) {
    this.reader = new ByteReader(bytes, what);
    this.at = at;
  }

  get length(): number {
    return this.reader.length;
  }

  private advance(size: number): number {
    const { at } = this;
    this.at += size;
    return at;
  }

  u8(): number {
    return this.reader.u8(this.advance(1));
  }

  u16(): number {
    return this.reader.u16(this.advance(2));
  }

  u24(): number {
    return this.u16() | (this.u8() << 16);
  }

  u32(): number {
    return this.reader.u32(this.advance(4));
  }

  u64(): bigint {
    return this.reader.u64(this.advance(8));
  }

  /** A length or offset, of 4 bytes or, in 64-bit DWARF, 8. */
  offset(size: 4 | 8): number {
    return size === 4 ? this.u32() : this.reader.size64(this.advance(8));
  }

  /** ULEB128, DWARF 5 section 7.6; one that is no possible size or offset is a FormatError. */
  uleb(): number {
    let result = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      result += (byte & 0x7f) * scale;
      if (result > Number.MAX_SAFE_INTEGER)
        throw new FormatError(`${this.reader.what}: a number at ${this.at} is too large`);
      if ((byte & 0x80) === 0) return result;
      // Compilers may pad with bytes that add nothing.
      scale = Math.min(scale * 128, 2 ** 70);
    }
  }

  /** A 64-bit constant. */
  ulebWide(): bigint {
    return BigInt.asUintN(64, this.leb(false));
  }

  sleb(): bigint {
    return BigInt.asIntN(64, this.leb(true));
  }

  private leb(signed: boolean): bigint {
    let result = 0n;
    let shift = 0n;
    for (;;) {
      const byte = this.u8();
      if (shift < 64n) result |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if ((byte & 0x80) !== 0) continue;
      if (signed && shift < 64n && (byte & 0x40) !== 0) result -= 1n << shift;
      return result;
    }
  }

  skipLeb(): void {
    while ((this.u8() & 0x80) !== 0);
  }

  bytes(size: number): Uint8Array {
    return this.reader.slice(this.advance(size), size);
  }

  skip(size: number): void {
    if (this.at + size > this.reader.length) {
      throw new FormatError(
        `${this.reader.what}: ${size} bytes at ${this.at} lie outside its ${this.reader.length} bytes`,
      );
    }
    this.at += size;
  }

  text(): string {
    return utf8.decode(this.textBytes());
  }

  skipText(): void {
    this.textBytes();
  }

  private textBytes(): Uint8Array {
    const { bytes, what } = this.reader;
    const end = bytes.indexOf(0, this.at);
    if (end < 0) throw new FormatError(`${what}: the text at ${this.at} has no end`);
    const found = bytes.subarray(this.at, end);
    this.at = end + 1;
    return found;
  }
}
