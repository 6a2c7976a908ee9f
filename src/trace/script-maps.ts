import { BPF_NOEXIST } from "../abi/bpf.js";
import { E2BIG, EEXIST } from "../abi/errno.js";
import { zeroed } from "../abi/struct.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { type RawEntry, readMap, readMapInPieces, readValue, valueBytes, valueOfCpu } from "../load/map-reader.js";
import { mapDelete, mapTake, mapUpdate, mapUpdateInThread } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
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
import { type MapStorage, storageOf, systemMaps, waitMaps } from "../wire/map-storage.js";
import type { Emptying } from "../wire/record.js";
import type { UserMap } from "../wire/user-map.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import type { PendingStacks } from "./pending-stacks.js";
import { addWords, StackKeys } from "./stack-keys.js";

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Reader {
  readonly map: UserMap;
  readonly loaded: LoadedMap;
  readonly storage: MapStorage;
  readonly keys: readonly { readonly decode: Decoder; readonly offset: number }[];
  readonly value: Decoder | undefined;
  /** What programs add to, of a map that the script empties; its place in the map of generations. */
  generation: number;
  readonly index: number;
  /** A map without keys counts as set though programs have not done so since it was set to zero. */
  isZero: boolean;
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
    maps: ReadonlyMap<string, UserMap>,
    loaded: LoadedObject,
    { cpus, pending }: { readonly cpus: number; readonly pending?: PendingStacks | undefined },
  ) {
    this.sys = sys;
    this.cpus = cpus;
    this.loaded = loaded;
    this.pending = pending;
    for (const [index, map] of [...maps.values()].entries()) {
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
      this.readers.set(map.name, {
        map,
        loaded: loaded.map(map.name),
        storage,
        keys,
        value,
        generation: 0,
        index,
        isZero: false,
        stacks,
        pieces,
      });
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
  async snapshotInPieces(name: string, resolver: Resolver, generation?: number): Promise<MapSnapshot> {
    const pieces = this.pieces(name, resolver, generation);
    let until = performance.now() + sliceMilliseconds;
    for (;;) {
      const next = pieces.next();
      if (next.done === true) return next.value;
      if (performance.now() < until) continue;
      await new Promise(setImmediate);
      until = performance.now() + sliceMilliseconds;
    }
  }

  private *pieces(
    name: string,
    resolver: Resolver,
    generation = this.reader(name).generation,
  ): Generator<undefined, MapSnapshot> {
    const reader = this.reader(name);
    const entries: { key: readonly Value[]; value: Value }[] = [];
    const add = (bytes: Uint8Array, parts: readonly Uint8Array[]): void => {
      const view = viewOf(bytes);
      const key = reader.keys.map(({ decode, offset }) => decode(view, offset, resolver));
      entries.push({ key, value: decodeParts(reader, parts, resolver) });
    };
    if (reader.pieces === undefined && (reader.stacks === undefined || reader.stacks.isPlain)) {
      for (const raws of readMapInPieces(this.sys, reader.loaded)) {
        for (const raw of raws)
          if (isOf(reader, generation, raw) && isSet(reader, raw)) add(raw.key, partsOf(reader, raw.value));
        yield;
      }
    } else
      for (const { key, parts } of this.read(reader, generation)) {
        add(key, parts);
        if (entries.length % manyEntries === 0) yield;
      }
    const snapshot = { name, keyed: reader.map.key !== undefined, entries };
    return reader.isZero ? this.withZeros(name, snapshot, resolver) : snapshot;
  }

  /** Keys with their values of each processor or piece, of one generation. */
  private read(
    reader: Reader,
    generation = reader.generation,
  ): readonly { readonly key: Uint8Array; readonly parts: readonly Uint8Array[] }[] {
    const found = readMap(this.sys, reader.loaded).filter((raw) => isOf(reader, generation, raw) && isSet(reader, raw));
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
    return this.withZeros(name, this.snapshot(name, resolver), resolver);
  }

  private withZeros(name: string, snapshot: MapSnapshot, resolver: Resolver): MapSnapshot {
    const reader = this.reader(name);
    const { kind } = reader.map.value;
    if (snapshot.keyed || snapshot.entries.length > 0 || kind === "hist" || kind === "lhist" || kind === "tseries")
      return snapshot;
    const zeros = new Uint8Array(reader.storage.valueSize * Math.max(1, reader.loaded.cpus));
    return { ...snapshot, entries: [{ key: [], value: decodeEntry(reader, zeros, resolver) }] };
  }

  entry(name: string, key: Uint8Array, resolver: Resolver): Value | undefined {
    const reader = this.reader(name);
    const used = keyIn(reader, key);
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

  /**
   * Empties a map: programs begin another generation, and the former is removed when none works with it any more. `use` gets
   * its number before, or undefined if the map has been empty. Programs take keys first, too, when they delete one: no piece stays
   * without its key.
   */
  private async empty(
    name: string,
    how: Emptying,
    use?: (generation: number | undefined) => Promise<void>,
  ): Promise<void> {
    const reader = this.reader(name);
    const former = reader.generation;
    reader.isZero &&= how === "zero";
    // There is nothing to wait for: what programs add from here on, they add behind this.
    if (this.isEmpty(reader)) return use?.(undefined);
    reader.generation = 1 - former;
    this.writeGenerations();
    await this.waitForPrograms();
    await use?.(former);
    const raws = readMap(this.sys, reader.loaded).filter((raw) => isOf(reader, former, raw));
    if (how === "zero") for (const raw of raws) if (isSet(reader, raw)) this.addZero(reader, raw);
    for (const { key } of raws) {
      if (reader.storage.kind === "array")
        mapUpdate(this.sys, reader.loaded.fd, key, zeroed(valueBytes(reader.loaded)));
      else mapDelete(this.sys, reader.loaded.fd, key);
    }
    for (const map of reader.pieces === undefined ? [] : [reader.pieces.chunks, reader.pieces.spare]) {
      if (map === undefined) continue;
      for (const { key } of readMap(this.sys, map))
        if (generationAt(key, reader.storage.keySize - generationSize) === former) mapDelete(this.sys, map.fd, key);
    }
    if (how === "clear") reader.stacks?.clear();
    else reader.stacks?.zero();
  }

  private isEmpty(reader: Reader): boolean {
    for (const raws of readMapInPieces(this.sys, reader.loaded))
      if (raws.some((raw) => isOf(reader, reader.generation, raw) && isSet(reader, raw))) return false;
    return reader.stacks === undefined || reader.stacks.isPlain;
  }

  /** The same key in the generation of now, with no value: unless programs have it there already. */
  private addZero(reader: Reader, { key, value }: RawEntry): void {
    const { loaded, storage, generation } = reader;
    if (storage.kind === "array") {
      reader.isZero = true;
      return;
    }
    const fresh = copyOf(key);
    viewOf(fresh).setBigUint64(storage.keySize - generationSize, BigInt(generation), true);
    try {
      mapUpdate(this.sys, loaded.fd, fresh, zeroed(value.length), BPF_NOEXIST);
    } catch (error) {
      if (!(error instanceof SyscallError && (error.errno === EEXIST || error.errno === E2BIG))) throw error;
    }
  }

  /** Waits until no program works with what it has found before. */
  private async waitForPrograms(): Promise<void> {
    const [outer, inner] = [this.loaded.map(waitMaps.outer), this.loaded.map(waitMaps.inner)];
    const value = zeroed(4);
    new DataView(value.buffer).setUint32(0, inner.fd.raw, true);
    await mapUpdateInThread(this.sys, outer.fd, zeroed(4), value);
  }

  clear(name: string): Promise<void> {
    return this.empty(name, "clear");
  }

  /** Sets values to zero; what was not set stays unset. */
  zero(name: string): Promise<void> {
    return this.empty(name, "zero");
  }

  /** Shows what has been counted until now and empties the map: each update is in the snapshot or in the map behind. */
  async take(
    name: string,
    how: Emptying,
    resolver: Resolver,
    show: (map: MapSnapshot) => Promise<void>,
  ): Promise<void> {
    await this.empty(name, how, async (generation) => {
      const keyed = this.reader(name).map.key !== undefined;
      const empty = { name, keyed, entries: [] };
      const snapshot = generation === undefined ? empty : await this.snapshotInPieces(name, resolver, generation);
      await show(this.withZeros(name, snapshot, resolver));
    });
  }

  private writeGenerations(): void {
    const loaded = this.loaded.map(systemMaps.generations);
    const words = zeroed(valueBytes(loaded));
    const view = new DataView(words.buffer);
    for (const { index, generation } of this.readers.values()) view.setBigUint64(8 * index, BigInt(generation), true);
    mapUpdate(this.sys, loaded.fd, zeroed(4), words);
  }
}

/** Bytes of the generation at the end of a key. */
const generationSize = 8;

const generationAt = (key: Uint8Array, at: number): number => Number(viewOf(key).getBigUint64(at, true));

/** Whether an entry is of a generation; of a map that is never emptied all are. */
function isOf({ storage }: Reader, generation: number, { key }: RawEntry): boolean {
  if (!storage.generation) return true;
  const own =
    storage.kind === "array" ? viewOf(key).getUint32(0, true) : generationAt(key, storage.keySize - generationSize);
  return own === generation;
}

/** The key of an entry as the kernel has it, from what programs have sent of it. */
function keyIn({ storage, generation }: Reader, key: Uint8Array): Uint8Array {
  const used = zeroed(storage.kind === "array" ? 4 : storage.keySize);
  const view = new DataView(used.buffer);
  if (storage.kind === "array") view.setUint32(0, storage.generation ? generation : 0, true);
  else if (!storage.generation) used.set(key.subarray(0, storage.keySize));
  else {
    used.set(key.subarray(0, storage.keySize - generationSize));
    view.setBigUint64(storage.keySize - generationSize, BigInt(generation), true);
  }
  return used;
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
