import type { TypedMap } from "../language/typed.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { clearMap, type RawEntry, readMap, readValue, valueOfCpu, zeroMap } from "../load/map-reader.js";
import { mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import type { Type } from "../types/type.js";
import { decodeAggregate } from "../wire/aggregate.js";
import {
  type ChunkLayout,
  chunkMapName,
  keyOfPiece,
  keyWord,
  type Piece,
  Pieces,
  spareMapName,
  wholeSize,
} from "../wire/chunks.js";
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
  /** Where its values are, if they are in pieces. */
  readonly pieces:
    | {
        readonly layout: ChunkLayout;
        readonly chunks: LoadedMap;
        /** If the map of the keys has none of them. */
        readonly spare: LoadedMap | undefined;
      }
    | undefined;
}

/** The maps of a script as user space sees them. */
export class ScriptMaps {
  private readonly sys: Sys;
  private readonly cpus: number;
  private readonly readers = new Map<string, Reader>();

  constructor(sys: Sys, maps: ReadonlyMap<string, TypedMap>, loaded: LoadedObject, cpus: number) {
    this.sys = sys;
    this.cpus = cpus;
    for (const map of maps.values()) {
      const { offsets } = layoutOf(map.key ?? []);
      const keys = (map.key ?? []).map((type, i) => ({ decode: decoderFor(type), offset: offsets[i] ?? 0 }));
      const value = isAggregate(map.value) ? undefined : decoderFor(map.value);
      const storage = storageOf(map);
      const layout = storage.chunks;
      const isShared = layout !== undefined && loaded.map(map.name).spec.valueSize === wholeSize(layout);
      const pieces = layout && {
        layout,
        chunks: loaded.map(chunkMapName(map.name)),
        spare: isShared ? undefined : loaded.map(spareMapName(map.name)),
      };
      this.readers.set(map.name, { map, loaded: loaded.map(map.name), storage, keys, value, pieces });
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
    const raws = readMap(this.sys, reader.loaded);
    // Behind the keys: a key is there before it has pieces.
    const pieces = reader.pieces && readPieces(this.sys, reader.pieces);
    for (const raw of raws) {
      if (!isSet(reader, raw)) continue;
      const view = viewOf(raw.key);
      const key = reader.keys.map(({ decode, offset }) => decode(view, offset, resolver));
      const value =
        pieces === undefined
          ? decodeEntry(reader, raw.value, resolver)
          : decodeParts(reader.map.value, pieces.partsOf(raw.key, raw.value));
      entries.push({ key, value });
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
    if (value !== undefined && reader.pieces !== undefined)
      return this.entryOfPieces(reader, reader.pieces, used, value);
    return value === undefined || !isSet(reader, { key: used, value })
      ? undefined
      : decodeEntry(reader, value, resolver);
  }

  private entryOfPieces(
    { map }: Reader,
    { layout, chunks, spare }: PieceMaps,
    key: Uint8Array,
    own: Uint8Array,
  ): Value {
    const found: Piece[] = [];
    for (let chunk = 0; chunk < layout.chunks; chunk++) {
      for (let cpu = 0; cpu < this.cpus; cpu++) {
        const of = keyOfPiece(layout, key, chunk, cpu);
        const value = readValue(this.sys, chunks, of);
        if (value !== undefined) found.push({ key: of, value });
      }
    }
    const hasSpare = spare !== undefined && viewOf(own).getBigUint64(keyWord.hasSpare, true) !== 0n;
    const pieces = new Pieces(layout, found, hasSpare ? readMap(this.sys, spare) : []);
    return decodeParts(map.value, pieces.partsOf(key, own));
  }

  /** Programs take keys first, too, when they delete one: no piece stays without its key. */
  clear(name: string): void {
    const { loaded, pieces } = this.reader(name);
    clearMap(this.sys, loaded);
    if (pieces !== undefined) clearPieces(this.sys, pieces);
  }

  /** Sets values to zero; what was not set stays unset. */
  zero(name: string): void {
    const reader = this.reader(name);
    if (reader.pieces !== undefined) {
      // Without pieces a key's value is what it has itself.
      if (reader.pieces.spare === undefined) zeroMap(this.sys, reader.loaded);
      clearPieces(this.sys, reader.pieces);
      return;
    }
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

type PieceMaps = NonNullable<Reader["pieces"]>;

const readPieces = (sys: Sys, { layout, chunks, spare }: PieceMaps): Pieces =>
  new Pieces(layout, readMap(sys, chunks), spare === undefined ? [] : readMap(sys, spare));

function clearPieces(sys: Sys, { chunks, spare }: PieceMaps): void {
  clearMap(sys, chunks);
  if (spare !== undefined) clearMap(sys, spare);
}

function decodeParts(type: Type, parts: readonly DataView[]): Value {
  if (!isAggregate(type)) throw new Error("internal: a value without a decoder");
  return decodeAggregate(type, parts);
}

function decodeEntry(reader: Reader, value: Uint8Array, resolver: Resolver): Value {
  const type = reader.map.value;
  if (reader.value !== undefined) return reader.value(viewOf(value), reader.storage.valueOffset, resolver);
  return decodeParts(type, partsOf(reader, value).map(viewOf));
}
