import { zeroed } from "../abi/struct.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { readValue } from "../load/map-reader.js";
import { mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { systemMaps } from "../wire/map-storage.js";

/** What programs want user space to do, but had no room to send a record for: records without data, by their number. */
export class Wishes {
  private readonly sys: Sys;
  private readonly map: LoadedMap;

  constructor(sys: Sys, loaded: LoadedObject) {
    this.sys = sys;
    this.map = loaded.map(systemMaps.wishes);
  }

  /** Which records are wanted. They count as done: what is wanted from now on is answered again. */
  take(): readonly number[] {
    const key = zeroed(4);
    const bytes = readValue(this.sys, this.map, key);
    if (bytes === undefined || bytes.every((byte) => byte === 0)) return [];
    // Before they are done: a wish that comes between these two calls is one with those that were there.
    mapUpdate(this.sys, this.map.fd, key, zeroed(bytes.length));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wanted: number[] = [];
    for (let at = 0; at + 8 <= bytes.length; at += 8) if (view.getBigUint64(at, true) !== 0n) wanted.push(at / 8);
    return wanted;
  }
}
