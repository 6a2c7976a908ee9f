import { decodeBytes } from "../base/byte-text.js";
import { FormatError } from "../base/errors.js";
import type { SectionBytes } from "./section-bytes.js";

/** Nobody has a longer name; what has no end in a damaged file must not fill the memory. */
const maxText = 1 << 20;

/** Reads a section of DWARF from one byte to the next; past its end is a FormatError. */
export class DwarfCursor {
  readonly what: string;
  readonly length: number;
  at: number;
  private readonly section: SectionBytes | undefined;
  /** The piece that is read now, and where it begins. */
  private piece: Uint8Array;
  private view: DataView;
  private start = 0;
  /** Bytes of it that may be read. */
  private usable = 0;

  /** It may be made to end before the section does, at `length`. */
  constructor(bytes: Uint8Array | SectionBytes, what: string, at = 0, length = bytes.length) {
    this.what = what;
    this.at = at;
    this.length = length;
    if (bytes instanceof Uint8Array) {
      this.piece = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.usable = length;
    } else {
      this.section = bytes;
      this.piece = nothing;
      this.view = noView;
    }
  }

  /** Another one for the same bytes. */
  copy(at: number): DwarfCursor {
    return new DwarfCursor(this.section ?? this.piece, this.what, at, this.length);
  }

  /** Whoever keeps the cursor keeps no page with it. */
  release(): void {
    if (this.section === undefined) return;
    this.piece = nothing;
    this.view = noView;
    this.usable = 0;
  }

  /** Goes past `size` bytes, at most 16, and says where in the piece they are. */
  private next(size: number): number {
    const { at } = this;
    const place = at - this.start;
    if (place >= 0 && place + size <= this.usable) {
      this.at = at + size;
      return place;
    }
    this.check(size);
    this.at = at + size;
    return this.load(at);
  }

  private check(size: number): void {
    const { at, length } = this;
    if (!(at >= 0 && size >= 0 && at + size <= length))
      throw new FormatError(`${this.what}: ${size} bytes at offset ${at} lie outside its ${length} bytes`);
  }

  private load(at: number): number {
    const piece = this.section?.piece(at);
    // Of what is in memory everything is one piece.
    if (piece === undefined) throw new Error("internal: a piece of a section that is in memory");
    this.piece = piece.bytes;
    this.view = piece.view;
    this.start = piece.start;
    this.usable = Math.min(piece.bytes.length, this.length - piece.start);
    return at - piece.start;
  }

  u8(): number {
    const place = this.next(1);
    return this.piece[place] as number;
  }

  u16(): number {
    const place = this.next(2);
    return this.view.getUint16(place, true);
  }

  u24(): number {
    return this.u16() | (this.u8() << 16);
  }

  u32(): number {
    const place = this.next(4);
    return this.view.getUint32(place, true);
  }

  u64(): bigint {
    const place = this.next(8);
    return this.view.getBigUint64(place, true);
  }

  /** A length or offset, of 4 bytes or, in 64-bit DWARF, 8; beyond 2^53 is a FormatError. */
  offset(size: 4 | 8): number {
    if (size === 4) return this.u32();
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(`${this.what}: ${value} is no possible size`);
    return Number(value);
  }

  /** ULEB128, DWARF 5 section 7.6; one that is no possible size or offset is a FormatError. */
  uleb(): number {
    let result = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      result += (byte & 0x7f) * scale;
      if (result > Number.MAX_SAFE_INTEGER) throw new FormatError(`${this.what}: a number at ${this.at} is too large`);
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
    this.check(size);
    const { at } = this;
    this.at = at + size;
    if (size === 0) return nothing;
    const place = at - this.start;
    if (place >= 0 && place + size <= this.piece.length) return this.piece.subarray(place, place + size);
    const found = new Uint8Array(size);
    for (let done = 0; done < size; ) {
      const from = this.load(at + done);
      const part = this.piece.subarray(from, from + size - done);
      found.set(part, done);
      done += part.length;
    }
    return found;
  }

  skip(size: number): void {
    this.check(size);
    this.at += size;
  }

  /** UTF-8 that ends with a NUL. */
  text(): string {
    const found = this.textBytes(true);
    return decodeBytes(found);
  }

  skipText(): void {
    this.textBytes(false);
  }

  private textBytes(isWanted: boolean): Uint8Array {
    const begin = this.at;
    const parts: Uint8Array[] = [];
    for (;;) {
      const { at } = this;
      if (at >= this.length || at - begin > maxText)
        throw new FormatError(`${this.what}: the text at ${begin} has no end`);
      const place = this.next(1);
      const { piece } = this;
      const end = piece.indexOf(0, place);
      // What a piece has in common with the next one is read again there.
      const stop = end < 0 ? piece.length : end;
      if (end >= 0 && this.start + end >= this.length)
        throw new FormatError(`${this.what}: the text at ${begin} has no end`);
      this.at = this.start + stop;
      if (isWanted) parts.push(piece.subarray(place, stop));
      if (end < 0) continue;
      this.at++;
      const [first = nothing] = parts;
      return parts.length < 2 ? first : Buffer.concat(parts);
    }
  }
}

const nothing = new Uint8Array(0);
const noView = new DataView(nothing.buffer);
