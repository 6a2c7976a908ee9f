import { zeroed } from "../abi/struct.js";
import type { TypedMap } from "../language/typed.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import {
  clearMap,
  type RawEntry,
  readMap,
  readMapInPieces,
  readValue,
  valueBytes,
  valueOfCpu,
  zeroMap,
} from "../load/map-reader.js";
import { mapDelete, mapTake, mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
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
import type { PendingStacks } from "./pending-stacks.js";
import { addWords, StackKeys } from "./stack-keys.js";

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Reader {
  readonly map: TypedMap;
  readonly loaded: LoadedMap;
  readonly storage: MapStorage;
  readonly keys: readonly { readonly decode: Decoder; readonly offset: number }[];
  readonly value: Decoder | undefined;
  /** There if keys have stacks that programs unwind. */
  readonly stacks: StackKeys | undefined;
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

/** Entries of a map that are read and decoded in far less than a second, and how long it is done at a time. */
const manyEntries = 20_000;
const sliceMilliseconds = 50;

/** Stacks that were sent before their keys are put together with those of the others: they fill the maps. */
const mostFresh = 512;

/** The maps of a script as user space sees them. */
export class ScriptMaps {
  private readonly sys: Sys;
  private readonly cpus: number;
  private readonly readers = new Map<string, Reader>();

  private readonly loaded: LoadedObject;
  private readonly pending: PendingStacks | undefined;

  constructor(
    sys: Sys,
    maps: ReadonlyMap<string, TypedMap>,
    loaded: LoadedObject,
    { cpus, pending }: { readonly cpus: number; readonly pending?: PendingStacks | undefined },
  ) {
    this.sys = sys;
    this.cpus = cpus;
    this.loaded = loaded;
    this.pending = pending;
    for (const map of maps.values()) {
      const { offsets } = layoutOf(map.key ?? []);
      const keys = (map.key ?? []).map((type, i) => ({ decode: decoderFor(type), offset: offsets[i] ?? 0 }));
      const value = isAggregate(map.value) ? undefined : decoderFor(map.value);
      const stacks = StackKeys.of(map, pending);
      const storage = storageOf(map);
      const layout = storage.chunks;
      const isShared = layout !== undefined && loaded.map(map.name).spec.valueSize === wholeSize(layout);
      const pieces = layout && {
        layout,
        chunks: loaded.map(chunkMapName(map.name)),
        spare: isShared ? undefined : loaded.map(spareMapName(map.name)),
      };
      this.readers.set(map.name, { map, loaded: loaded.map(map.name), storage, keys, value, stacks, pieces });
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

  /** Whether a map may have so many entries that it should be read by {@link snapshotInPieces}. */
  isLarge(name: string): boolean {
    return this.reader(name).loaded.spec.maxEntries > manyEntries;
  }

  /** Every entry that is set, at about this moment. */
  snapshot(name: string, resolver: Resolver): MapSnapshot {
    const pieces = this.pieces(name, resolver);
    for (;;) {
      const next = pieces.next();
      if (next.done === true) return next.value;
    }
  }

  /** The same, with pauses in which signals are heard. */
  async snapshotInPieces(name: string, resolver: Resolver): Promise<MapSnapshot> {
    const pieces = this.pieces(name, resolver);
    let until = performance.now() + sliceMilliseconds;
    for (;;) {
      const next = pieces.next();
      if (next.done === true) return next.value;
      if (performance.now() < until) continue;
      await new Promise(setImmediate);
      until = performance.now() + sliceMilliseconds;
    }
  }

  private *pieces(name: string, resolver: Resolver): Generator<undefined, MapSnapshot> {
    const reader = this.reader(name);
    const entries: { key: readonly Value[]; value: Value }[] = [];
    const add = (bytes: Uint8Array, parts: readonly Uint8Array[]): void => {
      const view = viewOf(bytes);
      const key = reader.keys.map(({ decode, offset }) => decode(view, offset, resolver));
      entries.push({ key, value: decodeParts(reader, parts, resolver) });
    };
    if (reader.pieces === undefined && (reader.stacks === undefined || reader.stacks.isPlain)) {
      for (const raws of readMapInPieces(this.sys, reader.loaded)) {
        for (const raw of raws) if (isSet(reader, raw)) add(raw.key, partsOf(reader, raw.value));
        yield;
      }
    } else
      for (const { key, parts } of this.read(reader)) {
        add(key, parts);
        if (entries.length % manyEntries === 0) yield;
      }
    return { name, keyed: reader.map.key !== undefined, entries };
  }

  /** Keys with their values of each processor or piece. */
  private read(reader: Reader): readonly { readonly key: Uint8Array; readonly parts: readonly Uint8Array[] }[] {
    const found = readMap(this.sys, reader.loaded).filter((raw) => isSet(reader, raw));
    // Behind the keys: a key is there before it has pieces.
    const pieces = reader.pieces && readPieces(this.sys, reader.pieces);
    const entries = found.map(({ key, value }) => ({
      key,
      parts: pieces === undefined ? partsOf(reader, value) : pieces.partsOf(key, value),
    }));
    const { stacks } = reader;
    return stacks === undefined || stacks.isPlain ? entries : stacks.merged(entries);
  }

  /** Puts keys of stacks that were sent together with the others, if there are many. */
  afterTurn(): void {
    if (this.pending !== undefined && this.pending.fresh >= mostFresh) this.sweep();
  }

  private sweep(): void {
    const { sys, pending, loaded } = this;
    if (pending === undefined || pending.fresh === 0) return;
    for (const reader of this.readers.values()) {
      const { stacks } = reader;
      // Values in pieces are put together when they are shown.
      if (stacks === undefined || reader.pieces !== undefined) continue;
      for (const { key } of readMap(sys, reader.loaded)) {
        const final = stacks.final(key);
        if (final === key) continue;
        const own = copyOf(key);
        const value = zeroed(valueBytes(reader.loaded));
        if (!mapTake(sys, reader.loaded.fd, own, value)) continue;
        stacks.add(final, partsOf(reader, value));
        // Whoever wants to show it finds it with the others that were sent.
        for (const { map, id } of stacks.idsIn(own))
          if (pending.isSent(id)) mapDelete(sys, loaded.map(map).fd, copyOf(id));
      }
    }
    pending.swept();
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
    if (reader.stacks !== undefined && !reader.stacks.isPlain)
      return this.entryOfStack(reader, reader.stacks, used, resolver);
    const value = readValue(this.sys, reader.loaded, used);
    if (value !== undefined && reader.pieces !== undefined)
      return this.entryOfPieces(reader, reader.pieces, used, value, resolver);
    return value === undefined || !isSet(reader, { key: used, value })
      ? undefined
      : decodeEntry(reader, value, resolver);
  }

  private entryOfStack(reader: Reader, stacks: StackKeys, key: Uint8Array, resolver: Resolver): Value | undefined {
    this.sweep();
    const final = stacks.final(key);
    if (reader.pieces !== undefined) {
      const found = this.read(reader).find((each) => Buffer.compare(each.key, final) === 0);
      return found && decodeParts(reader, found.parts, resolver);
    }
    const value = readValue(this.sys, reader.loaded, copyOf(final));
    const parts = [...(value === undefined ? [] : partsOf(reader, value)), ...stacks.partsOf(final)];
    return parts.length === 0 ? undefined : decodeParts(reader, parts, resolver);
  }

  private entryOfPieces(
    reader: Reader,
    { layout, chunks, spare }: PieceMaps,
    key: Uint8Array,
    own: Uint8Array,
    resolver: Resolver,
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
    return decodeParts(reader, pieces.partsOf(key, own), resolver);
  }

  /** Programs take keys first, too, when they delete one: no piece stays without its key. */
  clear(name: string): void {
    const { loaded, pieces, stacks } = this.reader(name);
    clearMap(this.sys, loaded);
    if (pieces !== undefined) clearPieces(this.sys, pieces);
    stacks?.clear();
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
    reader.stacks?.zero();
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

const decodeEntry = (reader: Reader, value: Uint8Array, resolver: Resolver): Value =>
  decodeParts(reader, partsOf(reader, value), resolver);

/** Of more than one part an integer is the sum: only what is added to has them. */
function decodeParts(reader: Reader, parts: readonly Uint8Array[], resolver: Resolver): Value {
  const type = reader.map.value;
  if (isAggregate(type)) return decodeAggregate(type, parts.map(viewOf));
  if (reader.value === undefined) throw new Error("internal: a value without a decoder");
  const [first = new Uint8Array(8)] = parts;
  if (parts.length === 1) return reader.value(viewOf(first), reader.storage.valueOffset, resolver);
  const sum = zeroed(8);
  for (const part of parts) addWords(sum, part);
  return reader.value(viewOf(sum), 0, resolver);
}

function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = zeroed(bytes.length);
  copy.set(bytes);
  return copy;
}
