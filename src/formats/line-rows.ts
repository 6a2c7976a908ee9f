import { FormatError } from "../base/errors.js";
import { countUpTo } from "../base/ordered.js";
import type { LineTable } from "./dwarf-line.js";

/** A run of rows without gaps: a row is about the addresses up to that of the next one, the last one up to `end`. */
interface Sequence {
  readonly start: number;
  readonly end: number;
  /** The first of its rows that are kept, and how many there are. */
  readonly first: number;
  readonly count: number;
}

/** Of so many rows one is kept; those behind it are read again when they are asked for. */
const rowsApart = 32;
/** No unit has more; a damaged one might say so. */
const maxRows = 1 << 26;
const maxKept = 1 << 21;
/** Bytes in memory, about. */
const sequenceBytes = 64;
const rowBytes = 24;

/** A line table by addresses, about a byte for each of its rows. */
export class LineRows {
  private readonly table: LineTable;
  private readonly sequences: readonly Sequence[];
  private readonly addresses: Float64Array;
  private readonly files: Uint32Array;
  private readonly lines: Uint32Array;
  /** Where the instructions behind a row are. */
  private readonly nexts: Float64Array;

  constructor(table: LineTable) {
    this.table = table;
    const [addresses, files, lines, nexts]: [number[], number[], number[], number[]] = [[], [], [], []];
    const sequences: Sequence[] = [];
    let [first, inSequence, all, start, last] = [0, 0, 0, 0, 0];
    let isOrdered = true;
    for (const { address, file, line, next, endsSequence } of table.rows()) {
      // Addresses of a sequence only go up (DWARF 5, 6.2.5): what is damaged is left out.
      if (inSequence > 0 && address < last) isOrdered = false;
      last = address;
      if (!endsSequence) {
        if (inSequence === 0) start = address;
        if (inSequence++ % rowsApart === 0) {
          addresses.push(address);
          files.push(file);
          lines.push(line);
          nexts.push(next);
        }
        if (++all > maxRows || nexts.length > maxKept) throw new FormatError(`a line table of more than ${all} rows`);
        continue;
      }
      // 0: the linker has dropped the code.
      if (inSequence > 0 && start !== 0 && isOrdered) {
        sequences.push({ start, end: address, first, count: nexts.length - first });
        first = nexts.length;
      } else for (const column of [addresses, files, lines, nexts]) column.length = first;
      inSequence = 0;
      isOrdered = true;
    }
    this.sequences = sequences.sort((a, b) => a.start - b.start);
    this.addresses = Float64Array.from(addresses);
    this.files = Uint32Array.from(files);
    this.lines = Uint32Array.from(lines);
    this.nexts = Float64Array.from(nexts);
  }

  get memory(): number {
    return rowBytes * this.nexts.length + sequenceBytes * this.sequences.length;
  }

  at(address: number): { readonly file: number; readonly line: number } | undefined {
    const { sequences, addresses } = this;
    const found = sequences[countUpTo(sequences.length, (i) => (sequences[i]?.start ?? 0) <= address) - 1];
    if (found === undefined || address >= found.end) return undefined;
    const { first, count } = found;
    const row = first + countUpTo(count, (i) => (addresses[first + i] as number) <= address) - 1;
    let [file, line] = [this.files[row] ?? 0, this.lines[row] ?? 0];
    const behind = { address: addresses[row] ?? 0, file, line, next: this.nexts[row] ?? 0 };
    for (const later of this.table.rows(behind)) {
      if (later.endsSequence || later.address > address) break;
      [file, line] = [later.file, later.line];
    }
    return { file, line };
  }
}
