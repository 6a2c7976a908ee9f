import { FormatError } from "../base/errors.js";
import { type CallFrameState, type InstructionContext, ruleOf, runCallFrame, unknownState } from "./call-frame.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import { cfaKinds } from "./unwind-rule.js";

/** A file's rules of unwinding, in the order of their addresses. */
export interface UnwindTable {
  /** Address, as the file has it, of the first row. */
  readonly start: number;
  /** Pairs: bytes from `start`, and the rule (unwind-rule.ts) from there to the next row's. The last one is `none`. */
  readonly rows: Uint32Array;
}

/** Pointer encodings of the Linux Standard Base, DWARF Extensions; the low four bits are the format. */
const DW_EH_PE = { omit: 0xff, pcrel: 0x10, relations: 0x70, indirect: 0x80 } as const;

/** Code that one table covers: rows count from its start in 32 bits. */
const mostCode = 2 ** 32 - 1;

interface Cie extends InstructionContext {
  readonly encoding: number;
  readonly hasAugmentation: boolean;
}

/** Functions with rules: address, size, and the place and end of their instructions, and which CIE they belong to. */
interface Fde {
  readonly start: number;
  readonly size: number;
  readonly at: number;
  readonly end: number;
  readonly cie: Cie;
}

/**
 * Parses a section `.eh_frame` (LSB Core 5.0, 10.6.1) that is loaded at `address` into one table. Where functions overlap
 * the one that begins first counts; between functions nothing is known.
 */
export function parseEhFrame(bytes: Uint8Array, address: number, what: string): UnwindTable {
  const functions = readEntries(bytes, address, what);
  functions.sort((a, b) => a.start - b.start);
  const start = functions[0]?.start ?? 0;
  const rows = new Rows(start, what);
  let covered = start;
  for (const fde of functions) {
    const end = fde.start + fde.size;
    if (end <= covered) continue;
    if (fde.start > covered) rows.add(covered, cfaKinds.none);
    let from = fde.start;
    const add = (until: number, state: CallFrameState): void => {
      const [first, last] = [Math.max(from, covered), Math.min(until, end)];
      if (first < last) rows.add(first, ruleOf(state));
      from = until;
    };
    const state = runCallFrame(new DwarfCursor(bytes, what, fde.at), fde.end, fde.start, fde.cie, add);
    add(end, state);
    covered = end;
  }
  rows.add(covered, cfaKinds.none);
  return { start, rows: rows.finish() };
}

/** The rule for an address of the file; that of `none` if the table has nothing of it. */
export function ruleAt({ start, rows }: UnwindTable, address: number): number {
  const wanted = address - start;
  let from = 0;
  let to = rows.length / 2;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((rows[2 * middle] ?? 0) <= wanted) from = middle + 1;
    else to = middle;
  }
  return from === 0 ? cfaKinds.none : (rows[2 * from - 1] ?? cfaKinds.none);
}

/** Rows that grow; one that says what the one before says is left out. */
class Rows {
  private readonly start: number;
  private readonly what: string;
  private rows = new Uint32Array(1024);
  private length = 0;

  constructor(start: number, what: string) {
    this.start = start;
    this.what = what;
  }

  add(pc: number, rule: number): void {
    if (this.length > 0 && this.rows[this.length - 1] === rule) return;
    if (pc - this.start > mostCode) throw new FormatError(`${this.what}: it has code in more than 4 GiB`);
    if (this.length + 2 > this.rows.length) {
      const grown = new Uint32Array(2 * this.rows.length);
      grown.set(this.rows);
      this.rows = grown;
    }
    this.rows[this.length++] = pc - this.start;
    this.rows[this.length++] = rule;
  }

  finish(): Uint32Array {
    return this.rows.slice(0, this.length);
  }
}

function readEntries(bytes: Uint8Array, address: number, what: string): Fde[] {
  const cursor = new DwarfCursor(bytes, what);
  const cies = new Map<number, Cie>();
  const functions: Fde[] = [];
  while (cursor.at + 4 <= bytes.length) {
    let size = cursor.u32();
    // A terminator; linkers leave them in the middle, too, where they put sections together.
    if (size === 0) continue;
    if (size === 0xffffffff) size = cursor.offset(8);
    const at = cursor.at;
    const end = at + size;
    if (end > bytes.length) throw new FormatError(`${what}: an entry at ${at} is longer than its section`);
    const distance = cursor.u32();
    if (distance !== 0) {
      const cie = cieAt(bytes, address, what, at - distance, cies);
      const start = readPointer(cursor, cie.encoding, address);
      // The size has the format of the address, and is relative to nothing.
      const codeSize = readPointer(cursor, cie.encoding & 0x0f, address);
      if (cie.hasAugmentation) cursor.skip(cursor.uleb());
      if (codeSize > 0) functions.push({ start, size: codeSize, at: cursor.at, end, cie });
    }
    cursor.at = end;
  }
  return functions;
}

/** The CIE that begins at `start`. */
function cieAt(bytes: Uint8Array, address: number, what: string, start: number, known: Map<number, Cie>): Cie {
  const found = known.get(start);
  if (found !== undefined) return found;
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
  const cie = { ...context, initial, encoding, hasAugmentation };
  known.set(start, cie);
  return cie;
}

/** An address, of memory as the file has it. */
function readPointer(cursor: DwarfCursor, encoding: number, address: number): number {
  if (encoding === DW_EH_PE.omit) return 0;
  const place = address + cursor.at;
  const value = readNumber(cursor, encoding & 0x0f);
  const relation = encoding & DW_EH_PE.relations;
  if ((encoding & DW_EH_PE.indirect) !== 0 || (relation !== 0 && relation !== DW_EH_PE.pcrel))
    throw new FormatError(`${cursor.reader.what}: the pointer encoding ${encoding} is unknown`);
  const result = relation === 0 ? value : value + place;
  if (!Number.isSafeInteger(result) || result < 0)
    throw new FormatError(`${cursor.reader.what}: an entry at ${cursor.at} is about no possible address`);
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
      throw new FormatError(`${cursor.reader.what}: the pointer format ${format} is unknown`);
  }
}
