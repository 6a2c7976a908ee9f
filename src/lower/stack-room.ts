import { BPF_F_NO_PREALLOC } from "../abi/bpf.js";
import type { Config } from "../language/config.js";
import type { TypedMap } from "../language/typed.js";
import type { StackType, Type } from "../types/type.js";

/** Stacks that it keeps at most, whatever maps ask for: half a gigabyte to two, if that many come. */
const mostKept = 1 << 20;

/** Keys that a map of the script can hold. */
export const entriesOf = (map: TypedMap, config: Config): number =>
  map.key === undefined ? 1 : (map.declared?.maxEntries ?? config.max_map_keys);

/** How many stacks of some kind a value of a type has in it. */
function stacksIn(type: Type, counts: (stack: StackType) => boolean): number {
  switch (type.kind) {
    case "stack":
      return counts(type) ? 1 : 0;
    case "tuple":
      return type.items.reduce((sum, item) => sum + stacksIn(item, counts), 0);
    default:
      return 0;
  }
}

/**
 * Room for the stacks of one kind: as many as the keys and values of all maps can have, at least `least`. Much room is not
 * filled before it is used; the little that most scripts need is, so that it is there in interrupts and costs nobody an
 * allocation.
 */
export function roomForStacks(
  maps: ReadonlyMap<string, TypedMap>,
  config: Config,
  least: number,
  counts: (stack: StackType) => boolean,
): { readonly maxEntries: number; readonly flags: number } {
  let needed = 0;
  for (const map of maps.values())
    for (const type of [...(map.key ?? []), map.value]) needed += stacksIn(type, counts) * entriesOf(map, config);
  return needed <= least
    ? { maxEntries: least, flags: 0 }
    : { maxEntries: Math.min(needed, mostKept), flags: BPF_F_NO_PREALLOC };
}
