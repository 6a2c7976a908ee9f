import { encodeBytes } from "../base/byte-text.js";

/**
 * Finds names in a block of bytes without making a string of each: a hash index over the places where names start.
 * Shared by BTF, ELF symbol tables and kallsyms, which hold 100,000 names and are asked for a few.
 */
export class NameIndex {
  private readonly bytes: Uint8Array;
  private readonly lastEnd: number;
  private readonly mask: number;
  /** Bucket -> entry + 1, 0 for none; then `next` likewise. Entries of a bucket are in ascending order. */
  private readonly heads: Uint32Array;
  private readonly next: Uint32Array;
  private readonly starts: ArrayLike<number>;

  /**
   * `starts[i]` is where the name of entry `i` begins, 0xffffffff for an entry without name. A name ends before the first
   * byte that is not above `lastEnd` (0 for NUL-terminated names, 10 for kallsyms' tab and newline) or at the end.
   */
  constructor(bytes: Uint8Array, starts: ArrayLike<number>, lastEnd: number) {
    this.bytes = bytes;
    this.starts = starts;
    this.lastEnd = lastEnd;
    const count = starts.length;
    let size = 16;
    while (size < count) size *= 2;
    this.mask = size - 1;
    this.heads = new Uint32Array(size);
    this.next = new Uint32Array(count);
    const { heads, next, mask } = this;
    const length = bytes.length;
    // From the last to the first, so that a bucket's chain starts with the lowest entry.
    for (let i = count - 1; i >= 0; i--) {
      let at = starts[i] as number;
      if (at >= length) continue;
      let hash = seed;
      for (; at < length; at++) {
        const byte = bytes[at] as number;
        if (byte <= lastEnd) break;
        hash = Math.imul(hash ^ byte, prime);
      }
      const bucket = (hash ^ (hash >>> 15)) & mask;
      next[i] = heads[bucket] as number;
      heads[bucket] = i + 1;
    }
  }

  /** The entries with exactly that name, ascending. */
  *find(name: string): Generator<number> {
    const wanted = encodeBytes(name);
    let hash = seed;
    for (const byte of wanted) {
      if (byte <= this.lastEnd) return;
      hash = Math.imul(hash ^ byte, prime);
    }
    const bucket = (hash ^ (hash >>> 15)) & this.mask;
    for (let entry = this.heads[bucket] ?? 0; entry !== 0; entry = this.next[entry - 1] ?? 0) {
      if (this.equals(this.starts[entry - 1] ?? 0, wanted)) yield entry - 1;
    }
  }

  private equals(start: number, wanted: Uint8Array): boolean {
    const { bytes } = this;
    if (start + wanted.length > bytes.length) return false;
    for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false;
    const end = bytes[start + wanted.length];
    return end === undefined || end <= this.lastEnd;
  }
}

// FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
const seed = 0x811c9dc5;
const prime = 0x01000193;
