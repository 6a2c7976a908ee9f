import { decodeBytes } from "../base/byte-text.js";
import { countUpTo } from "../base/ordered.js";

/** Lines longer than this are no entries; a name of a function with its file fits. */
const maxLine = 64 << 10;
/** Text and entries kept of one map: some 32 MB with everything; a large program of JavaScript has a tenth of that. */
const maxText = 16 << 20;
const maxEntries = 1 << 18;

export interface PerfMapSymbol {
  readonly name: string;
  readonly start: bigint;
}

const newline = 10;
const space = 32;

/**
 * Code that a process makes while it runs, as it tells it in `/tmp/perf-PID.map`: lines `START SIZE NAME`, numbers
 * hexadecimal, in the order in which the code was made (Linux, tools/perf/Documentation/jit-interface.txt). Code may take
 * the place of older code; the last entry for an address is the right one. Lines that are none are skipped and counted. A map
 * with more than fits has no names at all: behind what was read there may be other names for the same addresses.
 */
export class PerfMap {
  /** Lines that are no entries. */
  skipped = 0;
  /** The map was longer than what can be kept: it has no names any more. */
  cut = false;
  private starts = new Float64Array(256);
  private ends = new Float64Array(256);
  /** Names one after the other, and where each ends. */
  private text = new Uint8Array(4096);
  private textEnds = new Float64Array(256);
  private count = 0;
  private textBytes = 0;
  /** The beginning of a line whose end has not been written yet. */
  private rest: Uint8Array = new Uint8Array(0);
  private segments: Segments | undefined;

  /** Bytes in memory, about. */
  get memory(): number {
    return this.text.length + 24 * this.starts.length + (this.segments?.starts.length ?? 0) * 20;
  }

