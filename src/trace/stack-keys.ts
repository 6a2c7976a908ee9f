// Keys of maps that have stacks in them, which their programs have not unwound to their end: the key becomes what it would be
// if they had, and values of the same key are put together.

import type { ShownType } from "../types/shown-type.js";
import { isAggregate, layoutOf, stackLayout } from "../wire/layout.js";
import { unwoundMapName } from "../wire/unwind.js";
import type { UserMap } from "../wire/user-map.js";
import type { PendingStacks } from "./pending-stacks.js";

/** Where in a key stacks are, and the map that programs keep those in. */
interface StackPlace {
  readonly offset: number;
  readonly map: string;
}

/** Values of one key that are not in the kernel's map any more. */
interface Taken {
  readonly key: Uint8Array;
  /** One processor's each. */
  parts: Uint8Array[];
}

/** Of one map. */
export class StackKeys {
  private readonly places: readonly StackPlace[];
  private readonly pending: PendingStacks;
  private readonly isSum: boolean;
  private readonly taken = new Map<string, Taken>();

  /** Undefined of a map whose keys have none. */
  static of(map: UserMap, pending: PendingStacks | undefined): StackKeys | undefined {
    const places = pending === undefined ? [] : placesIn(map.key ?? [], 0);
    return pending === undefined || places.length === 0 ? undefined : new StackKeys(map, places, pending);
  }

  private constructor(map: UserMap, places: readonly StackPlace[], pending: PendingStacks) {
    this.places = places;
    this.pending = pending;
    this.isSum = isSumOfWords(map.value);
  }

  /** Nothing has been different from what the kernel has. */
  get isPlain(): boolean {
    return !this.pending.some;
  }

  /** The key as it would be; the same bytes if it is that already. */
  final(key: Uint8Array): Uint8Array {
    let changed: Uint8Array | undefined;
    for (const { offset } of this.places) {
      const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
      const known = this.pending.finalId(view.getBigUint64(offset + stackLayout.id, true));
      if (known === undefined) continue;
      changed ??= key.slice();
      const to = new DataView(changed.buffer);
      to.setBigUint64(offset + stackLayout.id, known.id, true);
      to.setUint32(offset + stackLayout.frames, known.count, true);
    }
    return changed ?? key;
  }

  /** The ids of a key's stacks, and the maps that have them. */
  *idsIn(key: Uint8Array): Generator<{ readonly map: string; readonly id: Uint8Array }> {
    for (const { offset, map } of this.places)
      yield { map, id: key.slice(offset + stackLayout.id, offset + stackLayout.id + 8) };
  }

  /** Keeps values that were taken out of the kernel's map. */
  add(key: Uint8Array, parts: readonly Uint8Array[]): void {
    const text = textOf(key);
    const known = this.taken.get(text) ?? { key: key.slice(), parts: [] };
    this.taken.set(text, known);
    for (const part of parts) {
      if (part.every((byte) => byte === 0)) continue;
      const [first] = known.parts;
      if (this.isSum && first !== undefined) addWords(first, part);
      else known.parts.push(part.slice());
    }
  }

  /** What is kept of a key. */
  partsOf(key: Uint8Array): readonly Uint8Array[] {
    return this.taken.get(textOf(key))?.parts ?? [];
  }

  /** Entries with the same key become one, with the values of all, and of those that are kept. */
  merged(
    entries: readonly { readonly key: Uint8Array; readonly parts: readonly Uint8Array[] }[],
  ): readonly { readonly key: Uint8Array; readonly parts: readonly Uint8Array[] }[] {
    const found = new Map<string, Taken>();
    for (const { key, parts } of this.taken.values()) found.set(textOf(key), { key, parts: [...parts] });
    for (const { key, parts } of entries) {
      const final = this.final(key);
      const text = textOf(final);
      const known = found.get(text);
      if (known === undefined) found.set(text, { key: final, parts: [...parts] });
      else known.parts.push(...parts);
    }
    return [...found.values()];
  }

  clear(): void {
    this.taken.clear();
  }

  zero(): void {
    for (const { parts } of this.taken.values()) for (const part of parts) part.fill(0);
  }
}

function placesIn(types: readonly ShownType[], start: number): readonly StackPlace[] {
  const { offsets } = layoutOf(types);
  return types.flatMap((type, i) => {
    const offset = start + (offsets[i] ?? 0);
    if (type.kind === "tuple") return placesIn(type.items, offset);
    return type.kind === "stack" && type.unwound === true ? [{ offset, map: unwoundMapName(type.depth) }] : [];
  });
}

/** Whether a value is put together with another by adding their words. */
function isSumOfWords(type: ShownType): boolean {
  return type.kind === "int" || (isAggregate(type) && !["min", "max", "tseries"].includes(type.kind));
}

/** Adds numbers of 64 bits to others. */
export function addWords(to: Uint8Array, more: Uint8Array): void {
  const [sum, part] = [to, more].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as [
    DataView,
    DataView,
  ];
  for (let at = 0; at + 8 <= to.length; at += 8)
    sum.setBigUint64(at, BigInt.asUintN(64, sum.getBigUint64(at, true) + part.getBigUint64(at, true)), true);
}

const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
