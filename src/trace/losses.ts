import type { LoadedObject } from "../load/loaded-object.js";
import { readValue } from "../load/map-reader.js";
import { programInfo } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import type { Loss } from "../wire/event.js";
import { isAggregate } from "../wire/layout.js";
import { exitSlot, firstLossSlot, lossCounters, mapLosses, systemMaps } from "../wire/map-storage.js";
import type { UserMap } from "../wire/user-map.js";

/** Status of an exit() whose record found no room in the ring, or undefined. */
export function readLostExit(sys: Sys, loaded: LoadedObject): number | undefined {
  const bytes = readValue(sys, loaded.map(systemMaps.loss), new Uint8Array(4));
  if (bytes === undefined) return undefined;
  const word = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(8 * exitSlot, true);
  return word === 0n ? undefined : Number((word - 1n) & 0xffn);
}

/** How its room is asked for. */
function roomOf(loaded: LoadedObject, { name, value, declared }: UserMap): NonNullable<Loss["room"]> {
  const kind = `${isAggregate(value) ? "percpu" : ""}${declared?.lru === true ? "lru" : ""}hash`;
  return { kind, keys: loaded.map(name).spec.maxEntries, declared: declared !== undefined };
}

/** What has been lost since the start, by reason; empty if nothing was. */
export function readLosses(sys: Sys, loaded: LoadedObject, maps: Iterable<UserMap>): readonly Loss[] {
  const bytes = readValue(sys, loaded.map(systemMaps.loss), new Uint8Array(4));
  if (bytes === undefined) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const losses: Loss[] = [];
  const note = (at: number, loss: Omit<Loss, "count">): void => {
    const count = view.getBigUint64(8 * (firstLossSlot + at), true);
    if (count > 0n) losses.push({ ...loss, count });
  };
  for (const [i, reason] of lossCounters.entries()) note(i, { reason });
  let at = lossCounters.length;
  for (const map of maps)
    for (const reason of mapLosses) note(at++, { reason, subject: map.name, room: roomOf(loaded, map) });
  const missed = new Map<string, bigint>();
  for (const { name, fd } of loaded.loadedPrograms()) {
    const { recursionMisses } = programInfo(sys, fd);
    if (recursionMisses > 0n) missed.set(name, (missed.get(name) ?? 0n) + recursionMisses);
  }
  for (const [subject, count] of missed) losses.push({ reason: "missed", subject, count });
  return losses;
}
