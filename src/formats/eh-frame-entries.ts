// The entries of a section .eh_frame (LSB Core 5.0, 10.6.1): functions, and what they have in common.

import { FormatError } from "../base/errors.js";
import { type CallFrameState, type InstructionContext, runCallFrame, unknownState } from "./call-frame.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import type { SectionBytes } from "./section-bytes.js";

/** Pointer encodings of the Linux Standard Base, DWARF Extensions; the low four bits are the format. */
const DW_EH_PE = { omit: 0xff, pcrel: 0x10, relations: 0x70, indirect: 0x80 } as const;

interface Cie extends InstructionContext {
  readonly encoding: number;
  readonly hasAugmentation: boolean;
}

/** A function with rules: address, size, and the place and end of their instructions. */
export interface Fde {
  readonly start: number;
  readonly size: number;
  readonly at: number;
  readonly end: number;
  readonly cie: Cie;
}

/** Where an entry is, behind its length, and where it ends. */
export interface EntryPlace {
  readonly at: number;
  readonly end: number;
}

/** A section that is loaded at `address`. */
export class EhFrame {
  private readonly bytes: Uint8Array | SectionBytes;
  private readonly address: number;
  private readonly what: string;
  private readonly cies = new Map<number, Cie>();
  /** For all entries, one after the other: a cursor each would be most of what a large section takes. */
  private readonly cursor: DwarfCursor;

  constructor(bytes: Uint8Array | SectionBytes, address: number, what: string) {
    this.bytes = bytes;
    this.address = address;
    this.what = what;
    this.cursor = new DwarfCursor(bytes, what);
  }

  /** Entries about functions. */
  places(): readonly EntryPlace[] {
    const { bytes, what } = this;
    const cursor = new DwarfCursor(bytes, what);
    const places: EntryPlace[] = [];
    while (cursor.at + 4 <= bytes.length) {
      let size = cursor.u32();
      // A terminator; linkers leave them in the middle, too, where they put sections together.
      if (size === 0) continue;
      if (size === 0xffffffff) size = cursor.offset(8);
      const at = cursor.at;
      const end = at + size;
      if (end > bytes.length) throw new FormatError(`${what}: an entry at ${at} is longer than its section`);
      if (cursor.u32() !== 0) places.push({ at, end });
      cursor.at = end;
    }
    return places;
  }

  /** What an entry says; undefined if it is about no code. */
  read({ at, end }: EntryPlace): Fde | undefined {
    const { cursor } = this;
    cursor.at = at;
    const cie = this.cieAt(at - cursor.u32());
    const start = readPointer(cursor, cie.encoding, this.address);
    // The size has the format of the address, and is relative to nothing.
    const size = readPointer(cursor, cie.encoding & 0x0f, this.address);
    if (cie.hasAugmentation) cursor.skip(cursor.uleb());
    return size > 0 ? { start, size, at: cursor.at, end, cie } : undefined;
  }

  /** The entry that begins at `start`, with its length; undefined if it is about no code. */
  at(start: number): Fde | undefined {
    const { cursor } = this;
    cursor.at = start;
    const size = cursor.u32();
    const length = size === 0xffffffff ? cursor.offset(8) : size;
    const place = { at: cursor.at, end: cursor.at + length };
    return place.end > this.bytes.length ? undefined : this.read(place);
  }

  /** Runs the instructions of a function; see runCallFrame(). */
  run(fde: Fde, row: (until: number, state: CallFrameState) => void): CallFrameState {
    const { cursor } = this;
    cursor.at = fde.at;
    return runCallFrame(cursor, fde.end, fde.start, fde.cie, row);
  }

  private cieAt(start: number): Cie {
    const known = this.cies.get(start);
    if (known !== undefined) return known;
    const cie = readCie(this.bytes, this.address, this.what, start);
    this.cies.set(start, cie);
    return cie;
  }
}

/** The CIE that begins at `start`. */
function readCie(bytes: Uint8Array | SectionBytes, address: number, what: string, start: number): Cie {
  const short = new DwarfCursor(bytes, what, start);
  const size = short.u32();
  const cursor = size === 0xffffffff ? new DwarfCursor(bytes, what, start + 4) : short;
  const end = size === 0xffffffff ? cursor.offset(8) + cursor.at : cursor.at + size;
  if (cursor.u32() !== 0) throw new FormatError(`${what}: an entry refers to ${start}, where no CIE is`);
  const version = cursor.u8();
  if (version !== 1 && version !== 3) throw new FormatError(`${what}: a CIE has the unknown version ${version}`);
  const augmentation = cursor.text();
  const codeAlign = cursor.uleb();
  const dataAlign = Number(cursor.sleb());
  if (version === 1) cursor.u8();
  else cursor.uleb();
  let encoding = 0;
  const hasAugmentation = augmentation.startsWith("z");
  if (hasAugmentation) {
    const behind = cursor.uleb() + cursor.at;
    for (const letter of augmentation.slice(1)) {
      if (letter === "R") encoding = cursor.u8();
      else if (letter === "L") cursor.u8();
      else if (letter === "P") readPointer(cursor, cursor.u8() & ~DW_EH_PE.indirect, address);
      // "S" is a signal frame, "B" of signed return addresses: both without data. Of others nothing is known.
      else if (letter !== "S" && letter !== "B") break;
    }
    cursor.at = behind;
  } else if (augmentation !== "") throw new FormatError(`${what}: a CIE has the unknown augmentation ${augmentation}`);
  if (end > bytes.length) throw new FormatError(`${what}: the CIE at ${start} is longer than its section`);
  const read = (at: DwarfCursor): number => readPointer(at, encoding, address);
  const context = { codeAlign, dataAlign, initial: unknownState, address: read };
  const initial = runCallFrame(cursor, end, 0, context, () => undefined);
  return { ...context, initial, encoding, hasAugmentation };
}

/** An address, of memory as the file has it. */
function readPointer(cursor: DwarfCursor, encoding: number, address: number): number {
  if (encoding === DW_EH_PE.omit) return 0;
  const place = address + cursor.at;
  const value = readNumber(cursor, encoding & 0x0f);
  const relation = encoding & DW_EH_PE.relations;
  if ((encoding & DW_EH_PE.indirect) !== 0 || (relation !== 0 && relation !== DW_EH_PE.pcrel))
    throw new FormatError(`${cursor.what}: the pointer encoding ${encoding} is unknown`);
  const result = relation === 0 ? value : value + place;
  if (!Number.isSafeInteger(result) || result < 0)
    throw new FormatError(`${cursor.what}: an entry at ${cursor.at} is about no possible address`);
  return result;
}

function readNumber(cursor: DwarfCursor, format: number): number {
  switch (format) {
    case 0x00: // absptr
    case 0x04: // udata8
    case 0x0c: // sdata8
      return Number(BigInt.asIntN(64, cursor.u64()));
    case 0x01:
      return cursor.uleb();
    case 0x02:
      return cursor.u16();
    case 0x03:
      return cursor.u32();
    case 0x09:
      return Number(cursor.sleb());
    case 0x0a:
      return (cursor.u16() << 16) >> 16;
    case 0x0b:
      return cursor.u32() | 0;
    default:
      throw new FormatError(`${cursor.what}: the pointer format ${format} is unknown`);
  }
}
