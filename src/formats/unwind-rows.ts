// The unwinding table of a file by places in the file, which are the same wherever and in how many pieces it is mapped.

import { FormatError } from "../base/errors.js";
import { countUpTo } from "../base/ordered.js";
import { finished, parsingEhFrame, type Steps, type UnwindTable } from "./eh-frame.js";
import { type Elf, type ElfSegment, EM_X86_64 } from "./elf.js";
import { cfaKinds, encodeRule } from "./unwind-rule.js";

const PT_LOAD = 1;
const SHT_PROGBITS = 1;
const PF_X = 1;

/** Bytes of `.eh_frame` that are read; that of Chromium has some 20 MiB. */
export const mostEhFrame: number = 256 << 20;

/** Bytes of code at an entry point without a rule. */
export const mostEntry = 256;

/**
 * Pairs of a place in the file and the rule from there to the next pair's, in order; none if the file has no `.eh_frame`.
 * Where segments end, and in front of them, nothing is known.
 */
export const unwindRows = (elf: Elf): Uint32Array => finished(makingUnwindRows(elf));

/** {@link unwindRows} step by step. */
export function* makingUnwindRows(elf: Elf): Steps<Uint32Array> {
  const section = elf.section(".eh_frame");
  if (section === undefined || section.size === 0) return new Uint32Array(0);
  if (section.size > mostEhFrame) throw new FormatError(`${elf.what}: its .eh_frame has ${section.size} bytes`);
  const table = yield* parsingEhFrame(elf.data(section), Number(section.address), `${elf.what}: .eh_frame`);
  const code = elf.segments.filter((segment) => segment.type === PT_LOAD && (segment.flags & PF_X) !== 0);
  yield;
  const parts = [...code].sort((a, b) => a.offset - b.offset).map((segment) => rowsWithin(table, segment));
  const [only] = parts;
  const rows = only !== undefined && parts.length === 1 ? only : joined(parts);
  for (let i = 2; i < rows.length; i += 2)
    if ((rows[i] ?? 0) < (rows[i - 2] ?? 0)) throw new FormatError(`${elf.what}: its executable segments overlap`);
  const entry = elf.fileOffset(elf.entry);
  const all = entry === undefined ? rows : withEntry(rows, entry);
  return sectionsWithoutRules(elf).reduce(withPiece, all);
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const rows = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    rows.set(part, at);
    at += part.length;
  }
  return rows;
}

/**
 * Where a file begins to run there is no caller. The dynamic linker of glibc has no rule for that piece of assembly
 * (RTLD_START), which lies between functions that have.
 */
function withEntry(rows: Uint32Array, entry: number): Uint32Array {
  let next = 0;
  while (next < rows.length && (rows[next] ?? 0) <= entry) next += 2;
  const isKnown = next > 0 && rows[next - 1] !== cfaKinds.none;
  if (isKnown || next === rows.length) return rows;
  const end = Math.min(rows[next] ?? 0, entry + mostEntry);
  const inserted = [entry, cfaKinds.outermost, ...(end === rows[next] ? [] : [end, cfaKinds.none])];
  const all = new Uint32Array(rows.length + inserted.length);
  all.set(rows.subarray(0, next));
  all.set(inserted, next);
  all.set(rows.subarray(next), next + inserted.length);
  return all;
}

/** A piece of code of a file: pairs as in a table, the last one of what is behind it. */
export type CodePiece = Uint32Array;

/** `sub $8,%rsp`; `add $8,%rsp; ret`; `endbr64` (Intel's manual, volume 2). */
const opens = [0x48, 0x83, 0xec, 0x08] as const;
const closes = [0x48, 0x83, 0xc4, 0x08, 0xc3] as const;
const marks = [0xf3, 0x0f, 0x1e, 0xfa] as const;

/** Of what crti.o of glibc has; others put calls between the two. */
const mostPiece = 4096;

/**
 * `.init` and `.fini` are put together from pieces of assembly that have no rules (sysdeps/x86_64/crti.S and crtn.S of glibc),
 * but are called when each library begins and ends. Their instructions say what they do.
 */
export function sectionsWithoutRules(elf: Elf): readonly CodePiece[] {
  if (elf.machine !== EM_X86_64) return [];
  return [".init", ".fini"].flatMap((name) => {
    const section = elf.section(name);
    if (section === undefined || section.size > mostPiece || section.type !== SHT_PROGBITS) return [];
    const bytes = elf.data(section);
    const marked = marks.every((byte, i) => bytes[i] === byte) ? marks.length : 0;
    const end = bytes.length - closes.length;
    const fits =
      marked + opens.length <= end &&
      opens.every((byte, i) => bytes[marked + i] === byte) &&
      closes.every((byte, i) => bytes[end + i] === byte);
    if (!fits) return [];
    const { offset } = section;
    const [outside, inside] = [1, 2].map((words) => encodeRule(cfaKinds.stackPointer, words, { kind: "same" }));
    const [from, to, behind] = [marked + opens.length, bytes.length - 1, bytes.length].map((at) => offset + at);
    return [Uint32Array.of(offset, outside ?? 0, from ?? 0, inside ?? 0, to ?? 0, outside ?? 0, behind ?? 0, 0)];
  });
}

/** Puts a piece in where nothing is known. */
function withPiece(rows: Uint32Array, piece: CodePiece): Uint32Array {
  const [start = 0, end = 0] = [piece[0], piece[piece.length - 2]];
  const next = 2 * countUpTo(rows.length / 2, (i) => (rows[2 * i] ?? 0) < start);
  // Nothing is known of what begins where the piece does, or of what is in front of it.
  const isEnd = rows[next] === start;
  const isKnown = isEnd ? rows[next + 1] !== cfaKinds.none : next > 0 && rows[next - 1] !== cfaKinds.none;
  const rest = rows.subarray(isEnd ? next + 2 : next);
  const follows = rest[0] ?? Number.POSITIVE_INFINITY;
  if (isKnown || follows < end) return rows;
  const inserted = follows === end ? piece.subarray(0, -2) : piece;
  const all = new Uint32Array(next + inserted.length + rest.length);
  all.set(rows.subarray(0, next));
  all.set(inserted, next);
  all.set(rest, next + inserted.length);
  return all;
}

function rowsWithin({ start, rows }: UnwindTable, segment: ElfSegment): Uint32Array {
  const from = Number(segment.address);
  const to = from + segment.fileSize;
  if (segment.offset + segment.fileSize >= 2 ** 32) return new Uint32Array(0);
  let before: number = cfaKinds.none;
  let i = 0;
  for (; i < rows.length && start + (rows[i] ?? 0) <= from; i += 2) before = rows[i + 1] ?? 0;
  const found = new Uint32Array(rows.length - i + 4);
  let length = 0;
  const add = (place: number, rule: number): void => {
    found[length++] = place;
    found[length++] = rule;
  };
  if (before !== cfaKinds.none) add(segment.offset, before);
  for (; i < rows.length && start + (rows[i] ?? 0) < to; i += 2)
    add(start + (rows[i] ?? 0) - from + segment.offset, rows[i + 1] ?? 0);
  if (length > 0) add(segment.offset + segment.fileSize, cfaKinds.none);
  return found.subarray(0, length);
}
