import {
  BPF_F_INNER_MAP,
  BPF_F_MMAPABLE,
  BPF_F_NO_PREALLOC,
  BPF_F_RDONLY_PROG,
  BPF_F_STACK_BUILD_ID,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_CGROUP_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_STACK_TRACE,
} from "../abi/bpf.js";
import { type Config, defaultConfig } from "../language/config.js";
import type { TypedMap } from "../language/typed.js";
import type { StackType } from "../types/type.js";
import { chunkMapName, chunkRoom, sharesCells, spareMapName, wholeSize } from "../wire/chunks.js";
import { align8 } from "../wire/layout.js";
import {
  buildIdFrame,
  firstLossSlot,
  lossCounters,
  mapLosses,
  mostTreeProcesses,
  overflowLayout,
  overflowMapName,
  startWords,
  storageOf,
  systemMaps,
  treeState,
  waitLayout,
  waitMaps,
} from "../wire/map-storage.js";
import {
  fileKey,
  fileQuestion,
  mostTables,
  mostUnwound,
  pendingMap,
  processSize,
  rowLayout,
  unwindMaps,
  unwoundLayout,
  unwoundMapName,
  wantedLayout,
} from "../wire/unwind.js";
import { syscallTableName } from "./context.js";
import type { ObjectBuilder } from "./object-builder.js";
import { entriesOf, roomForStacks } from "./stack-room.js";

/** What the kernel is asked for; bpf/object.ts has the same as MapSpec. */
interface Spec {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly inner?: Pick<Spec, "type" | "keySize" | "valueSize" | "flags">;
  readonly initial?: Uint8Array;
  readonly frozen?: boolean;
}

/** Tables of unwinding; user space writes their rows through a mapping of its own. */
const rowTable = {
  type: BPF_MAP_TYPE_ARRAY,
  keySize: 4,
  valueSize: rowLayout.size,
  flags: BPF_F_INNER_MAP | BPF_F_MMAPABLE,
} as const;

/** Stacks that a map can hold; it is a hash table without chains, so that it must be much larger than what it holds. */
const stackEntries = 16384;
/** Stacks that may be kept besides, because their bucket in it is taken; more where maps of the script need more. */
const overflowEntries = 8192;
/** Maps up to here are allocated before the programs run; a larger one's values when their keys come. */
const mostPreallocated = 32 << 20;
const pageSize = 4096;
/** Records with stacks are ten times as large as others; the tables of stacks that they do without took as much memory. */
const largerForStacks = 4;
/** Bytes of the ring for records that have user space act. */
const controlSize = 256 << 10;
/**
 * Records with the memory of stacks, which come in a burst when a trace begins: up to 65 KiB each, from each processor. The kernel
 * takes 1.4 ms to make each 10 MiB of a ring.
 */
const largerForMemory = (cpus: number): number => Math.min(32, 8 * cpus);

