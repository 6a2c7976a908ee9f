import type { ShownStack } from "../wire/value.js";

/** Stacks that are remembered, a power of two: each has one place. */
const places = 256;
/** As many hashes of stacks that were seen. */
const sights = 4096;

export interface RecentStack<Reason> {
  readonly addresses: BigUint64Array;
  /** Of the addresses without a name. */
  readonly reasons: readonly Reason[];
  readonly shown: ShownStack;
}

/**
 * Stacks that were shown a moment ago: what a script prints is the same stack again and again, more often than not. One is
 * the same if its addresses are, and the `state` that its names come from: an object that is another one when that has
 * changed. Its text is kept, not its frames, and only if it has come twice: others are to leave nothing behind.
 */
export class RecentStacks<Reason> {
  private readonly seen = new Uint32Array(sights);
  private readonly kept: ({ readonly state: object; readonly stack: RecentStack<Reason> } | undefined)[] = new Array(
    places,
  ).fill(undefined);

  /** The stack of `count` addresses at `at`, if it is known. */
  find(state: object, view: DataView, at: number, count: number): RecentStack<Reason> | undefined {
    const known = this.kept[hashOf(view, at, count) % places];
    if (known?.state !== state) return undefined;
    const { addresses } = known.stack;
    if (addresses.length !== count) return undefined;
    const words = new Uint32Array(addresses.buffer);
    for (let i = 0; i < words.length; i++) if (view.getUint32(at + 4 * i, true) !== words[i]) return undefined;
    return known.stack;
  }

  /** Keeps a stack if it has come before; answers where its text may be put then. */
  keep(state: object, view: DataView, at: number, count: number, reasons: readonly Reason[]): ShownStack | undefined {
    const hash = hashOf(view, at, count);
    if (this.seen[hash % sights] !== hash) {
      this.seen[hash % sights] = hash;
      return undefined;
    }
    const words = new Uint32Array(2 * count);
    for (let i = 0; i < words.length; i++) words[i] = view.getUint32(at + 4 * i, true);
    const stack = { addresses: new BigUint64Array(words.buffer), reasons, shown: {} };
    this.kept[hash % places] = { state, stack };
    return stack.shown;
  }
}

function hashOf(view: DataView, at: number, count: number): number {
  let hash = count;
  // The upper halves of a stack's addresses say little.
  for (let i = 0; i < count; i++) hash = Math.imul(hash ^ view.getUint32(at + 8 * i, true), 0x9e3779b1) ^ (hash >>> 15);
  return (hash ^ (hash >>> 16)) >>> 0;
}
