import { FormatError } from "../base/errors.js";

/** Bytes that are read piece by piece: of a 100 MB program only its headers and symbol tables are wanted. */
export interface ByteSource {
  readonly size: number;
  /** Exactly `length` bytes; outside the source it is a FormatError. */
  read(offset: number, length: number): Uint8Array;
  /** The same into memory that is there already, where that saves something. */
  readInto?(offset: number, target: Uint8Array): void;
}

/** What anybody reads at once: a damaged file, or one that is mostly a hole, must not fill the memory. */
const maxRead = 2 ** 30;

/** That a piece lies in a source; otherwise, or if it is far too large, FormatError. */
export function checkPiece(offset: number, length: number, size: number, what: string): void {
  if (!(offset >= 0 && length >= 0 && offset + length <= size))
    throw new FormatError(`${what}: ${length} bytes at offset ${offset} lie outside its ${size} bytes`);
  if (length > maxRead) throw new FormatError(`${what}: ${length} bytes at offset ${offset} are too many`);
}

/** A source of bytes that are in memory already; `what` names them in messages. */
export function bytesSource(bytes: Uint8Array, what: string): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      checkPiece(offset, length, bytes.length, what);
      return bytes.subarray(offset, offset + length);
    },
  };
}
