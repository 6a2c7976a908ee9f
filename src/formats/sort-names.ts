/**
 * Sorts NUL-terminated names by their bytes where they lie, each once; answers where they start. Quicksort by one byte at
 * a time (Bentley and Sedgewick, 1997): names of C++ begin alike for many bytes, which comparisons would read each time.
 * A start at or behind the end of the bytes is an empty name.
 */
export function sortNames(bytes: Uint8Array, starts: Uint32Array): Uint32Array {
  const sorted = starts.slice();
  // Parts that are still to be sorted, as from, to, and the number of bytes that are equal in them.
  const pending: number[] = [0, sorted.length, 0];
  for (;;) {
    const depth = pending.pop();
    const to = pending.pop();
    const from = pending.pop();
    if (depth === undefined || to === undefined || from === undefined) break;
    if (to - from < 2) continue;
    const pivot = byteAt(bytes, sorted[(from + to) >>> 1] as number, depth);
    let low = from;
    let high = to;
    for (let i = from; i < high; ) {
      const start = sorted[i] as number;
      const byte = byteAt(bytes, start, depth);
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
    else for (let i = low + 1; i < high; i++) sorted[i] = repeated;
  }
  return sorted.filter((start) => start !== repeated);
}

const repeated = 0xffff_ffff;

/** 0 behind the end of the name. */
function byteAt(bytes: Uint8Array, start: number, depth: number): number {
  return bytes[start + depth] ?? 0;
}
