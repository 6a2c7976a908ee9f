import type { AggregateType } from "../types/type.js";
import type { AnyType } from "./layout.js";
import { aggregateSize, histBuckets, isAggregate, layoutOf, lhistBuckets, seriesLayout } from "./layout.js";

/**
 * How the value of a key lies in the kernel if it is large and few of its cells are used: in chunks that are made when a
 * processor first needs them, in a map of their own by the key, followed by `u32 chunk; u32 processor`. Where the kernel cannot
 * allocate a chunk there are cells that were allocated before the programs run. Those that processors may share, if they take
 * little memory, are in the map of the script's name, which has the keys, all cells with each ({@link sharesCells}). Of others
 * it has a word only ({@link keyWord}), and a map of spare cells has a number of single ones: by the key,
 * `u32 cell; u32 processor`.
 */
export interface ChunkLayout {
  /** Cells of the whole value, and bytes of each. */
  readonly cells: number;
  readonly cellSize: number;
  /** A chunk has 2^shift cells. */
  readonly shift: number;
  readonly chunks: number;
  readonly chunkSize: number;
  /** Where in a key of the two maps the number of the chunk or cell and the processor are; bytes of the key. */
  readonly index: number;
  readonly cpu: number;
  readonly keySize: number;
}

/** Values of a processor up to here are allocated in one piece, before the programs run. */
const mostInOnePiece = 512;
const leastCells = 16;
const mostChunks = 16;

/** Cells of the aggregates that have many. */
export function cellsOf(type: AggregateType): { readonly count: number; readonly size: number } | undefined {
  if (type.kind === "hist") return { count: histBuckets(type.bits), size: 8 };
  if (type.kind === "lhist") return { count: lhistBuckets(type), size: 8 };
  if (type.kind === "tseries") return { count: type.intervals, size: seriesLayout.size };
  return undefined;
}

/** Undefined for maps whose values are in one piece: small ones, and those that the kernel drops (`percpulruhash`). */
export function chunkLayoutOf(map: {
  readonly key: readonly AnyType[] | undefined;
  readonly value: AnyType;
  readonly declared?: { readonly lru: boolean } | undefined;
}): ChunkLayout | undefined {
  if (map.key === undefined || map.declared?.lru === true || !isAggregate(map.value)) return undefined;
  const cells = cellsOf(map.value);
  if (cells === undefined || aggregateSize(map.value) <= mostInOnePiece) return undefined;
  const shift = Math.ceil(Math.log2(Math.max(leastCells, cells.count / mostChunks)));
  const index = layoutOf(map.key).size;
  return {
    cells: cells.count,
    cellSize: cells.size,
    shift,
    chunks: Math.ceil(cells.count / 2 ** shift),
    chunkSize: cells.size << shift,
    index,
    cpu: index + 4,
    keySize: index + 8,
  };
}

/** Names of the two maps; those of a script begin with @. */
export const chunkMapName = (map: string): string => `chunks${map}`;
export const spareMapName = (map: string): string => `spare${map}`;

/** The value of an entry of the map of keys if it has no cells: not 0 once the key has spare cells. */
export const keyWord = { hasSpare: 0, size: 8 } as const;

/** What cells that processors share may take of all keys together. */
const mostShared = 8 << 20;

/** Bytes of all cells. */
export const wholeSize = ({ cells, cellSize }: ChunkLayout): number => cells * cellSize;

/** Whether each key has its cells from the start, for as many keys. Intervals of tseries() cannot be updated by several processors. */
export const sharesCells = (layout: ChunkLayout, keys: number): boolean =>
  layout.cellSize === sharedCell && keys * wholeSize(layout) <= mostShared;

/** A cell of one word is a counter, which is added to atomically. */
const sharedCell = 8;

/** Keys can have a chunk of each kind on each processor up to here; that much is the table of a hash map, 16 bytes each. */
const mostChunkEntries = 1 << 20;
const mostSpareCells = 1 << 16;

/** How many chunks and spare cells there can be for so many keys. */
export function chunkRoom(
  layout: ChunkLayout,
  keys: number,
  cpus: number,
): { readonly chunks: number; readonly spare: number } {
  const all = keys * layout.chunks * cpus;
  return {
    // More keys than that were asked for: four chunks for each.
    chunks: Math.min(all, Math.max(mostChunkEntries, 4 * keys), 0xffff_ffff),
    spare: Math.min(Math.max(keys * Math.min(cpus, 4), 1024), mostSpareCells, keys * layout.cells * cpus),
  };
}

/** A chunk or a spare cell as it was read. */
export interface Piece {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The key of a chunk or a spare cell. */
export function keyOfPiece(layout: ChunkLayout, key: Uint8Array, index: number, cpu: number): Uint8Array {
  const bytes = new Uint8Array(layout.keySize);
  bytes.set(key.subarray(0, layout.index));
  const view = viewOf(bytes);
  view.setUint32(layout.index, index, true);
  view.setUint32(layout.cpu, cpu, true);
  return bytes;
}

type Kind = "chunk" | "spare";

/** Pieces by the keys of the script that they belong to. */
export class Pieces {
  private readonly layout: ChunkLayout;
  private readonly byKey = new Map<string, (Piece & { readonly kind: Kind })[]>();

  constructor(layout: ChunkLayout, chunks: Iterable<Piece>, spare: Iterable<Piece>) {
    this.layout = layout;
    this.add(chunks, "chunk");
    this.add(spare, "spare");
  }

  private add(pieces: Iterable<Piece>, kind: Kind): void {
    for (const { key, value } of pieces) {
      const text = this.textOf(key);
      const known = this.byKey.get(text);
      if (known === undefined) this.byKey.set(text, [{ key, value, kind }]);
      else known.push({ key, value, kind });
    }
  }

  private textOf(key: Uint8Array): string {
    return Buffer.from(key.buffer, key.byteOffset, this.layout.index).toString("latin1");
  }

  /** Whole values of processors. `value` is the key's own. */
  partsOf(key: Uint8Array, value: Uint8Array): readonly Uint8Array[] {
    const { cpu, index, cellSize, chunkSize } = this.layout;
    const parts = new Map<string, Uint8Array>();
    if (value.length === wholeSize(this.layout)) parts.set("shared", value);
    for (const piece of this.byKey.get(this.textOf(key)) ?? []) {
      const view = viewOf(piece.key);
      // A cell of a processor may be in a chunk and a spare one.
      const name = `${piece.kind} ${view.getUint32(cpu, true)}`;
      const bytes = parts.get(name) ?? new Uint8Array(wholeSize(this.layout));
      parts.set(name, bytes);
      const size = piece.kind === "chunk" ? chunkSize : cellSize;
      const at = view.getUint32(index, true) * size;
      // The last chunk has more cells than there are.
      if (at < bytes.length) bytes.set(piece.value.subarray(0, Math.min(size, bytes.length - at)), at);
    }
    return [...parts.values()];
  }
}
