import { FormatError } from "../base/errors.js";

/**
 * LZMA2 as xz files have it: chunks, each uncompressed or coded with LZMA (Igor Pavlov's LZMA specification 2015-06-14,
 * and lzma2-format in the documentation of xz 5.4). The output is the dictionary.
 *
 *   control 0          the end
 *   1, 2               u16be size - 1, bytes; 1 forgets what was before
 *   0x80 | reset << 5  the size - 1's bits 16 to 20 in the low bits, u16be, u16be coded size - 1, from reset 2 on a byte of
 *                      properties, code; reset 1 begins the state anew, 3 also forgets what was before
 */
export class Lzma2 {
  private readonly what: string;
  private readonly maxSize: number;
  private out = new Uint8Array(1 << 16);
  private size = 0;
  /** Where what may be referred to begins. */
  private dictionary = 0;
  private coder: Lzma | undefined;
  private begun = false;

  /** More than `maxSize` bytes are a FormatError. */
  constructor(what: string, maxSize: number) {
    this.what = what;
    this.maxSize = maxSize;
  }

  /** What has been unpacked. */
  get output(): Uint8Array {
    return this.out.subarray(0, this.size);
  }

  /** A new block; nothing before it is referred to. */
  begin(): void {
    this.begun = false;
    this.coder = undefined;
  }

  /** Unpacks the chunks at `at` up to their end, and says where that is. */
  unpack(bytes: Uint8Array, at: number): number {
    for (let next = at; ; ) {
      const control = this.byte(bytes, next++);
      if (control === 0) return next;
      if (control === 1 || control >= 0xe0) {
        this.dictionary = this.size;
        this.begun = true;
      }
      if (!this.begun || (control > 2 && control < 0x80)) throw this.broken(`the chunk ${control} cannot stand here`);
      next = control < 0x80 ? this.copy(bytes, next) : this.decode(bytes, next, control);
    }
  }

  private copy(bytes: Uint8Array, at: number): number {
    const length = this.word(bytes, at) + 1;
    const end = at + 2 + length;
    if (end > bytes.length) throw this.broken("it ends in a chunk");
    this.room(length);
    this.out.set(bytes.subarray(at + 2, end), this.size);
    this.size += length;
    return end;
  }

  private decode(bytes: Uint8Array, at: number, control: number): number {
    const length = ((control & 0x1f) << 16) + this.word(bytes, at) + 1;
    const coded = this.word(bytes, at + 2) + 1;
    const reset = (control >> 5) & 3;
    const start = at + (reset >= 2 ? 5 : 4);
    if (start + coded > bytes.length) throw this.broken("it ends in a chunk");
    if (reset >= 2) this.coder = new Lzma(this.what, this.byte(bytes, at + 4));
    const { coder } = this;
    if (coder === undefined) throw this.broken("a chunk has no properties");
    if (reset === 1) coder.reset();
    this.room(length);
    coder.decode(bytes.subarray(start, start + coded), this.out, this.dictionary, this.size, this.size + length);
    this.size += length;
    return start + coded;
  }

  private room(length: number): void {
    const wanted = this.size + length;
    if (wanted > this.maxSize) throw this.broken(`it has more than ${this.maxSize} bytes when unpacked`);
    if (wanted <= this.out.length) return;
    const larger = new Uint8Array(Math.min(Math.max(wanted, 2 * this.out.length), this.maxSize));
    larger.set(this.output);
    this.out = larger;
  }

  private word(bytes: Uint8Array, at: number): number {
    return (this.byte(bytes, at) << 8) | this.byte(bytes, at + 1);
  }

  private byte(bytes: Uint8Array, at: number): number {
    const value = bytes[at];
    if (value === undefined) throw this.broken("it ends too early");
    return value;
  }

  private broken(why: string): FormatError {
    return new FormatError(`${this.what}: LZMA2: ${why}`);
  }
}

const bitBase = 1024;
/** A length coder's probabilities: two choices, 16 low and 16 middle trees of 8, a high tree of 256. */
const lengthSize = 2 + 128 + 128 + 256;

/** Where each set of probabilities begins, of the specification's names. */
const place = (() => {
  const sizes = {
    isMatch: 12 * 16,
    isRep: 12,
    isRepG0: 12,
    isRepG1: 12,
    isRepG2: 12,
    isRep0Long: 12 * 16,
    posSlot: 4 * 64,
    posDecoders: 128,
    align: 16,
    length: lengthSize,
    repLength: lengthSize,
  };
  let at = 0;
  const places: Record<string, number> = {};
  for (const [name, size] of Object.entries(sizes)) {
    places[name] = at;
    at += size;
  }
  return { ...(places as Record<keyof typeof sizes, number>), literals: at };
})();

/** The decoder of LZMA, whose state lasts from chunk to chunk. */
class Lzma {
  private readonly what: string;
  private readonly lc: number;
  private readonly lp: number;
  private readonly pb: number;
  private readonly probabilities: Uint16Array;
  private state = 0;
  /** The last four distances, less one. */
  private readonly reps = [0, 0, 0, 0] as [number, number, number, number];
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private range = 0;
  private code = 0;

  constructor(what: string, properties: number) {
    this.what = what;
    this.lc = properties % 9;
    const rest = Math.floor(properties / 9);
    this.lp = rest % 5;
    this.pb = Math.floor(rest / 5);
    if (this.pb > 4 || this.lc + this.lp > 4) throw this.broken(`properties ${properties} are not possible`);
    this.probabilities = new Uint16Array(place.literals + (0x300 << (this.lc + this.lp)));
    this.reset();
  }

