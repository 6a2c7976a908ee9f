import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import { crc32, crc64 } from "./crc.js";
import { Lzma2 } from "./lzma2.js";

/** `FD 7zXZ 00`; and at the end of a stream `YZ`. */
const magic = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const footerMagic = 0x5a59;
const filterLzma2 = 0x21;
/** Bytes of a check by its kind: 0 none, 1 CRC-32, 4 CRC-64, 10 SHA-256. */
const checkSizes = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/**
 * Unpacks an .xz file in memory (The .xz File Format 1.1.0, tukaani.org): streams of blocks that only LZMA2 was used for,
 * which is what xz(1) makes unless it is told otherwise. Checks by CRC-32 and CRC-64 are verified; of others, and of the
 * index, only the size. More than `maxSize` bytes are a FormatError, as is everything else that is wrong.
 */
export function unpackXz(bytes: Uint8Array, what: string, maxSize: number): Uint8Array {
  const reader = new ByteReader(bytes, what);
  const lzma = new Lzma2(what, maxSize);
  let at = 0;
  do {
    at = readStream(reader, at, lzma);
    // Streams stand behind each other, with zeros between them.
    while (at + 4 <= bytes.length && reader.u32(at) === 0) at += 4;
  } while (at < bytes.length);
  return lzma.output;
}

function readStream(reader: ByteReader, start: number, lzma: Lzma2): number {
  const { what } = reader;
  const head = reader.slice(start, 12);
  const kind = (head[7] ?? 0) & 15;
  if (magic.some((byte, i) => head[i] !== byte)) throw new FormatError(`${what}: is no xz file`);
  if (head[6] !== 0 || (head[7] ?? 0) > 15) throw new FormatError(`${what}: is an xz file of an unknown version`);
  if (reader.u32(start + 8) !== crc32(head.subarray(6, 8))) throw wrongCheck(what, "its beginning");
  let at = start + 12;
  while (reader.u8(at) !== 0) at = readBlock(reader, at, kind, lzma);
  at = skipIndex(reader, at);
  const footer = reader.slice(at, 12);
  if (reader.u16(at + 10) !== footerMagic || reader.u32(at) !== crc32(footer.subarray(4, 10)))
    throw wrongCheck(what, "its end");
  return at + 12;
}

function readBlock(reader: ByteReader, start: number, kind: number, lzma: Lzma2): number {
  const { what } = reader;
  const size = (reader.u8(start) + 1) * 4;
  const header = reader.slice(start, size);
  if (reader.u32(start + size - 4) !== crc32(header.subarray(0, size - 4))) throw wrongCheck(what, "a block's head");
  const flags = reader.u8(start + 1);
  const numbers = new Numbers(new ByteReader(header.subarray(0, size - 4), what), 2);
  const packed = (flags & 0x40) === 0 ? undefined : numbers.next();
  const unpacked = (flags & 0x80) === 0 ? undefined : numbers.next();
  const filter = numbers.next();
  if ((flags & 0x3f) !== 0 || filter !== filterLzma2)
    throw new FormatError(`${what}: a block is packed in another way than by LZMA2 alone`);
  const before = lzma.output.length;
  lzma.begin();
  const end = lzma.unpack(reader.bytes, start + size);
  const data = lzma.output.subarray(before);
  if ((packed ?? end - start - size) !== end - start - size || (unpacked ?? data.length) !== data.length)
    throw new FormatError(`${what}: a block has another size than it says`);
  const checkAt = start + upTo4(end - start);
  const length = checkSizes[kind] ?? 0;
  reader.slice(checkAt, length);
  if (kind === 1 && reader.u32(checkAt) !== crc32(data)) throw wrongCheck(what, "a block");
  if (kind === 4 && reader.u64(checkAt) !== crc64(data)) throw wrongCheck(what, "a block");
  return checkAt + length;
}

/** Sizes of the blocks, which are known by then. */
function skipIndex(reader: ByteReader, start: number): number {
  const numbers = new Numbers(reader, start + 1);
  for (let left = 2 * numbers.next(); left > 0; left--) numbers.next();
  const end = start + upTo4(numbers.at - start);
  if (reader.u32(end) !== crc32(reader.slice(start, end - start))) throw wrongCheck(reader.what, "its index");
  return end + 4;
}

/** Numbers of seven bits a byte, the lowest first; up to 2^53. */
class Numbers {
  at: number;
  private readonly reader: ByteReader;

  constructor(reader: ByteReader, at: number) {
    this.reader = reader;
    this.at = at;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.reader.u8(this.at++);
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new FormatError(`${this.reader.what}: a number is too large`);
      if (byte < 128) return value;
      if (scale >= 2 ** 56) throw new FormatError(`${this.reader.what}: a number has no end`);
    }
  }
}

const upTo4 = (n: number): number => Math.ceil(n / 4) * 4;

const wrongCheck = (what: string, part: string): FormatError => new FormatError(`${what}: ${part} is damaged`);
