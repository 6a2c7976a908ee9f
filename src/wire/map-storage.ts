import { u64 } from "../types/type.js";
import { type ChunkLayout, chunkLayoutOf, keyWord } from "./chunks.js";
import type { AnyType } from "./layout.js";
import { isAggregate, layoutOf, sizeOf } from "./layout.js";

/**
 * How a map of the script lies in the kernel. A scalar map is an array of one element: programs reach it without a
 * lookup, and a word in it says whether it has been set, because only then is it printed. Aggregates have a value per CPU.
 */
export interface MapStorage {
  readonly kind: "array" | "hash";
  readonly perCpu: boolean;
  /** Entries are those of one of two generations: the last 8 bytes of their key say which, or the index in an array. */
  readonly generation: boolean;
  /** Bytes. */
  readonly keySize: number;
  readonly valueSize: number;
  /** Where the value begins. */
  readonly valueOffset: number;
  /** u64, not 0 once the map was set; scalar maps only. */
  readonly flagOffset: number | undefined;
  /** The values are in a map of chunks; what this one has besides the keys is told there, too. */
  readonly chunks?: ChunkLayout;
}

export function storageOf(map: {
  readonly key: readonly AnyType[] | undefined;
  readonly value: AnyType;
  readonly declared?: { readonly lru: boolean } | undefined;
  readonly emptied?: boolean | undefined;
}): MapStorage {
  const generation = map.emptied === true;
  const key = generation && map.key !== undefined ? [...map.key, u64] : map.key;
  const chunks = chunkLayoutOf({ ...map, key });
  if (chunks !== undefined) {
    return {
      kind: "hash",
      perCpu: false,
      keySize: chunks.index,
      generation,
      valueSize: keyWord.size,
      valueOffset: 0,
      flagOffset: undefined,
      chunks,
    };
  }
  const perCpu = isAggregate(map.value);
  const size = Math.max(8, sizeOf(map.value) + 7 - ((sizeOf(map.value) + 7) % 8));
  if (key !== undefined) {
    return {
      kind: "hash",
      perCpu,
      generation,
      keySize: layoutOf(key).size,
      valueSize: size,
      valueOffset: 0,
      flagOffset: undefined,
    };
  }
  return { kind: "array", perCpu, generation, keySize: 4, valueSize: size + 8, valueOffset: 0, flagOffset: size };
}

/** Names of the maps that every object may have beside those of its script. */
export const systemMaps = {
  /** Ring buffer of records. */
  events: "events",
  /** Ring buffer of records that have user space act: they may not be lost to data. */
  control: "control",
  /** Control actions that found their ring full: a u64 for each action of the object, by its index, not 0 if it is wanted. */
  wishes: "wishes",
  /** Counters of what was lost, u64 each: exitSlot, lossCounters, then {@link mapLosses} of each map of the script in its order. */
  loss: "loss",
  /** Memory of programs that need more than the stack, for each processor. */
  scratch: "scratch",
  /** The same of programs that need more than {@link mostPerCpu}: an element for each program and processor. */
  largeScratch: "large_scratch",
  /** Zeros: what a key that is not there reads as. */
  zero: "zero",
  /** The generation of each map of the script in its order, u64: 0 or 1. */
  generations: "generations",
  /** Clocks at the start: {@link startWords}. */
  start: "start",
  /** Control groups that the trace is limited to: an array of references that bpf_current_task_under_cgroup() takes. */
  cgroups: "cgroups",
  /** Processes of the tree that the trace is limited to, u32 ids in the initial pid namespace; the value is their parent's. */
  tree: "tree",
  /** Parents by their children, of all processes that are made while user space looks for those of the tree. */
  births: "births",
  /** {@link treeState}. */
  treeState: "tree_state",
} as const;

/** Maps of programs that wait for room in a ring: see lower/waiting.ts. */
export const waitMaps = {
  /** {@link waitLayout}. */
  words: "wait_words",
  /** A map of maps, and what is put into it again and again. */
  outer: "wait_outer",
  inner: "wait_inner",
} as const;

/** u32 each: descriptors of the other two maps, which user space writes, and a key. */
export const waitLayout = { outer: 0, key: 4, inner: 8, size: 16 } as const;

/** Words of the tree_state map: not 0 while births are noted. */
export const treeState = { noting: 0, size: 8 } as const;

/** Processes that a tree can have at one time, and births that can be noted. */
export const mostTreeProcesses = 32768;

/** Words of the start map: monotonic time of the start, and what to add to such times for nanoseconds since 1970. */
export const startWords = { monotonic: 0, wallOffset: 8, size: 16 } as const;

/** Bytes that the kernel allocates at most for one value of each processor: PCPU_MIN_UNIT_SIZE, include/linux/percpu.h. */
export const mostPerCpu = 32768;

/** First word of the loss map: 1 + the status of an exit() that found the ring full, else 0. */
export const exitSlot = 0;

/** Second word of the loss map: not 0 once a program has asked for the end. */
export const exitedSlot = 1;

/** Word of the first counter in the loss map. */
export const firstLossSlot = 2;

export const lossCounters = [
  "ring-full",
  "stack-collision",
  "scratch-busy",
  "loop-too-long",
  "tree-full",
  "returns-nested",
  "unwind-no-process",
  "unwind-processes-full",
  "unwind-unmapped",
  "unwind-no-table",
  "unwind-no-rule",
  "unwind-unreadable",
  "unwind-stacks-full",
  "kept-memory",
  "kept-busy",
  "cut",
] as const;

/** Why a map took no update, a counter of each map for each. */
export const mapLosses = ["map-full", "map-memory", "map-busy"] as const;
export type MapLoss = (typeof mapLosses)[number];

/** Stacks of addresses, or of places in files by the files' build ids. */
export const stackMapName = (depth: number, buildIds = false): string => `${buildIds ? "build_ids" : "stacks"}${depth}`;

/** Stacks of addresses that the one above has no room for, by a hash of theirs. */
export const overflowMapName = (depth: number): string => `more_stacks${depth}`;

/** u64 number of frames, then their addresses. */
export const overflowLayout = { count: 0, frames: 8 } as const;

/** Ids from here on are such hashes; those of the kernel's map are below 2^32. */
export const firstOverflowId: bigint = 1n << 62n;

/** struct bpf_stack_build_id, uapi/linux/bpf.h: `{ s32 status; u8 build_id[20]; u64 offset or address }`. */
export const buildIdFrame = { status: 0, id: 4, idSize: 20, offset: 24, size: 32, valid: 1 } as const;