  reset(): void {
    this.probabilities.fill(bitBase);
    this.state = 0;
    this.reps.fill(0);
  }

  /** Decodes all of `bytes`, a chunk, to `out` from `size` to `end`. */
  decode(bytes: Uint8Array, out: Uint8Array, dictionary: number, size: number, end: number): void {
    this.begin(bytes);
    for (let to = size; to < end; ) {
      const position = (to - dictionary) & ((1 << this.pb) - 1);
      if (this.bit(place.isMatch + (this.state << 4) + position) === 0) {
        out[to] = this.literal(out, dictionary, to);
        to++;
        continue;
      }
      const length = this.match(position);
      const from = to - this.reps[0] - 1;
      if (from < dictionary) throw this.broken("it refers to what was before its beginning");
      if (length > end - to) throw this.broken("a match goes on behind the end of its chunk");
      for (let i = 0; i < length; i++) out[to + i] = out[from + i] ?? 0;
      to += length;
    }
    this.normalize();
    if (this.code !== 0 || this.at !== bytes.length) throw this.broken("a chunk has another size than it says");
  }

  /** The length of a match whose distance is reps[0] then. */
  private match(position: number): number {
    const { reps, state } = this;
    if (this.bit(place.isRep + state) === 0) {
      const length = this.length(place.length, position);
      const distance = this.distance(length);
      reps.copyWithin(1, 0, 3);
      reps[0] = distance;
      this.state = state < 7 ? 7 : 10;
      return length;
    }
    if (this.bit(place.isRepG0 + state) === 0) {
      if (this.bit(place.isRep0Long + (state << 4) + position) === 0) {
        this.state = state < 7 ? 9 : 11;
        return 1;
      }
    } else {
      const which = this.bit(place.isRepG1 + state) === 0 ? 1 : this.bit(place.isRepG2 + state) === 0 ? 2 : 3;
      const distance = reps[which];
      reps.copyWithin(1, 0, which);
      reps[0] = distance;
    }
    this.state = state < 7 ? 8 : 11;
    return this.length(place.repLength, position);
  }

  private literal(out: Uint8Array, dictionary: number, to: number): number {
    const previous = to > dictionary ? (out[to - 1] ?? 0) : 0;
    const context = (((to - dictionary) & ((1 << this.lp) - 1)) << this.lc) + (previous >> (8 - this.lc));
    const base = place.literals + 0x300 * context;
    let symbol = 1;
    if (this.state >= 7) {
      const from = to - this.reps[0] - 1;
      if (from < dictionary) throw this.broken("it refers to what was before its beginning");
      let matched = out[from] ?? 0;
      while (symbol < 0x100) {
        const expected = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.bit(base + ((1 + expected) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (bit !== expected) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.bit(base + symbol);
    this.state = this.state < 4 ? 0 : this.state < 10 ? this.state - 3 : this.state - 6;
    return symbol & 0xff;
  }

  private length(base: number, position: number): number {
    if (this.bit(base) === 0) return 2 + this.tree(base + 2 + (position << 3), 3);
    if (this.bit(base + 1) === 0) return 10 + this.tree(base + 130 + (position << 3), 3);
    return 18 + this.tree(base + 258, 8);
  }

  /** Less one. */
  private distance(length: number): number {
    const slot = this.tree(place.posSlot + (Math.min(length - 2, 3) << 6), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const start = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return start + this.reverseTree(place.posDecoders + start - slot, bits);
    let direct = 0;
    for (let i = bits - 4; i > 0; i--) {
      this.normalize();
      this.range >>>= 1;
      const bit = this.code >= this.range ? 1 : 0;
      if (bit === 1) this.code -= this.range;
      direct = 2 * direct + bit;
    }
    return start + 16 * direct + this.reverseTree(place.align, 4);
  }

  private tree(base: number, bits: number): number {
    let symbol = 1;
    for (let i = 0; i < bits; i++) symbol = (symbol << 1) | this.bit(base + symbol);
    return symbol - (1 << bits);
  }

  private reverseTree(base: number, bits: number): number {
    let symbol = 1;
    let value = 0;
    for (let i = 0; i < bits; i++) {
      const bit = this.bit(base + symbol);
      symbol = (symbol << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  private begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.at = 5;
    this.range = 0xffffffff;
    const [first = 1, a = 0, b = 0, c = 0, d = 0] = bytes;
    if (bytes.length < 5 || first !== 0) throw this.broken("a chunk begins with no code");
    this.code = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  }

  private normalize(): void {
    if (this.range >= 0x1000000) return;
    const next = this.bytes[this.at++];
    if (next === undefined) throw this.broken("a chunk ends too early");
    this.range = (this.range << 8) >>> 0;
    this.code = ((this.code << 8) | next) >>> 0;
  }

  private bit(index: number): 0 | 1 {
    this.normalize();
    const { probabilities } = this;
    const probability = probabilities[index] ?? bitBase;
    const bound = (this.range >>> 11) * probability;
    if (this.code < bound) {
      this.range = bound;
      probabilities[index] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    this.range -= bound;
    this.code -= bound;
    probabilities[index] = probability - (probability >> 5);
    return 1;
  }

  private broken(why: string): FormatError {
    return new FormatError(`${this.what}: LZMA: ${why}`);
  }
}
