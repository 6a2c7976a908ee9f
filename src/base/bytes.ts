import { decodeBytes } from "./byte-text.js";
import { FormatError } from "./errors.js";

/** Bounds-checked reads of foreign bytes: past the end is a {@link FormatError}, never a RangeError or garbage. */
export class ByteReader {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly what: string;
  readonly littleEndian: boolean;

  constructor(bytes: Uint8Array, what: string, littleEndian = true) {
    this.bytes = bytes;
    this.what = what;
    this.littleEndian = littleEndian;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  private check(offset: number, size: number): void {
    if (!(offset >= 0 && size >= 0 && offset + size <= this.bytes.length)) {
      throw new FormatError(
        `${this.what}: ${size} bytes at offset ${offset} lie outside its ${this.bytes.length} bytes`,
      );
    }
  }

  u8(offset: number): number {
    this.check(offset, 1);
    return this.view.getUint8(offset);
  }

  u16(offset: number): number {
    this.check(offset, 2);
    return this.view.getUint16(offset, this.littleEndian);
  }

  u32(offset: number): number {
    this.check(offset, 4);
    return this.view.getUint32(offset, this.littleEndian);
  }

  i32(offset: number): number {
    this.check(offset, 4);
    return this.view.getInt32(offset, this.littleEndian);
  }

  u64(offset: number): bigint {
    this.check(offset, 8);
    return this.view.getBigUint64(offset, this.littleEndian);
  }

  /** A 64-bit count or file offset as a number; beyond 2^53 is a FormatError. */
  size64(offset: number): number {
    const value = this.u64(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new FormatError(`${this.what}: ${value} is no possible size`);
    return Number(value);
  }

  slice(offset: number, size: number): Uint8Array {
    this.check(offset, size);
    return this.bytes.subarray(offset, offset + size);
  }

  /** The NUL-terminated UTF-8 text at `offset`; a missing NUL is a FormatError. */
  cString(offset: number): string {
    this.check(offset, 0);
    const end = this.bytes.indexOf(0, offset);
    if (end < 0) throw new FormatError(`${this.what}: the string at offset ${offset} has no end`);
    return decodeBytes(this.bytes.subarray(offset, end));
  }
}
