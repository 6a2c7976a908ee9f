// What --tree needs beside the script's programs: two of ours that keep the map of the tree's processes.

import type { TracepointFormat } from "../formats/tracepoint-format.js";
import { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction, Value } from "../ir/ir.js";
import type { KernelView } from "../language/kernel-view.js";
import { systemMaps, treeState } from "../wire/map-storage.js";
import type { ObjectBuilder } from "./object-builder.js";

/** A program of ours on an event of the kernel. */
export interface TrackerProgram {
  readonly fn: IrFunction;
  readonly category: string;
  readonly event: string;
  /** The event's id in tracefs, whose record the program reads; undefined of a raw tracepoint. */
  readonly id: number | undefined;
}

/** CLONE_THREAD, uapi/linux/sched.h. */
const CLONE_THREAD = 0x10000;

const born = { category: "task", event: "task_newtask" } as const;
const freed = { category: "sched", event: "sched_process_free" } as const;

/** How a program reads what the event says; tasks have their numbers of the initial pid namespace. */
interface Reader {
  pid(b: FunctionBuilder): Value;
  flags(b: FunctionBuilder): Value;
}

/**
 * The programs; undefined if the kernel lacks their events. A process leaves the tree when its task is freed, not when it
 * exits: closing its files is still its own work. They are raw tracepoints where those lose nothing: programs on records do
 * not run on a processor that is in the middle of bpf(2), which the tracer may well be (trace_call_bpf(),
 * kernel/trace/bpf_trace.c, bpf_prog_active; v5.15 to v7.2).
 */
export function lowerProcessTree(kernel: KernelView, object: ObjectBuilder): readonly TrackerProgram[] | undefined {
  const raw = kernel.feature("rawTracepointUnpreempted") === "yes" ? rawReader(kernel) : undefined;
  if (raw !== undefined) {
    const programs = [
      { fn: lowerBirth(raw, object), ...born },
      { fn: lowerFree(raw), ...freed },
    ];
    return programs.map((program) => ({ ...program, id: undefined }));
  }
  const [newTask, free] = [born, freed].map(({ category, event }) => kernel.tracepoint(category, event));
  if (newTask === undefined || free === undefined) return undefined;
  const [onBirth, onFree] = [newTask, free].map(recordReader);
  if (onBirth === undefined || onFree === undefined) return undefined;
  return [
    { fn: lowerBirth(onBirth, object), ...born, id: newTask.id },
    { fn: lowerFree(onFree), ...freed, id: free.id },
  ];
}

/** Arguments of both events: the task, then the flags of clone(2) (include/trace/events/task.h and sched.h). */
function rawReader(kernel: KernelView): Reader | undefined {
  const btf = kernel.btf();
  if ("missing" in btf) return undefined;
  const task = btf.find("task_struct", "struct");
  const pid = task === undefined ? undefined : btf.memberOf(task, "pid");
  if (pid === undefined) return undefined;
  return {
    pid(b) {
      const copy = b.slotAddr(b.slot(8, 8, "pid"));
      const place = b.bin("add", b.load(8, false, b.ctx(), 0), b.const(pid.bitOffset >> 3));
      b.call("probe_read_kernel", [copy, b.const(4), place]);
      return b.load(4, false, copy, 0);
    },
    flags: (b) => b.load(8, false, b.ctx(), 8),
  };
}

function recordReader(format: TracepointFormat): Reader | undefined {
  const read = (name: string): ((b: FunctionBuilder) => Value) | undefined => {
    const { size, offset } = format.fields.find((each) => each.name === name) ?? {};
    if (offset === undefined || (size !== 4 && size !== 8)) return undefined;
    return (b) => b.load(size, false, b.ctx(), offset);
  };
  const [pid, flags] = [read("pid"), read("clone_flags")];
  return pid === undefined ? undefined : { pid, flags: flags ?? ((b) => b.const(0)) };
}

/** A child of the tree's processes is one of them. While user space looks for those that are there, all forks are noted. */
function lowerBirth(reader: Reader, object: ObjectBuilder): IrFunction {
  const b = new FunctionBuilder("tree_birth", "program");
  const zero = b.const(0);
  const isThread = b.bin("and", reader.flags(b), b.const(CLONE_THREAD));
  b.when("ne", isThread, zero, "else", () => b.ret(zero));
  const child = b.slotAddr(b.slot(4, 4, "child"));
  const parent = b.slotAddr(b.slot(4, 4, "parent"));
  b.store(4, child, 0, reader.pid(b));
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
function lowerFree(reader: Reader): IrFunction {
  const b = new FunctionBuilder("tree_free", "program");
  const key = b.slotAddr(b.slot(4, 4, "process"));
  b.store(4, key, 0, reader.pid(b));
  b.call("map_delete_elem", [b.map(systemMaps.tree), key]);
  b.ret(b.const(0));
  return b.finish();
}
