import { countUpTo } from "../base/ordered.js";
/**
 * Symbols sorted by address, as two arrays of 32-bit halves: 180,000 of them take a few milliseconds to sort and no
 * object each, and kernel addresses, which no JS number can hold, compare exactly.
 */
export class AddressIndex {
  /** Entry numbers of the caller, ascending by address and, at the same address, in the caller's order. */
  readonly order: Uint32Array;
  private readonly high: Uint32Array;
  private readonly low: Uint32Array;

  /** `high[i]` and `low[i]` are the halves of the address of entry `entries[i]` (of entry i if not given). */
  constructor(high: Uint32Array, low: Uint32Array, entries?: Uint32Array) {
    const permutation = sortOrder(high, low);
    const count = permutation.length;
    this.high = new Uint32Array(count);
    this.low = new Uint32Array(count);
    this.order = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const from = permutation[i] as number;
      this.high[i] = high[from] as number;
      this.low[i] = low[from] as number;
      this.order[i] = entries === undefined ? from : (entries[from] as number);
    }
  }

  get length(): number {
    return this.order.length;
  }

  address(position: number): bigint {
    return (BigInt(this.high[position] ?? 0) << 32n) | BigInt(this.low[position] ?? 0);
  }

  /** Position of the last entry at or below `address`, -1 if there is none. */
  floor(address: bigint): number {
    const wanted = BigInt.asUintN(64, address);
    const wantedHigh = Number(wanted >> 32n);
    const wantedLow = Number(wanted & 0xffffffffn);
    const reached = (i: number): boolean => {
      const high = this.high[i] as number;
      return high < wantedHigh || (high === wantedHigh && (this.low[i] as number) <= wantedLow);
    };
    return countUpTo(this.order.length, reached) - 1;
  }

  /** Position of the first of the entries that share the address of `position`. */
  firstAt(position: number): number {
    let first = position;
    while (first > 0 && this.high[first - 1] === this.high[position] && this.low[first - 1] === this.low[position])
      first--;
    return first;
  }
}

/** Keys up to here are sorted by 8 bits a round: a table for 16 would be larger than they are. */
const fewKeys = 16384;

/** A stable radix sort of 64-bit keys, 16 or 8 bits a round; rounds in which all keys agree are skipped. */
function sortOrder(high: Uint32Array, low: Uint32Array): Uint32Array {
  const count = high.length;
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  if (isSorted(high, low)) return order;
  let spare = new Uint32Array(count);
  const bits = count <= fewKeys ? 8 : 16;
  const mask = 2 ** bits - 1;
  const counts = new Uint32Array(mask + 1);
  for (let round = 0; round < 64 / bits; round++) {
    const half = round < 32 / bits ? low : high;
    const shift = (round * bits) % 32;
    counts.fill(0);
    for (let i = 0; i < count; i++) {
      const digit = ((half[i] as number) >>> shift) & mask;
      counts[digit] = (counts[digit] as number) + 1;
    }
    if (counts[((half[0] ?? 0) >>> shift) & mask] === count) continue;
    let sum = 0;
    for (let digit = 0; digit <= mask; digit++) {
      const n = counts[digit] as number;
      counts[digit] = sum;
      sum += n;
    }
    for (let i = 0; i < count; i++) {
      const entry = order[i] as number;
      const digit = ((half[entry] as number) >>> shift) & mask;
      const place = counts[digit] as number;
      counts[digit] = place + 1;
      spare[place] = entry;
    }
    [order, spare] = [spare, order];
  }
  return order;
}

function isSorted(high: Uint32Array, low: Uint32Array): boolean {
  for (let i = 1; i < high.length; i++) {
    const before = high[i - 1] as number;
    const here = high[i] as number;
    if (before > here || (before === here && (low[i - 1] as number) > (low[i] as number))) return false;
  }
  return true;
}
