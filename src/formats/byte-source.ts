import { FormatError } from "../base/errors.js";

/** Bytes that are read piece by piece: of a 100 MB program only its headers and symbol tables are wanted. */
export interface ByteSource {
  readonly size: number;
  /** Exactly `length` bytes; outside the source it is a FormatError. */
  read(offset: number, length: number): Uint8Array;
  /** The same into memory that is there already, where that saves something. */
  readInto?(offset: number, target: Uint8Array): void;
}

/** A source of bytes that are in memory already; `what` names them in messages. */
export function bytesSource(bytes: Uint8Array, what: string): ByteSource {
  return {
    size: bytes.length,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
        throw new FormatError(`${what}: ${length} bytes at offset ${offset} lie outside its ${bytes.length} bytes`);
      }
      return bytes.subarray(offset, offset + length);
    },
  };
}
