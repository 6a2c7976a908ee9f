import { FormatError } from "../base/errors.js";
import type { ByteSource } from "./byte-source.js";

/** Consecutive bytes of a section, from `start`. */
export interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A section that is in memory, or is read page by page. */
export interface SectionBytes {
  readonly length: number;
  /** A piece with the byte at `at` and, unless the section ends before, {@link pieceOverlap} more. */
  piece(at: number): Piece;
}

/** No number in a section has more bytes. */
export const pieceOverlap = 16;

const pieceOf = (start: number, bytes: Uint8Array): Piece => ({
  start,
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
});

export function wholeSection(bytes: Uint8Array): SectionBytes {
  const whole = pieceOf(0, bytes);
  return { length: bytes.length, piece: () => whole };
}

/** A part of a section, of those that are in one file for many units. */
export function partOf(section: SectionBytes, offset: number, length: number, what: string): SectionBytes {
  if (!(offset >= 0 && length >= 0 && offset + length <= section.length))
    throw new FormatError(`${what}: ${length} bytes at offset ${offset} lie outside its ${section.length} bytes`);
  return {
    length,
    piece(at) {
      const { start, bytes, view } = section.piece(at + offset);
      return { start: start - offset, bytes, view };
    },
  };
}

const pageSize = 32 << 10;
const defaultBytes = 8 << 20;
const recentPages = 32;

/**
 * Pages of sections of all files that debugging information is read from. What was not used for the longest time, about, makes room;
 * a page that somebody still reads stays as it is.
 */
export class SectionPages {
  private readonly most: number;
  private readonly pages = new Map<number, Piece>();
  /** The pages that were asked for last, by a few bits of their keys: most are asked for many times in a row. */
  private readonly recent: (Piece | undefined)[] = new Array<undefined>(recentPages).fill(undefined);
  private readonly recentKeys = new Float64Array(recentPages).fill(-1);
  private sections = 0;

  constructor(bytes = defaultBytes) {
    this.most = Math.max(1, Math.floor(bytes / pageSize));
  }

  section(source: ByteSource, offset: number, length: number, what: string): SectionBytes {
    if (!(offset >= 0 && length >= 0 && offset + length <= source.size))
      throw new FormatError(`${what}: ${length} bytes at offset ${offset} lie outside its ${source.size} bytes`);
    // Sections of less than 2^31 pages, which is more than there is.
    const section = this.sections++;
    return {
      length,
      piece: (at) => {
        const number = Math.floor(at / pageSize);
        const key = section * 2 ** 31 + number;
        const place = (number + 7 * section) % recentPages;
        const last = this.recent[place];
        if (last !== undefined && this.recentKeys[place] === key) return last;
        let page = this.pages.get(key);
        if (page === undefined) {
          const start = number * pageSize;
          page = pieceOf(start, source.read(offset + start, Math.min(pageSize + pieceOverlap, length - start)));
          const [oldest = key] = this.pages.keys();
          if (this.pages.size >= this.most) this.pages.delete(oldest);
        } else this.pages.delete(key);
        this.pages.set(key, page);
        this.recent[place] = page;
        this.recentKeys[place] = key;
        return page;
      },
    };
  }
}
