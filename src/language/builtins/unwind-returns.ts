// Return addresses that uretprobes have replaced by that of a page of the kernel's.

import { MAX_URETPROBE_DEPTH } from "../../abi/uprobes.js";
import type { FunctionBuilder } from "../../ir/builder.js";
import type { Value } from "../../ir/ir.js";
import { countedLoop, type ReturnMembers } from "./unwind-memory.js";

/** Where functions with a uretprobe return to in this process; 0 if it has met no probe. */
export function trampolineOf(b: FunctionBuilder, task: Value, taskMm: number, members: ReturnMembers): Value {
  // Where a pointer is null what is read behind it is 0: the kernel catches such reads of programs.
  const mm = b.load(8, false, task, taskMm);
  const area = b.load(8, false, mm, members.mmTrampolines);
  return b.load(8, false, area, members.trampolineAddress);
}

/** The address that stood in the word at `slot` of the current task's stack; 0 if that is not known. */
export function replacedReturn(b: FunctionBuilder, slot: Value, members: ReturnMembers): Value {
  const [found, entry] = [b.newVariable(), b.newVariable()];
  b.write(found, b.const(0));
  const uprobes = b.load(8, false, b.call("get_current_task_btf", []), members.taskUprobes);
  b.write(entry, b.load(8, false, uprobes, members.uprobesReturns));
  countedLoop(b, MAX_URETPROBE_DEPTH, (_index, next, leave) => {
    const [some, none, same, other] = [b.newBlock(), b.newBlock(), b.newBlock(), b.newBlock()];
    const now = b.read(entry);
    b.branch("ne", now, b.const(0), some, none);
    b.seal(none);
    b.setBlock(none);
    leave();
    b.seal(some);
    b.setBlock(some);
    b.branch("eq", b.load(8, false, now, members.returnStack), slot, same, other);
    b.seal(same);
    b.setBlock(same);
    b.write(found, b.load(8, false, now, members.returnAddress));
    leave();
    b.seal(other);
    b.setBlock(other);
    b.write(entry, b.load(8, false, now, members.returnNext));
    next();
  });
  return b.read(found);
}
