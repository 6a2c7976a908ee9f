// What --tree needs beside the script's programs: two of ours that keep the map of the tree's processes.

import { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction } from "../ir/ir.js";
import type { KernelView } from "../language/kernel-view.js";
import { systemMaps, treeState } from "../wire/map-storage.js";
import { countLostElement, resultOf } from "./failed-updates.js";
import type { ObjectBuilder } from "./object-builder.js";
import { born, freed, onTaskEvents, skipThreads, type TaskReader, type TrackerProgram } from "./task-events.js";

/**
 * The programs; undefined if the kernel lacks their events. A process leaves the tree when its task is freed, not when it
 * exits: closing its files is still its own work.
 */
export const lowerProcessTree = (kernel: KernelView, object: ObjectBuilder): readonly TrackerProgram[] | undefined =>
  onTaskEvents(kernel, [
    { on: born, lower: (reader) => lowerBirth(reader, object) },
    { on: freed, lower: lowerFree },
  ]);

/**
 * A child of the tree's processes is one of them. While user space looks for those that are there, forks of all others are
 * noted: were those of the tree noted, too, one that forks all the time would give it always more to look at.
 */
function lowerBirth(reader: TaskReader, object: ObjectBuilder): IrFunction {
  const b = new FunctionBuilder("tree_birth", "program");
  const zero = b.const(0);
  skipThreads(b, reader);
  const child = b.slotAddr(b.slot(4, 4, "child"));
  const parent = b.slotAddr(b.slot(4, 4, "parent"));
  b.store(4, child, 0, reader.pid(b));
  b.store(4, parent, 0, b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)));
  const add = (map: string): void => {
    const code = resultOf(b, b.call("map_update_elem", [b.map(map), child, parent, zero]));
    b.when("ne", code, zero, "else", () => countLostElement(b, object, "tree-full", code));
  };
  // First noted, then looked up: user space adds a process first and reads the notes then, so that one of the two sees it.
  const noting = b.load(8, false, b.mapValue(systemMaps.treeState, treeState.noting), 0);
  b.when("ne", noting, zero, "else", () => add(systemMaps.births));
  b.when("ne", b.call("map_lookup_elem", [b.map(systemMaps.tree), parent]), zero, undefined, () => {
    add(systemMaps.tree);
    b.when("ne", noting, zero, "else", () => {
      b.call("map_delete_elem", [b.map(systemMaps.births), child]);
    });
  });
  b.ret(zero);
  return b.finish();
}

/** Of a thread that is not the first of its process nothing is in the map: numbers of tasks are of one kind. */
function lowerFree(reader: TaskReader): IrFunction {
  const b = new FunctionBuilder("tree_free", "program");
  const key = b.slotAddr(b.slot(4, 4, "process"));
  b.store(4, key, 0, reader.pid(b));
  b.call("map_delete_elem", [b.map(systemMaps.tree), key]);
  b.ret(b.const(0));
  return b.finish();
}
