// Programs of ours on the events of tasks: that they are born, execute programs and are gone.

import type { TracepointFormat } from "../formats/tracepoint-format.js";
import type { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction, Value } from "../ir/ir.js";
import type { KernelView } from "../language/kernel-view.js";

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

/** A task is born; current is its parent. */
export const born = { category: "task", event: "task_newtask" } as const;
/** Current runs another program now. */
export const executes = { category: "sched", event: "sched_process_exec" } as const;
/** Of a task nothing is left. */
export const freed = { category: "sched", event: "sched_process_free" } as const;

/** How a program reads what the event says; tasks have their numbers of the initial pid namespace. */
export interface TaskReader {
  pid(b: FunctionBuilder): Value;
  flags(b: FunctionBuilder): Value;
}

export interface TaskEvent {
  readonly on: typeof born | typeof executes | typeof freed;
  lower(reader: TaskReader): IrFunction;
}

/**
 * The programs; undefined if the kernel lacks their events. They are raw tracepoints where those lose nothing: programs on
 * records do not run on a processor that is in the middle of bpf(2), which the tracer may well be (trace_call_bpf(),
 * kernel/trace/bpf_trace.c, bpf_prog_active; v5.15 to v7.2).
 */
export function onTaskEvents(kernel: KernelView, events: readonly TaskEvent[]): readonly TrackerProgram[] | undefined {
  const raw = kernel.feature("rawTracepointUnpreempted") === "yes" ? rawReader(kernel) : undefined;
  if (raw !== undefined) return events.map(({ on, lower }) => ({ fn: lower(raw), ...on, id: undefined }));
  const programs = events.flatMap(({ on, lower }) => {
    const format = kernel.tracepoint(on.category, on.event);
    const reader = format === undefined ? undefined : recordReader(format);
    return format === undefined || reader === undefined ? [] : [{ fn: lower(reader), ...on, id: format.id }];
  });
  return programs.length === events.length ? programs : undefined;
}

/** Leaves where the event is of a thread and not of a process. */
export function skipThreads(b: FunctionBuilder, reader: TaskReader): void {
  const zero = b.const(0);
  const isThread = b.bin("and", reader.flags(b), b.const(CLONE_THREAD));
  b.when("ne", isThread, zero, "else", () => b.ret(zero));
}

/** The task is the first argument of all of them; behind it the flags of clone(2) (include/trace/events/task.h). */
function rawReader(kernel: KernelView): TaskReader | undefined {
  const btf = kernel.btf();
  if ("missing" in btf) return undefined;
  const pid = btf.structMember("task_struct", "pid");
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

function recordReader(format: TracepointFormat): TaskReader | undefined {
  const read = (name: string): ((b: FunctionBuilder) => Value) | undefined => {
    const { size, offset } = format.fields.find((each) => each.name === name) ?? {};
    if (offset === undefined || (size !== 4 && size !== 8)) return undefined;
    return (b) => b.load(size, false, b.ctx(), offset);
  };
  const [pid, flags] = [read("pid"), read("clone_flags")];
  return pid === undefined ? undefined : { pid, flags: flags ?? ((b) => b.const(0)) };
}
