// Returns of user functions that the kernel does not tell of, because too many calls are on their way.

import { MAX_URETPROBE_DEPTH } from "../abi/uprobes.js";
import type { Btf } from "../formats/btf.js";
import type { ProgramLowering } from "./program-lowering.js";

interface NestingMembers {
  /** Offsets in bytes: of a task its uprobe_task, of that the number of calls that wait for their return. */
  readonly uprobes: number;
  readonly depth: number;
  /** What is to be added to that number while the program of a return runs. */
  readonly own: number;
}

/**
 * Counts returns at which as many calls of the task were waiting for theirs as the kernel keeps: those nested deeper, if
 * there were any, returned unseen, and how many cannot be known. Two loads; nothing where type information does not say
 * where to look.
 */
export function countFullNesting(p: ProgramLowering): void {
  if (p.variant.userReturns !== true) return;
  const btf = p.kernel.btf();
  const members = "missing" in btf ? undefined : nestingMembers(btf);
  if (members === undefined) return;
  const { b } = p;
  // Where a pointer is null what is read behind it is 0: the kernel catches such reads of programs.
  const uprobes = b.load(8, false, b.call("get_current_task_btf", []), members.uprobes);
  const depth = b.load(4, false, uprobes, members.depth);
  b.when("uge", depth, b.const(MAX_URETPROBE_DEPTH - members.own), "else", () => p.countLoss("returns-nested"));
}

function nestingMembers(btf: Btf): NestingMembers | undefined {
  const uprobes = btf.structMember("task_struct", "utask");
  const depth = btf.structMember("uprobe_task", "depth");
  if (uprobes === undefined || depth === undefined) return undefined;
  // Since the kernel uses their memory again (6.14), a return is taken from the list before its programs run.
  const own = btf.structMember("uprobe_task", "ri_pool") === undefined ? 0 : 1;
  return { uprobes: uprobes.bitOffset >> 3, depth: depth.bitOffset >> 3, own };
}