/** All maps of an object, in a fixed order. */
export function mapSpecs(object: ObjectBuilder, config: Config): readonly Spec[] {
  const { script } = object;
  const specs: Spec[] = [];
  for (const map of script.maps.values()) specs.push(...scriptMap(map, config, object.kernel.possibleCpus));
  const array = (name: string, valueSize: number, initial?: Uint8Array): Spec => ({
    name,
    type: BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: align8(valueSize),
    maxEntries: 1,
    flags: initial === undefined ? 0 : BPF_F_RDONLY_PROG,
    ...(initial === undefined ? {} : { initial, frozen: true }),
  });
  if (object.records.length > 0) {
    const isChosen = config.perf_rb_pages !== defaultConfig.perf_rb_pages;
    const larger = object.pendingStacks
      ? largerForMemory(object.kernel.possibleCpus)
      : object.stacksTravel
        ? largerForStacks
        : 1;
    const pages = config.perf_rb_pages * (isChosen ? 1 : larger);
    const size = 2 ** Math.ceil(Math.log2(pages * pageSize));
    specs.push({
      name: systemMaps.events,
      type: BPF_MAP_TYPE_RINGBUF,
      keySize: 0,
      valueSize: 0,
      maxEntries: size,
      flags: 0,
    });
  }
  if (object.records.some(({ isControl }) => isControl))
    specs.push({
      name: systemMaps.control,
      type: BPF_MAP_TYPE_RINGBUF,
      keySize: 0,
      valueSize: 0,
      maxEntries: controlSize,
      flags: 0,
    });
  if (object.records.some(({ mayWait }) => mayWait)) specs.push(array(systemMaps.wishes, 8 * object.records.length));
  const emptied = [...script.maps.values()].some((map) => map.emptied);
  if (emptied) specs.push(array(systemMaps.generations, 8 * script.maps.size));
  if (object.waits || emptied) {
    const inner = { type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, flags: 0 };
    specs.push(array(waitMaps.words, waitLayout.size));
    specs.push({ name: waitMaps.inner, ...inner, maxEntries: 1 });
    const outer = { type: BPF_MAP_TYPE_ARRAY_OF_MAPS, keySize: 4, valueSize: 4, flags: 0 };
    specs.push({ name: waitMaps.outer, ...outer, maxEntries: 1, inner });
  }
  specs.push(array(systemMaps.loss, 8 * (firstLossSlot + lossCounters.length + mapLosses.length * script.maps.size)));
  if (object.zeroSize > 8 || script.maps.size > 0)
    specs.push(array(systemMaps.zero, object.zeroSize, new Uint8Array(align8(object.zeroSize))));
  if (object.usesStart) specs.push(array(systemMaps.start, startWords.size, new Uint8Array(startWords.size)));
  const { cgroups = 0, tree = false } = object.filter;
  if (cgroups > 0) {
    const type = BPF_MAP_TYPE_CGROUP_ARRAY;
    specs.push({ name: systemMaps.cgroups, type, keySize: 4, valueSize: 4, maxEntries: cgroups, flags: 0 });
  }
  if (tree) {
    for (const name of [systemMaps.tree, systemMaps.births])
      specs.push({
        name,
        type: BPF_MAP_TYPE_HASH,
        keySize: 4,
        valueSize: 4,
        maxEntries: mostTreeProcesses,
        flags: BPF_F_NO_PREALLOC,
      });
    specs.push(array(systemMaps.treeState, treeState.size));
  }
  for (const [name, { depth, buildIds }] of object.stackMaps) {
    specs.push({
      name,
      type: BPF_MAP_TYPE_STACK_TRACE,
      keySize: 4,
      valueSize: depth * (buildIds ? buildIdFrame.size : 8),
      maxEntries: stackEntries,
      flags: buildIds ? BPF_F_STACK_BUILD_ID : 0,
    });
  }
  for (const depth of object.overflowDepths) {
    specs.push({
      name: overflowMapName(depth),
      type: BPF_MAP_TYPE_HASH,
      keySize: 8,
      valueSize: overflowLayout.frames + 8 * depth,
      ...roomForStacks(
        script.maps,
        config,
        overflowEntries,
        (stack) => stack.depth === depth && stack.unwound !== true,
      ),
    });
  }
  specs.push(...unwindSpecs(object, config));
  const isLarge = (program: number): boolean => object.largeScratch.has(program);
  const largest = (large: boolean): number =>
    Math.max(0, ...[...object.scratchSizes].flatMap(([program, size]) => (isLarge(program) === large ? [size] : [])));
  const scratch = (name: string, type: number, size: number, maxEntries: number): void => {
    if (size > 0) specs.push({ name, type, keySize: 4, valueSize: align8(size), maxEntries, flags: 0 });
  };
  scratch(systemMaps.scratch, BPF_MAP_TYPE_PERCPU_ARRAY, largest(false), script.programs.length);
  const elements = object.largeScratch.size * object.kernel.possibleCpus;
  scratch(systemMaps.largeScratch, BPF_MAP_TYPE_ARRAY, largest(true), elements);
  for (const [program, table] of object.syscallTables) {
    const bytes = new Uint8Array(align8(table.byteLength));
    bytes.set(new Uint8Array(table.buffer));
    specs.push(array(syscallTableName(program), bytes.length, bytes));
  }
  for (const [name, table] of object.tables) {
    const bytes = new Uint8Array(align8(table.length));
    bytes.set(table);
    specs.push(array(name, bytes.length, bytes));
  }
  return specs;
}