  /** Takes what was written to the file since. */
  add(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length && !this.cut) {
      const end = bytes.indexOf(newline, from);
      const part = bytes.subarray(from, end < 0 ? bytes.length : end);
      const line = this.rest.length === 0 ? part : joined(this.rest, part);
      if (end < 0) {
        // Too long already: only that, so that the end of the line is not taken for one.
        this.rest = line.slice(0, maxLine + 1);
        return;
      }
      this.rest = new Uint8Array(0);
      this.line(line);
      from = end + 1;
    }
  }

  /** The code at an address. */
  at(address: bigint): PerfMapSymbol | undefined {
    this.segments ??= this.sweep();
    const { starts, ends, entries } = this.segments;
    const wanted = Number(address);
    const at = countUpTo(starts.length, (i) => (starts[i] ?? 0) <= wanted) - 1;
    const entry = entries[at];
    if (entry === undefined || wanted >= (ends[at] ?? 0)) return undefined;
    const name = this.text.subarray(entry === 0 ? 0 : this.textEnds[entry - 1], this.textEnds[entry]);
    return { name: decodeBytes(name), start: BigInt(this.starts[entry] ?? 0) };
  }

  private line(line: Uint8Array): void {
    if (line.length === 0) return;
    const first = line.indexOf(space);
    const second = first < 0 ? -1 : line.indexOf(space, first + 1);
    const start = second < 0 || line.length > maxLine ? undefined : hexadecimal(line, 0, first);
    const size = start === undefined ? undefined : hexadecimal(line, first + 1, second);
    if (start === undefined || size === undefined || second + 1 === line.length) {
      this.skipped++;
      return;
    }
    // Nothing can run there.
    if (size === 0) return;
    const name = line.subarray(second + 1);
    if (this.textBytes + name.length > maxText || this.count === maxEntries) {
      this.forget();
      return;
    }
    if (this.count === this.starts.length) {
      this.starts = grown(this.starts);
      this.ends = grown(this.ends);
      this.textEnds = grown(this.textEnds);
    }
    if (this.textBytes + name.length > this.text.length) {
      const larger = new Uint8Array(Math.max(2 * this.text.length, this.textBytes + name.length));
      larger.set(this.text.subarray(0, this.textBytes));
      this.text = larger;
    }
    this.text.set(name, this.textBytes);
    this.textBytes += name.length;
    this.starts[this.count] = start;
    this.ends[this.count] = start + size;
    this.textEnds[this.count] = this.textBytes;
    this.count++;
    this.segments = undefined;
  }

  private forget(): void {
    this.cut = true;
    this.count = 0;
    this.textBytes = 0;
    this.text = new Uint8Array(0);
    this.starts = new Float64Array(0);
    this.ends = new Float64Array(0);
    this.textEnds = new Float64Array(0);
    this.rest = new Uint8Array(0);
    this.segments = undefined;
  }

  /** Cuts overlapping entries to what newer ones leave of them. */
  private sweep(): Segments {
    const { starts, ends } = this;
    const order = Uint32Array.from({ length: this.count }, (_, i) => i).sort(
      (a, b) => (starts[a] ?? 0) - (starts[b] ?? 0),
    );
    // Each piece ends where an entry begins or ends.
    const most = 2 * this.count;
    const found = { starts: new Float64Array(most), ends: new Float64Array(most), entries: new Uint32Array(most) };
    let pieces = 0;
    const open = new NewestFirst();
    let next = 0;
    let at = 0;
    for (;;) {
      if (open.newest === undefined) {
        if (next >= order.length) break;
        at = starts[order[next] ?? 0] ?? 0;
      }
      for (let entry = order[next]; entry !== undefined && (starts[entry] ?? 0) <= at; entry = order[++next])
        open.push(entry);
      while (open.newest !== undefined && (ends[open.newest] ?? 0) <= at) open.pop();
      const { newest } = open;
      if (newest === undefined) continue;
      const following = order[next];
      const end = Math.min(
        ends[newest] ?? 0,
        following === undefined ? Number.POSITIVE_INFINITY : (starts[following] ?? 0),
      );
      if (pieces > 0 && found.entries[pieces - 1] === newest && found.ends[pieces - 1] === at)
        found.ends[pieces - 1] = end;
      else {
        found.starts[pieces] = at;
        found.ends[pieces] = end;
        found.entries[pieces++] = newest;
      }
      at = end;
    }
    return {
      starts: found.starts.slice(0, pieces),
      ends: found.ends.slice(0, pieces),
      entries: found.entries.slice(0, pieces),
    };
  }
}

/** Pieces of code without overlaps, in order. */
interface Segments {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly entries: Uint32Array;
}

/** A heap of entry numbers with the largest, which is the newest, on top. */
class NewestFirst {
  private readonly items: number[] = [];

  get newest(): number | undefined {
    return this.items[0];
  }

  push(entry: number): void {
    const { items } = this;
    let at = items.length;
    items.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = items[above] ?? 0;
      if (other >= entry) break;
      items[at] = other;
      at = above;
    }
    items[at] = entry;
  }

  pop(): void {
    const { items } = this;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if ((items[below + 1] ?? -1) > (items[below] ?? -1)) below++;
      const other = items[below] ?? -1;
      if (other <= last) break;
      items[at] = other;
      at = below;
    }
    items[at] = last;
  }
}

/** Addresses of programs are below 2^48, which a double holds exactly. Some writers begin numbers with 0x. */
function hexadecimal(line: Uint8Array, from: number, end: number): number | undefined {
  let at = line[from] === 0x30 && (line[from + 1] ?? 0) === 0x78 ? from + 2 : from;
  if (at === end || end - at > 16) return undefined;
  let value = 0;
  for (; at < end; at++) {
    const c = line[at] ?? 0;
    const digit = c >= 0x30 && c <= 0x39 ? c - 0x30 : (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66 ? (c | 0x20) - 87 : -1;
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value <= 2 ** 48 ? value : undefined;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  // A line without an end is cut at what add() keeps of it, so that this stays linear.
  const whole = new Uint8Array(a.length + b.length);
  whole.set(a);
  whole.set(b, a.length);
  return whole;
}

function grown(array: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(array.length * 2);
  larger.set(array);
  return larger;
}
