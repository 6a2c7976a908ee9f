import {
  BPF_MAP_CREATE,
  BPF_MAP_DELETE_ELEM,
  BPF_MAP_FREEZE,
  BPF_MAP_GET_NEXT_KEY,
  BPF_MAP_LOOKUP_AND_DELETE_BATCH,
  BPF_MAP_LOOKUP_AND_DELETE_ELEM,
  BPF_MAP_LOOKUP_BATCH,
  BPF_MAP_LOOKUP_ELEM,
  BPF_MAP_UPDATE_ELEM,
  mapBatchAttr,
  mapCreateAttr,
  mapElementAttr,
} from "../abi/bpf.js";
import { ENOENT } from "../abi/errno.js";
import { memory } from "../abi/struct.js";
import { bpf } from "./bpf-call.js";
import { Fd } from "./fd.js";
import type { Sys } from "./sys.js";
import { check } from "./syscall-error.js";

export interface NewMap {
  /** Letters, digits, `_` and `.`; the kernel keeps 15 of them. */
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** A map like those that a map of maps will have. */
  readonly inner?: Fd;
}

export function mapCreate(sys: Sys, map: NewMap): Fd {
  const attr = mapCreateAttr.encode(
    {
      map_type: map.type,
      key_size: map.keySize,
      value_size: map.valueSize,
      max_entries: map.maxEntries,
      map_flags: map.flags,
      inner_map_fd: map.inner?.raw,
      map_name: map.name,
    },
    sys.addressOf,
  );
  const call = () =>
    `bpf(BPF_MAP_CREATE, "${map.name}": type ${map.type}, key ${map.keySize}, value ${map.valueSize}, ${map.maxEntries} entries)`;
  return Fd.own(sys, check(bpf(sys, BPF_MAP_CREATE, attr), call), `map ${map.name}`);
}

const element = (sys: Sys, map: Fd, key: Uint8Array, value?: Uint8Array, flags?: bigint) =>
  mapElementAttr.encode(
    { map_fd: map.raw, key: memory(key), value: value === undefined ? undefined : memory(value), flags },
    sys.addressOf,
  );

/** Reads the value of `key` into `value`; false if there is no such key. Both must be made by `zeroed`. */
export function mapLookup(sys: Sys, map: Fd, key: Uint8Array, value: Uint8Array): boolean {
  const result = bpf(sys, BPF_MAP_LOOKUP_ELEM, element(sys, map, key, value));
  if (result === -ENOENT) return false;
  check(result, () => `bpf(BPF_MAP_LOOKUP_ELEM, ${map.what})`);
  return true;
}

/** Reads the value of `key` and deletes the key at once (hash maps since Linux 5.14); false if there is none. */
export function mapTake(sys: Sys, map: Fd, key: Uint8Array, value: Uint8Array): boolean {
  const result = bpf(sys, BPF_MAP_LOOKUP_AND_DELETE_ELEM, element(sys, map, key, value));
  if (result === -ENOENT) return false;
  check(result, () => `bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, ${map.what})`);
  return true;
}

/** `flags`: BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
export function mapUpdate(sys: Sys, map: Fd, key: Uint8Array, value: Uint8Array, flags = 0): void {
  const result = bpf(sys, BPF_MAP_UPDATE_ELEM, element(sys, map, key, value, BigInt(flags)));
  check(result, () => `bpf(BPF_MAP_UPDATE_ELEM, ${map.what})`);
}

/**
 * The same in a thread of libuv's pool. Of a map of maps it waits until no program works with the former element, nor with anything else that
 * it has found before (maybe_wait_bpf_programs(), kernel/bpf/syscall.c, since v4.18).
 */
export async function mapUpdateInThread(sys: Sys, map: Fd, key: Uint8Array, value: Uint8Array): Promise<void> {
  const attr = element(sys, map, key, value);
  const result = await sys.callInThread("bpf", BPF_MAP_UPDATE_ELEM, attr, attr.bytes.length);
  check(result, () => `bpf(BPF_MAP_UPDATE_ELEM, ${map.what})`);
}

/** False if there was no such key. */
export function mapDelete(sys: Sys, map: Fd, key: Uint8Array): boolean {
  const result = bpf(sys, BPF_MAP_DELETE_ELEM, element(sys, map, key));
  if (result === -ENOENT) return false;
  check(result, () => `bpf(BPF_MAP_DELETE_ELEM, ${map.what})`);
  return true;
}

/** Writes the key after `key` (the first for undefined, or if `key` is not there any more) into `next`. */
export function mapGetNextKey(sys: Sys, map: Fd, key: Uint8Array | undefined, next: Uint8Array): boolean {
  const attr = mapElementAttr.encode(
    { map_fd: map.raw, key: key === undefined ? undefined : memory(key), value: memory(next) },
    sys.addressOf,
  );
  const result = bpf(sys, BPF_MAP_GET_NEXT_KEY, attr);
  if (result === -ENOENT) return false;
  check(result, () => `bpf(BPF_MAP_GET_NEXT_KEY, ${map.what})`);
  return true;
}

/** From now on user space cannot write it. */
export function mapFreeze(sys: Sys, map: Fd): void {
  const attr = mapElementAttr.encode({ map_fd: map.raw }, sys.addressOf);
  check(bpf(sys, BPF_MAP_FREEZE, attr), () => `bpf(BPF_MAP_FREEZE, ${map.what})`);
}

export interface Batch {
  /** Where the last batch ended; undefined to begin. */
  readonly from: Uint8Array | undefined;
  /** Where this one ends. */
  readonly to: Uint8Array;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  /** Elements that there is room for. */
  readonly room: number;
  /** Deletes what it reads, bucket by bucket, so that no update is lost in between (hash maps). */
  readonly take: boolean;
}

/**
 * Reads many elements at once. `errno` is 0, ENOENT after the last one, or what else went wrong (ENOSPC: no room for one
 * bucket, EINVAL or EOPNOTSUPP: this kind of map cannot); `count` elements were read in the first two cases.
 */
export function mapLookupBatch(sys: Sys, map: Fd, batch: Batch): { readonly count: number; readonly errno: number } {
  const attr = mapBatchAttr.encode(
    {
      "batch.in_batch": batch.from === undefined ? undefined : memory(batch.from),
      "batch.out_batch": memory(batch.to),
      "batch.keys": memory(batch.keys),
      "batch.values": memory(batch.values),
      "batch.count": batch.room,
      "batch.map_fd": map.raw,
    },
    sys.addressOf,
  );
  const result = bpf(sys, batch.take ? BPF_MAP_LOOKUP_AND_DELETE_BATCH : BPF_MAP_LOOKUP_BATCH, attr);
  const countAt = mapBatchAttr.fields["batch.count"][0];
  const count = new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(countAt, true);
  if (result < 0 && result !== -ENOENT) return { count: 0, errno: -result };
  return { count: Math.min(count, batch.room), errno: result < 0 ? -result : 0 };
}