/** What programs unwind stacks with. */
function unwindSpecs(
  { unwinds, pendingStacks, unwoundDepths, script }: ObjectBuilder,
  config: Config,
): readonly Spec[] {
  if (!unwinds) return [];
  const hash = (name: string, keySize: number, valueSize: number, maxEntries: number, flags: number): Spec => ({
    name,
    type: BPF_MAP_TYPE_HASH,
    keySize,
    valueSize,
    maxEntries,
    flags,
  });
  return [
    hash(unwindMaps.processes, 4, processSize, mostUnwound, BPF_F_NO_PREALLOC),
    {
      name: unwindMaps.tables,
      type: BPF_MAP_TYPE_HASH_OF_MAPS,
      keySize: fileKey.size,
      valueSize: 4,
      maxEntries: mostTables,
      flags: 0,
      inner: rowTable,
    },
    {
      name: fileQuestion.map,
      type: BPF_MAP_TYPE_ARRAY,
      keySize: 4,
      valueSize: fileQuestion.size,
      maxEntries: 1,
      flags: 0,
    },
    ...(pendingStacks
      ? [{ name: pendingMap, type: BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1, flags: 0 }]
      : []),
    hash(unwindMaps.news, 4, 8, mostUnwound, 0),
    hash(unwindMaps.wanted, fileKey.size, wantedLayout.size, mostTables, 0),
    ...[...unwoundDepths].map((depth) => {
      const unwound = (stack: StackType): boolean => stack.depth === depth && stack.unwound === true;
      const { maxEntries, flags } = roomForStacks(script.maps, config, stackEntries, unwound);
      return hash(unwoundMapName(depth), 8, unwoundLayout.frames + 8 * depth, maxEntries, flags);
    }),
  ];
}

function scriptMap(map: TypedMap, config: Config, cpus: number): readonly Spec[] {
  const { name, declared } = map;
  const storage = storageOf(map);
  const { keySize, valueSize } = storage;
  if (storage.kind === "array") {
    const type = storage.perCpu ? BPF_MAP_TYPE_PERCPU_ARRAY : BPF_MAP_TYPE_ARRAY;
    return [{ name, type, keySize, valueSize, maxEntries: storage.generation ? 2 : 1, flags: 0 }];
  }
  // Two generations may be there for a moment. They share a size that the script has declared.
  const keys = entriesOf(map, config);
  const maxEntries = keys * (storage.generation && declared === undefined ? 2 : 1);
  // The kernel frees the keys that were not used for the longest; it wants the memory of all of them from the start.
  if (declared?.lru === true) {
    const type = storage.perCpu ? BPF_MAP_TYPE_LRU_PERCPU_HASH : BPF_MAP_TYPE_LRU_HASH;
    return [{ name, type, keySize, valueSize, maxEntries, flags: 0 }];
  }
  const type = storage.perCpu ? BPF_MAP_TYPE_PERCPU_HASH : BPF_MAP_TYPE_HASH;
  if (storage.chunks !== undefined) {
    const { chunks } = storage;
    const room = chunkRoom(chunks, maxEntries, cpus);
    const shared = sharesCells(chunks, keys);
    const piece = (pieces: string, size: number, count: number, flags: number): Spec => {
      return { name: pieces, type, keySize: chunks.keySize, valueSize: size, maxEntries: count, flags };
    };
    return [
      { name, type, keySize, valueSize: shared ? wholeSize(chunks) : valueSize, maxEntries, flags: 0 },
      piece(chunkMapName(name), chunks.chunkSize, room.chunks, BPF_F_NO_PREALLOC),
      ...(shared ? [] : [piece(spareMapName(name), chunks.cellSize, room.spare, 0)]),
    ];
  }
  const isHuge = !storage.perCpu && maxEntries * valueSize > mostPreallocated;
  return [{ name, type, keySize, valueSize, maxEntries, flags: isHuge ? BPF_F_NO_PREALLOC : 0 }];
}
