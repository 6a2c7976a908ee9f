import { BPF_EXIST, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY } from "../abi/bpf.js";
import { EINVAL, ENOENT, ENOSPC, ENOTSUPP, EOPNOTSUPP } from "../abi/errno.js";
import { zeroed } from "../abi/struct.js";
import { mapDelete, mapGetNextKey, mapLookup, mapLookupBatch, mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { type LoadedMap, valueStride } from "./loaded-object.js";

/** An element as the kernel gives it. A per-CPU value is that of each CPU in turn: see {@link valueOfCpu}. */
export interface RawEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Bytes of one value as bpf(2) copies it, all CPUs included. */
export const valueBytes = (map: LoadedMap): number => valueStride(map) * Math.max(1, map.cpus);

/** One CPU's part of a per-CPU value. */
export function valueOfCpu(map: LoadedMap, value: Uint8Array, cpu: number): Uint8Array {
  const at = cpu * valueStride(map);
  return value.subarray(at, at + map.spec.valueSize);
}

/** The value of one key, or undefined. */
export function readValue(sys: Sys, map: LoadedMap, key: Uint8Array): Uint8Array | undefined {
  const value = zeroed(valueBytes(map));
  return mapLookup(sys, map.fd, key, value) ? value : undefined;
}

/**
 * Every element, while programs may go on changing the map: each element is one moment's, none comes twice, and one that
 * was there all the time is there. What comes or goes meanwhile may or may not be in it.
 */
export function readMap(sys: Sys, map: LoadedMap): readonly RawEntry[] {
  return [...readMapInPieces(sys, map)].flat();
}

/**
 * The same, some thousand elements at a time. What is read bucket by bucket has no key twice: a key's bucket is always the same
 * (htab_map_hash(), kernel/bpf/hashtab.c).
 */
export function* readMapInPieces(sys: Sys, map: LoadedMap): Generator<readonly RawEntry[]> {
  const batches = readBatches(sys, map, false);
  let next = batches.next();
  if (next.done === true && next.value === "unsupported") yield readOneByOne(sys, map);
  for (; next.done !== true; next = batches.next()) yield next.value;
}

/**
 * Reads and empties a hash map; an update that a program makes meanwhile is either in the result or stays in the map. A
 * key that was made again behind the reader may come twice, with both values.
 * Elements of an array cannot go: they are read, then zeroed.
 */
export function takeMap(sys: Sys, map: LoadedMap): readonly RawEntry[] {
  if (!isArray(map)) {
    const taken: RawEntry[] = [];
    const batches = readBatches(sys, map, true);
    let next = batches.next();
    for (; next.done !== true; next = batches.next()) for (const entry of next.value) taken.push(entry);
    if (next.value === "done") return taken;
  }
  const entries = readMap(sys, map);
  if (isArray(map)) zeroMap(sys, map);
  else for (const { key } of entries) mapDelete(sys, map.fd, key);
  return entries;
}

/** Deletes every element, or zeroes those of an array. */
export function clearMap(sys: Sys, map: LoadedMap): void {
  if (isArray(map)) zeroMap(sys, map);
  else takeMap(sys, map);
}

/** Sets every value to zero; keys that a program deletes meanwhile do not come back. */
export function zeroMap(sys: Sys, map: LoadedMap): void {
  const zero = zeroed(valueBytes(map));
  for (const { key } of readMap(sys, map)) {
    try {
      mapUpdate(sys, map.fd, key, zero, BPF_EXIST);
    } catch (error) {
      if (!(error instanceof SyscallError && error.errno === ENOENT)) throw error;
    }
  }
}

export const deleteKey = (sys: Sys, map: LoadedMap, key: Uint8Array): boolean => mapDelete(sys, map.fd, key);

const isArray = (map: LoadedMap): boolean =>
  map.spec.type === BPF_MAP_TYPE_ARRAY || map.spec.type === BPF_MAP_TYPE_PERCPU_ARRAY;

/** Bytes of elements that one call is to bring. */
const batchBytes = 1 << 20;
/** A bucket that does not fit into this many elements is no bucket. */
const maxRoom = 1 << 24;

/** What the kernel cannot do for this type of map is known before the first batch. */
function* readBatches(sys: Sys, map: LoadedMap, take: boolean): Generator<RawEntry[], "done" | "unsupported"> {
  const { keySize, maxEntries } = map.spec;
  const valueSize = valueBytes(map);
  // Hash maps report a position of 4 bytes whatever the key (__htab_map_lookup_and_delete_batch(), kernel/bpf/hashtab.c).
  let from: Uint8Array | undefined;
  let room = Math.max(16, Math.min(maxEntries, Math.floor(batchBytes / (keySize + valueSize))));
  for (;;) {
    const to = zeroed(Math.max(8, keySize));
    const keys = zeroed(room * keySize);
    const values = zeroed(room * valueSize);
    const { count, errno } = mapLookupBatch(sys, map.fd, { from, to, keys, values, room, take });
    // A bucket has more elements than there is room for.
    if (errno === ENOSPC && room < maxRoom) {
      room *= 2;
      continue;
    }
    if (errno === ENOTSUPP || errno === EOPNOTSUPP || errno === EINVAL) {
      if (from === undefined) return "unsupported";
    }
    if (errno !== 0 && errno !== ENOENT) throw new SyscallError(`bpf(BPF_MAP_LOOKUP_BATCH, ${map.fd.what})`, errno);
    const entries: RawEntry[] = [];
    for (let i = 0; i < count; i++) {
      entries.push({
        key: keys.subarray(i * keySize, (i + 1) * keySize),
        value: values.subarray(i * valueSize, (i + 1) * valueSize),
      });
    }
    yield entries;
    if (errno === ENOENT) return "done";
    from = to;
  }
}

/**
 * BPF_MAP_GET_NEXT_KEY begins anew when the key that it is to go on from was deleted meanwhile (htab_map_get_next_key()),
 * so that keys may come again, for ever if a program is busy enough: known keys are not read again, and after as many
 * steps without a new key as the map has room for it ends.
 */
function readOneByOne(sys: Sys, map: LoadedMap): RawEntry[] {
  const { keySize, maxEntries } = map.spec;
  const entries: RawEntry[] = [];
  const seen = new Set<string>();
  let key: Uint8Array | undefined;
  let stale = 0;
  while (stale <= maxEntries) {
    const next = zeroed(keySize);
    if (!mapGetNextKey(sys, map.fd, key, next)) break;
    key = next;
    const text = textOf(next);
    if (seen.has(text)) {
      stale++;
      continue;
    }
    stale = 0;
    const value = readValue(sys, map, next);
    if (value === undefined) continue;
    seen.add(text);
    entries.push({ key: next, value });
  }
  return entries;
}

const textOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
