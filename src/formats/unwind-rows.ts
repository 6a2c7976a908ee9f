// The unwinding table of a file by places in the file, which are the same wherever and in how many pieces it is mapped.

import { FormatError } from "../base/errors.js";
import { parseEhFrame, type UnwindTable } from "./eh-frame.js";
import type { Elf, ElfSegment } from "./elf.js";
import { cfaKinds } from "./unwind-rule.js";

const PT_LOAD = 1;
const PF_X = 1;

/** Bytes of `.eh_frame` that are read; that of Chromium has some 20 MiB. */
export const mostEhFrame: number = 256 << 20;

/** Bytes of code at an entry point without a rule. */
export const mostEntry = 256;

/**
 * Pairs of a place in the file and the rule from there to the next pair's, in order; none if the file has no `.eh_frame`.
 * Where segments end, and in front of them, nothing is known.
 */
export function unwindRows(elf: Elf): Uint32Array {
  const section = elf.section(".eh_frame");
  if (section === undefined || section.size === 0) return new Uint32Array(0);
  if (section.size > mostEhFrame) throw new FormatError(`${elf.what}: its .eh_frame has ${section.size} bytes`);
  const table = parseEhFrame(elf.data(section), Number(section.address), `${elf.what}: .eh_frame`);
  const code = elf.segments.filter((segment) => segment.type === PT_LOAD && (segment.flags & PF_X) !== 0);
  const parts = [...code].sort((a, b) => a.offset - b.offset).map((segment) => rowsWithin(table, segment));
  const [only] = parts;
  const rows = only !== undefined && parts.length === 1 ? only : joined(parts);
  for (let i = 2; i < rows.length; i += 2)
    if ((rows[i] ?? 0) < (rows[i - 2] ?? 0)) throw new FormatError(`${elf.what}: its executable segments overlap`);
  const entry = elf.fileOffset(elf.entry);
  return entry === undefined ? rows : withEntry(rows, entry);
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
