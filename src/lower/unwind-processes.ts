// What unwinding by tables needs beside the script's programs: three of ours that keep the map of what processes have mapped.

import { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction, Value } from "../ir/ir.js";
import { lowerMappingLookup } from "../language/builtins/unwind-mapping.js";
import { foundMapping, type KernelMembers, shared } from "../language/builtins/unwind-memory.js";
import type { KernelView } from "../language/kernel-view.js";
import { emptyProcess, fileKey, fileQuestion, unwindMaps } from "../wire/unwind.js";
import type { ObjectBuilder } from "./object-builder.js";
import {
  born,
  executes,
  freed,
  onTaskEvents,
  skipThreads,
  type TaskReader,
  type TrackerProgram,
} from "./task-events.js";

/** BPF_EXIST, uapi/linux/bpf.h: only what is there is overwritten. */
const BPF_EXIST = 2;

/**
 * Children have mapped what their parents have, whoever executes a program has mapped nothing yet, and who is gone frees
 * its place. Undefined if the kernel lacks the events, and where the tracer's processes have other numbers than the
 * kernel's: children are not followed then.
 */
export function lowerUnwindProcesses(kernel: KernelView, object: ObjectBuilder): readonly TrackerProgram[] | undefined {
  if (kernel.pidNamespace() !== undefined) return undefined;
  object.addTable(emptyProcess.map, () => new Uint8Array(emptyProcess.size));
  return onTaskEvents(kernel, [
    { on: born, lower: lowerBirth },
    { on: executes, lower: lowerExec },
    { on: freed, lower: lowerFree },
  ]);
}

/** The program of {@link fileQuestion}, and the function that a helper of it calls. */
export function lowerFileQuestion(members: KernelMembers): readonly IrFunction[] {
  const lookup = new FunctionBuilder(`${fileQuestion.program}_mapping`, "subprogram");
  lowerMappingLookup(lookup, members);
  const asked = lookup.finish();
  const b = new FunctionBuilder(fileQuestion.program, "program");
  const scratch = b.mapValue(fileQuestion.map, 0);
  const address = b.load(8, false, scratch, fileQuestion.address);
  b.zero(scratch, foundMapping.file, fileKey.size);
  const together = b.slotAddr(b.slot(shared.size, 8, "mapping"));
  b.store(8, together, shared.scratch, scratch);
  b.store(8, together, shared.process, b.const(0));
  b.call("find_vma", [b.call("get_current_task_btf", []), address, b.funcRef(asked.name), together, b.const(0)]);
  b.copy(scratch, fileQuestion.file, scratch, foundMapping.file, fileKey.size);
  b.ret(b.const(0));
  return [b.finish(), asked];
}

function lowerBirth(reader: TaskReader): IrFunction {
  const b = new FunctionBuilder("unwind_birth", "program");
  skipThreads(b, reader);
  const map = b.map(unwindMaps.processes);
  const [child, parent] = [b.slotAddr(b.slot(4, 4, "child")), b.slotAddr(b.slot(4, 4, "parent"))];
  b.store(4, child, 0, reader.pid(b));
  b.store(4, parent, 0, b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)));
  const known = b.call("map_lookup_elem", [map, parent]);
  b.either(
    "ne",
    known,
    b.const(0),
    () => {
      b.call("map_update_elem", [map, child, known, b.const(0)]);
      noteNews(b, child);
    },
    // The number may have been another's, of whose end nobody was told.
    () => b.call("map_delete_elem", [map, child]),
  );
  b.ret(b.const(0));
  return b.finish();
}

function lowerExec(): IrFunction {
  const b = new FunctionBuilder("unwind_exec", "program");
  const key = b.slotAddr(b.slot(4, 4, "process"));
  b.store(4, key, 0, b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)));
  const empty = b.mapValue(emptyProcess.map, 0);
  const result = b.call("map_update_elem", [b.map(unwindMaps.processes), key, empty, b.const(BPF_EXIST)]);
  b.when("eq", b.ext(4, true, result), b.const(0), undefined, () => noteNews(b, key));
  b.ret(b.const(0));
  return b.finish();
}

/** User space reads what such a process has mapped, and knows its names then when it has ended. */
function noteNews(b: FunctionBuilder, process: Value): void {
  b.call("map_update_elem", [b.map(unwindMaps.news), process, b.mapValue(emptyProcess.map, 0), b.const(0)]);
}

function lowerFree(reader: TaskReader): IrFunction {
  const b = new FunctionBuilder("unwind_free", "program");
  const key = b.slotAddr(b.slot(4, 4, "process"));
  b.store(4, key, 0, reader.pid(b));
  b.call("map_delete_elem", [b.map(unwindMaps.processes), key]);
  b.ret(b.const(0));
  return b.finish();
}
