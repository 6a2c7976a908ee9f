import { decodeBytes } from "../base/byte-text.js";
import type { ByteSource } from "./byte-source.js";

const pageSize = 4096;
const pages = 512;

/**
 * Pages of files for texts that are read here and there, such as names: 2 MiB that are allocated once, so that reading leaves
 * nothing behind. The page that was read first makes room.
 */
export class PageCache {
  private readonly slab = Buffer.allocUnsafeSlow(pages * pageSize);
  private readonly files = new WeakMap<ByteSource, number>();
  private readonly slots = new Map<number, number>();
  private readonly keys = new Float64Array(pages).fill(-1);
  private next = 0;
  private nextFile = 0;

  /** The text from `start` to its NUL, or to `end`. Throws FormatError where the source has less. */
  text(source: ByteSource, start: number, end: number): string {
    let text = "";
    let parts: Buffer[] | undefined;
    for (let at = start; at < end; ) {
      const page = Math.floor(at / pageSize);
      const first = page * pageSize;
      const slot = this.slot(source, page) * pageSize;
      const last = Math.min(end - first, pageSize);
      const nul = this.slab.indexOf(0, slot + at - first);
      const stop = nul < 0 || nul > slot + last ? slot + last : nul;
      const whole = stop === nul && nul < slot + last;
      if (parts === undefined && (whole || first + last === end)) {
        text = decodeBytes(this.slab.subarray(slot + at - first, stop));
        break;
      }
      // A page that is read later may take the place of this one; and a character may lie in both.
      parts ??= [];
      parts.push(Buffer.from(this.slab.subarray(slot + at - first, stop)));
      if (whole) break;
      at = first + pageSize;
    }
    return parts === undefined ? text : decodeBytes(Buffer.concat(parts));
  }

  private slot(source: ByteSource, page: number): number {
    let file = this.files.get(source);
    if (file === undefined) {
      file = this.nextFile++;
      this.files.set(source, file);
    }
    // Files of less than 2^31 pages, which is more than there is.
    const key = file * 2 ** 31 + page;
    const known = this.slots.get(key);
    if (known !== undefined) return known;
    const slot = this.next;
    this.next = (slot + 1) % pages;
    const old = this.keys[slot] as number;
    if (old >= 0) this.slots.delete(old);
    this.keys[slot] = -1;
    const offset = page * pageSize;
    const length = Math.min(pageSize, source.size - offset);
    const target = this.slab.subarray(slot * pageSize, slot * pageSize + length);
    if (source.readInto === undefined) target.set(source.read(offset, length));
    else source.readInto(offset, target);
    this.keys[slot] = key;
    this.slots.set(key, slot);
    return slot;
  }
}
