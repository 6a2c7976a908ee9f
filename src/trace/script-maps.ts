import type { TypedMap } from "../language/typed.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { clearMap, type RawEntry, readMap, readValue, valueOfCpu, zeroMap } from "../load/map-reader.js";
import { mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { decodeAggregate } from "../wire/aggregate.js";
import { type Decoder, decoderFor, type Resolver } from "../wire/decode.js";
import { isAggregate, layoutOf } from "../wire/layout.js";
import { type MapStorage, storageOf } from "../wire/map-storage.js";
import type { MapSnapshot, Value } from "../wire/value.js";

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Reader {
  readonly map: TypedMap;
  readonly loaded: LoadedMap;
  readonly storage: MapStorage;
  readonly keys: readonly { readonly decode: Decoder; readonly offset: number }[];
  readonly value: Decoder | undefined;
}

/** The maps of a script as user space sees them. */
export class ScriptMaps {
  private readonly sys: Sys;
  private readonly readers = new Map<string, Reader>();

  constructor(sys: Sys, maps: ReadonlyMap<string, TypedMap>, loaded: LoadedObject) {
    this.sys = sys;
    for (const map of maps.values()) {
      const { offsets } = layoutOf(map.key ?? []);
      const keys = (map.key ?? []).map((type, i) => ({ decode: decoderFor(type), offset: offsets[i] ?? 0 }));
      const value = isAggregate(map.value) ? undefined : decoderFor(map.value);
      this.readers.set(map.name, { map, loaded: loaded.map(map.name), storage: storageOf(map), keys, value });
    }
  }

  names(): readonly string[] {
    return [...this.readers.keys()].sort();
  }

  private reader(name: string): Reader {
    const reader = this.readers.get(name);
    if (reader === undefined) throw new Error(`internal: no map ${name}`);
    return reader;
  }

  /** Every entry that is set, at about this moment. */
  snapshot(name: string, resolver: Resolver): MapSnapshot {
    const reader = this.reader(name);
    const entries: { key: readonly Value[]; value: Value }[] = [];
    for (const raw of readMap(this.sys, reader.loaded)) {
      if (!isSet(reader, raw)) continue;
      const view = viewOf(raw.key);
      const key = reader.keys.map(({ decode, offset }) => decode(view, offset, resolver));
      entries.push({ key, value: decodeEntry(reader, raw.value, resolver) });
    }
    return { name, keyed: reader.map.key !== undefined, entries };
  }

  /** As {@link snapshot}, but a scalar map that was never set is there with zeros, as print(@x) shows it. */
  snapshotToPrint(name: string, resolver: Resolver): MapSnapshot {
    const snapshot = this.snapshot(name, resolver);
    const reader = this.reader(name);
    const { kind } = reader.map.value;
    if (snapshot.keyed || snapshot.entries.length > 0 || kind === "hist" || kind === "lhist" || kind === "tseries")
      return snapshot;
    const zeros = new Uint8Array(reader.storage.valueSize * Math.max(1, reader.loaded.cpus));
    return { ...snapshot, entries: [{ key: [], value: decodeEntry(reader, zeros, resolver) }] };
  }

  entry(name: string, key: Uint8Array, resolver: Resolver): Value | undefined {
    const reader = this.reader(name);
    const used = reader.storage.kind === "array" ? new Uint8Array(4) : key.slice(0, reader.storage.keySize);
    const value = readValue(this.sys, reader.loaded, used);
    return value === undefined || !isSet(reader, { key: used, value })
      ? undefined
      : decodeEntry(reader, value, resolver);
  }

  clear(name: string): void {
    clearMap(this.sys, this.reader(name).loaded);
  }

  /** Sets values to zero; what was not set stays unset. */
  zero(name: string): void {
    const reader = this.reader(name);
    const { flagOffset } = reader.storage;
    if (flagOffset === undefined) {
      zeroMap(this.sys, reader.loaded);
      return;
    }
    const [raw] = readMap(this.sys, reader.loaded);
    if (raw === undefined) return;
    const kept = new Uint8Array(raw.value.length);
    for (const part of partsOf(reader, raw.value)) {
      const at = part.byteOffset - raw.value.byteOffset + flagOffset;
      kept.set(raw.value.subarray(at, at + 8), at);
    }
    mapUpdate(this.sys, reader.loaded.fd, raw.key, kept);
  }
}

function partsOf(reader: Reader, value: Uint8Array): readonly Uint8Array[] {
  if (!reader.storage.perCpu) return [value];
  return Array.from({ length: reader.loaded.cpus }, (_, cpu) => valueOfCpu(reader.loaded, value, cpu));
}

function isSet(reader: Reader, raw: RawEntry): boolean {
  const { flagOffset } = reader.storage;
  return (
    flagOffset === undefined ||
    partsOf(reader, raw.value).some((part) => viewOf(part).getBigUint64(flagOffset, true) !== 0n)
  );
}

function decodeEntry(reader: Reader, value: Uint8Array, resolver: Resolver): Value {
  const type = reader.map.value;
  if (reader.value !== undefined) return reader.value(viewOf(value), reader.storage.valueOffset, resolver);
  if (!isAggregate(type)) throw new Error("internal: a value without a decoder");
  return decodeAggregate(type, partsOf(reader, value).map(viewOf));
}
