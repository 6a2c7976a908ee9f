// Return addresses that uretprobes have replaced by that of a page of the kernel's.

import { MAX_URETPROBE_DEPTH } from "../../abi/uprobes.js";
import type { FunctionBuilder } from "../../ir/builder.js";
import type { Value } from "../../ir/ir.js";
import { returnLayout } from "../../wire/unwind.js";
import { type ReturnMembers, returnsAt, scratchWords } from "./unwind-memory.js";

/** Where functions with a uretprobe return to in this process; 0 if it has met no probe. */
export function trampolineOf(b: FunctionBuilder, task: Value, taskMm: number, members: ReturnMembers): Value {
  // Where a pointer is null what is read behind it is 0: the kernel catches such reads of programs.
  const mm = b.load(8, false, task, taskMm);
  const area = b.load(8, false, mm, members.mmTrampolines);
  return b.load(8, false, area, members.trampolineAddress);
}

/** The address that stood in the word at `slot` of the current task's stack; 0 if that is not known. */
export function replacedReturn(b: FunctionBuilder, slot: Value, members: ReturnMembers): Value {
  const found = b.newVariable();
  b.write(found, b.const(0));
  forEachReturn(b, members, (entry, _index, next, leave) => {
    const [same, other] = [b.newBlock(), b.newBlock()];
    b.branch("eq", b.load(8, false, entry, members.returnStack), slot, same, other);
    b.seal(same);
    b.setBlock(same);
    b.write(found, b.load(8, false, entry, members.returnAddress));
    leave();
    b.seal(other);
    b.setBlock(other);
    next();
  });
  return b.read(found);
}

/** Notes all of them in scratch memory, for user space. */
export function noteReturns(b: FunctionBuilder, scratch: Value, members: ReturnMembers): void {
  forEachReturn(b, members, (entry, index, next) => {
    const at = b.bin("add", scratch, b.bin("mul", index, b.const(returnLayout.size)));
    b.store(8, at, returnsAt + returnLayout.word, b.load(8, false, entry, members.returnStack));
    b.store(8, at, returnsAt + returnLayout.address, b.load(8, false, entry, members.returnAddress));
    b.store(8, scratch, scratchWords.returnCount, b.bin("add", index, b.const(1)));
    next();
  });
}

/** What the kernel keeps of the current task's calls of functions with a uretprobe, innermost first. */
function forEachReturn(
  b: FunctionBuilder,
  members: ReturnMembers,
  body: (entry: Value, index: Value, next: () => void, leave: () => void) => void,
): void {
  const entry = b.newVariable();
  const uprobes = b.load(8, false, b.call("get_current_task_btf", []), members.taskUprobes);
  b.write(entry, b.load(8, false, uprobes, members.uprobesReturns));
  b.loop(MAX_URETPROBE_DEPTH, (index, { next, leave }) => {
    const [some, none] = [b.newBlock(), b.newBlock()];
    const now = b.read(entry);
    b.branch("ne", now, b.const(0), some, none);
    b.seal(none);
    b.setBlock(none);
    leave();
    b.seal(some);
    b.setBlock(some);
    const goOn = (): void => {
      b.write(entry, b.load(8, false, now, members.returnNext));
      next();
    };
    body(now, index, goOn, leave);
  });
}
