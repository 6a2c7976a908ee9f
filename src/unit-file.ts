// The binary form of a Unit. Layout, all numbers little-endian:
//
//   0  8 bytes  7f 42 54 55 0d 0a 1a 0a: not text, and damaged by what changes line ends
//   8  u32      version of the form
//   12 u32      CRC-32 (IEEE 802.3) of the rest
//   16          {@link StoredUnit} as base/plain-data.ts writes it

import { FormatError } from "./base/errors.js";
import { decodePlain, encodePlain } from "./base/plain-data.js";
import { crc32 } from "./formats/crc.js";
import type { Unit } from "./unit.js";

/** The kernel that a Unit was compiled for: what uname(2) says of it, and its processor. */
export interface UnitKernel {
  readonly release: string;
  readonly version: string;
  readonly arch: string;
}

export interface StoredUnit {
  /** Version of beetrace that has compiled it. */
  readonly beetrace: string;
  readonly kernel: UnitKernel;
  readonly unit: Unit;
}

const magic = Uint8Array.of(0x7f, 0x42, 0x54, 0x55, 0x0d, 0x0a, 0x1a, 0x0a);
const headerSize = 16;

/** Raised whenever a Unit or one of its parts changes. */
const version = 1;

/** Whether bytes begin as a stored Unit does. */
export const isStoredUnit = (bytes: Uint8Array): boolean => magic.every((byte, i) => bytes[i] === byte);

export function storeUnit(stored: StoredUnit): Uint8Array {
  const payload = encodePlain(stored);
  const bytes = new Uint8Array(headerSize + payload.length);
  bytes.set(magic);
  bytes.set(payload, headerSize);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, crc32(payload), true);
  return bytes;
}

/** What {@link storeUnit} was given; `what` is how messages call the file. Throws FormatError for any other bytes. */
export function readUnit(bytes: Uint8Array, what: string): StoredUnit {
  if (!isStoredUnit(bytes)) throw new FormatError(`${what} is no compiled script`, buildAgain);
  if (bytes.length < headerSize) throw new FormatError(`${what} ends in its header`, buildAgain);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(8, true);
  if (found !== version) {
    const other = found > version ? "a newer" : "an older";
    throw new FormatError(
      `${what} was compiled by ${other} beetrace: its form is ${found}, this one knows ${version}`,
      buildAgain,
    );
  }
  const payload = bytes.subarray(headerSize);
  if (crc32(payload) !== view.getUint32(12, true))
    throw new FormatError(`${what} is damaged: its check sum is another`, buildAgain);
  // Who makes a check sum by hand can write a script as well.
  return decodePlain(payload) as StoredUnit;
}

const buildAgain = { hint: "beetrace build SCRIPT makes one" };
