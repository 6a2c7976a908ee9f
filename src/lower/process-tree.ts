// What --tree needs beside the script's programs: two of ours that keep the map of the tree's processes.

import type { TracepointFormat } from "../formats/tracepoint-format.js";
import { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction } from "../ir/ir.js";
import type { KernelView } from "../language/kernel-view.js";
import { systemMaps, treeState } from "../wire/map-storage.js";
import type { ObjectBuilder } from "./object-builder.js";

/** A program of ours on an event of tracefs, whose record it reads. */
export interface TrackerProgram {
  readonly fn: IrFunction;
  readonly category: string;
  readonly event: string;
  /** The event's id in tracefs. */
  readonly id: number;
}

/** CLONE_THREAD, uapi/linux/sched.h. */
const CLONE_THREAD = 0x10000;

const born = { category: "task", event: "task_newtask" } as const;
const freed = { category: "sched", event: "sched_process_free" } as const;

/**
 * The programs; undefined if the kernel lacks their events. Both records name tasks as the initial pid namespace does
 * (include/trace/events/task.h and sched.h). A process leaves the tree when its task is freed, not when it exits: closing
 * its files is still its own work.
 */
export function lowerProcessTree(kernel: KernelView, object: ObjectBuilder): readonly TrackerProgram[] | undefined {
  const [newTask, free] = [born, freed].map(({ category, event }) => kernel.tracepoint(category, event));
  if (newTask === undefined || free === undefined) return undefined;
  const onBirth = lowerBirth(newTask, object);
  const onFree = lowerFree(free);
  if (onBirth === undefined || onFree === undefined) return undefined;
  return [
    { fn: onBirth, ...born, id: newTask.id },
    { fn: onFree, ...freed, id: free.id },
  ];
}

function fieldOf(format: TracepointFormat, name: string): { offset: number; size: 4 | 8 } | undefined {
  const field = format.fields.find((each) => each.name === name);
  return field?.size === 4 || field?.size === 8 ? { offset: field.offset, size: field.size } : undefined;
}

/** A child of the tree's processes is one of them. While user space looks for those that are there, all forks are noted. */
function lowerBirth(format: TracepointFormat, object: ObjectBuilder): IrFunction | undefined {
  const [pid, flags] = [fieldOf(format, "pid"), fieldOf(format, "clone_flags")];
  if (pid === undefined || flags === undefined) return undefined;
  const b = new FunctionBuilder("tree_birth", "program");
  const zero = b.const(0);
  const isThread = b.bin("and", b.load(flags.size, false, b.ctx(), flags.offset), b.const(CLONE_THREAD));
  b.when("ne", isThread, zero, "else", () => b.ret(zero));
  const child = b.slotAddr(b.slot(4, 4, "child"));
  const parent = b.slotAddr(b.slot(4, 4, "parent"));
  b.store(4, child, 0, b.load(pid.size, false, b.ctx(), pid.offset));
  b.store(4, parent, 0, b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)));
  const add = (map: string) => (): void => {
    const result = b.call("map_update_elem", [b.map(map), child, parent, zero]);
    // Results of map helpers are 32 bits wide up to Linux 6.3.
    b.when("slt", b.ext(4, true, result), zero, "else", () =>
      b.atomic("add", 8, b.mapValue(systemMaps.loss, object.lossOffset("tree-full")), 0, b.const(1)),
    );
  };
  // First noted, then looked up: user space adds a process first and reads the notes then, so that one of the two sees it.
  const noting = b.load(8, false, b.mapValue(systemMaps.treeState, treeState.noting), 0);
  b.when("ne", noting, zero, "else", add(systemMaps.births));
  b.when("ne", b.call("map_lookup_elem", [b.map(systemMaps.tree), parent]), zero, undefined, add(systemMaps.tree));
  b.ret(zero);
  return b.finish();
}

/** Of a thread that is not the first of its process nothing is in the map: numbers of tasks are of one kind. */
function lowerFree(format: TracepointFormat): IrFunction | undefined {
  const pid = fieldOf(format, "pid");
  if (pid === undefined) return undefined;
  const b = new FunctionBuilder("tree_free", "program");
  const key = b.slotAddr(b.slot(4, 4, "process"));
  b.store(4, key, 0, b.load(pid.size, false, b.ctx(), pid.offset));
  b.call("map_delete_elem", [b.map(systemMaps.tree), key]);
  b.ret(b.const(0));
  return b.finish();
}
