import { decodeBytes } from "../base/byte-text.js";
import { ByteReader } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import type { ByteSource } from "./byte-source.js";

/** Where the bytes of a file are that an archive holds uncompressed. */
export interface ZipEntry {
  readonly offset: number;
  readonly size: number;
}

const END_SIGNATURE = 0x06054b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const STORED = 0;

/**
 * Finds a file in a ZIP archive (APPNOTE.TXT 6.3, 4.3). Programs can be mapped, and probed, only if it is stored as it is.
 * Throws FormatError.
 */
export function findInZip(source: ByteSource, name: string, what: string): ZipEntry {
  const end = endRecord(source, what);
  const directory = new ByteReader(source.read(end.u32(16), end.u32(12)), `${what}: directory`);
  let at = 0;
  for (let left = end.u16(10); left > 0; left--) {
    if (directory.u32(at) !== CENTRAL_SIGNATURE) throw new FormatError(`${what}: its directory is damaged`);
    const nameLength = directory.u16(at + 28);
    const entryName = decodeBytes(directory.slice(at + 46, nameLength));
    if (entryName === name) {
      if (directory.u16(at + 10) !== STORED)
        throw new FormatError(`${what}: ${name} is compressed, so that nobody can run it from there`);
      return { offset: dataOffset(source, directory.u32(at + 42), what), size: directory.u32(at + 24) };
    }
    at += 46 + nameLength + directory.u16(at + 30) + directory.u16(at + 32);
  }
  throw new FormatError(`${what}: has no file '${name}'`);
}

/** The record at the end, behind which there may be a comment of up to 65,535 bytes. */
function endRecord(source: ByteSource, what: string): ByteReader {
  const length = Math.min(source.size, 22 + 0xffff);
  const tail = new ByteReader(source.read(source.size - length, length), what);
  for (let at = length - 22; at >= 0; at--) {
    if (tail.u32(at) === END_SIGNATURE) return new ByteReader(tail.slice(at, 22), what);
  }
  throw new FormatError(`${what}: is no ZIP archive`);
}

/** The local header's name and extra field have lengths of their own. */
function dataOffset(source: ByteSource, at: number, what: string): number {
  const header = new ByteReader(source.read(at, 30), what);
  if (header.u32(0) !== LOCAL_SIGNATURE) throw new FormatError(`${what}: its directory points at no file`);
  return at + 30 + header.u16(26) + header.u16(28);
}
