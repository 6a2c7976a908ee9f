/**
 * Sorts names by their bytes where they lie, each once; answers where they start. A name ends before the first byte that is
 * not above `lastEnd`. A start at or behind the end of the bytes is an empty name.
 */
export const sortNames = (bytes: Uint8Array, starts: Uint32Array, lastEnd = 0): Uint32Array =>
  sort(bytes, starts, lastEnd, (equal) => equal.fill(repeated, 1)).filter((start) => start !== repeated);

/** The same with all that have the same name, in ascending order of their starts. */
export const sortAllNames = (bytes: Uint8Array, starts: Uint32Array, lastEnd = 0): Uint32Array =>
  sort(bytes, starts, lastEnd, (equal) => equal.sort());

/**
 * Quicksort by one byte at a time (Bentley and Sedgewick, 1997): names of C++ begin alike for many bytes, which comparisons
 * would read each time.
 */
function sort(
  bytes: Uint8Array,
  starts: Uint32Array,
  lastEnd: number,
  onEqual: (starts: Uint32Array) => void,
): Uint32Array {
  const sorted = starts.slice();
  // Parts that are still to be sorted, as from, to, and the number of bytes that are equal in them.
  const pending: number[] = [0, sorted.length, 0];
  for (;;) {
    const depth = pending.pop();
    const to = pending.pop();
    const from = pending.pop();
    if (depth === undefined || to === undefined || from === undefined) break;
    if (to - from < 2) continue;
    const pivot = byteAt(bytes, sorted[(from + to) >>> 1] as number, depth, lastEnd);
    let low = from;
    let high = to;
    for (let i = from; i < high; ) {
      const start = sorted[i] as number;
      const byte = byteAt(bytes, start, depth, lastEnd);
      if (byte < pivot) {
        sorted[i++] = sorted[low] as number;
        sorted[low++] = start;
      } else if (byte > pivot) {
        sorted[i] = sorted[--high] as number;
        sorted[high] = start;
      } else i++;
    }
    pending.push(from, low, depth, high, to, depth);
    if (pivot !== 0) pending.push(low, high, depth + 1);
    // They have ended: the same name.
    else if (high - low > 1) onEqual(sorted.subarray(low, high));
  }
  return sorted;
}

const repeated = 0xffff_ffff;

/** 0 at the end of the name. */
function byteAt(bytes: Uint8Array, start: number, depth: number, lastEnd: number): number {
  const byte = bytes[start + depth] ?? 0;
  return byte > lastEnd ? byte : 0;
}
