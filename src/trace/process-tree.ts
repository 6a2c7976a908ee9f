import { readdirSync, readFileSync } from "node:fs";
import { zeroed } from "../abi/struct.js";
import { parseProcStat } from "../formats/proc-stat.js";
import { allProcesses } from "../kernel/process-files.js";
import type { LoadedMap, LoadedObject } from "../load/loaded-object.js";
import { readMap } from "../load/map-reader.js";
import { mapDelete, mapGetNextKey, mapUpdate } from "../sys/map-calls.js";
import type { Sys } from "../sys/sys.js";
import { systemMaps, treeState } from "../wire/map-storage.js";

/**
 * Puts a process and its descendants of now into the map of the tree; the tracker programs are attached already. None is
 * missed: programs note births meanwhile, so that a child is either found here or added by the program, which looks for the
 * parent in the map after it has noted the child, and takes the note back if it has added it. A process whose parent has
 * ended before is nobody's descendant.
 */
export function seedTree(sys: Sys, loaded: LoadedObject, root: number): void {
  const tree = loaded.map(systemMaps.tree);
  setNoting(sys, loaded, true);
  add(sys, tree, root, 0);
  const known = new Set([root]);
  const parents = readParents();
  for (;;) {
    for (const [child, parent] of readBirths(sys, loaded)) parents.set(child, parent);
    const found = descendants(parents, known);
    for (const [child, parent] of found) {
      known.add(child);
      add(sys, tree, child, parent);
    }
    if (found.length === 0) break;
  }
  setNoting(sys, loaded, false);
  // One that has ended before it was added, which the program on its end could not remove.
  for (const process of known) if (!isThere(process)) mapDelete(sys, tree.fd, word(process));
}

/**
 * Whether no process of the tree is left. `sweep` looks each of them up first: where the program on their end reads
 * records it may miss one (lower/process-tree.ts).
 */
export function isTreeGone(sys: Sys, loaded: LoadedObject, sweep: boolean): boolean {
  const tree = loaded.map(systemMaps.tree);
  if (sweep) for (const { key } of readMap(sys, tree)) if (!isThere(numberOf(key))) mapDelete(sys, tree.fd, key);
  return !mapGetNextKey(sys, tree.fd, undefined, zeroed(4));
}

/** Children of known processes that are not known, and their children, with their parents. */
export function descendants(
  parents: ReadonlyMap<number, number>,
  known: ReadonlySet<number>,
): readonly (readonly [child: number, parent: number])[] {
  const children = new Map<number, number[]>();
  for (const [child, parent] of parents) {
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [child]);
    else list.push(child);
  }
  const seen = new Set(known);
  const found: (readonly [number, number])[] = [];
  const work = [...known];
  for (let parent = work.pop(); parent !== undefined; parent = work.pop()) {
    for (const child of children.get(parent) ?? []) {
      if (seen.has(child)) continue;
      seen.add(child);
      found.push([child, parent]);
      work.push(child);
    }
  }
  return found;
}

/** Processes that a process has started, and those that these have, as far as they have not been left behind by a parent that ended. */
export const startedBy = (process: number): readonly number[] =>
  descendants(readParents(), new Set([process])).map(([child]) => child);

function readParents(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const pid of allProcesses()) {
    const parent = parseProcStat(readStat(pid))?.parent;
    if (parent !== undefined) parents.set(pid, parent);
  }
  return parents;
}

/** Whether a process of that number runs: one that has ended, which its parent has not waited for yet, does not. */
export function isThere(process: number): boolean {
  const hasEnded = (stat: string): boolean => /^[ZX]/.test(parseProcStat(stat)?.state ?? "Z");
  if (!hasEnded(readStat(process))) return true;
  // Its first thread may have ended before others.
  return threadsOf(process).some((thread) => !hasEnded(readStat(`${process}/task/${thread}`)));
}

function threadsOf(process: number): readonly string[] {
  try {
    return readdirSync(`/proc/${process}/task`);
  } catch {
    return [];
  }
}

/** Empty if there is no such process. */
function readStat(process: number | string): string {
  try {
    return readFileSync(`/proc/${process}/stat`, "latin1");
  } catch {
    return "";
  }
}

function* readBirths(sys: Sys, loaded: LoadedObject): Generator<readonly [child: number, parent: number]> {
  for (const { key, value } of readMap(sys, loaded.map(systemMaps.births))) yield [numberOf(key), numberOf(value)];
}

function setNoting(sys: Sys, loaded: LoadedObject, on: boolean): void {
  const state = zeroed(treeState.size);
  state[treeState.noting] = on ? 1 : 0;
  mapUpdate(sys, loaded.map(systemMaps.treeState).fd, word(0), state);
}

const add = (sys: Sys, tree: LoadedMap, process: number, parent: number): void =>
  mapUpdate(sys, tree.fd, word(process), word(parent));

function word(n: number): Uint8Array {
  const bytes = zeroed(4);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}

const numberOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
