/**
 * How many of `length` items in order come at or before a place that is looked for; `reached(i)` says it of item `i`, and
 * holds up to some item and for none behind it.
 */
export function countUpTo(length: number, reached: (i: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reached(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
