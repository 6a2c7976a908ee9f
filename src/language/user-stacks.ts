// How ustack takes stacks: by frame pointers, as the kernel does itself, or by unwinding tables.

import { kernelMembers } from "./builtins/unwind-memory.js";
import type { Config } from "./config.js";
import type { KernelView } from "./kernel-view.js";

/** What was decided for a script, and why. */
export interface UserStacks {
  readonly by: "frame pointers" | "tables";
  readonly why: string;
}

/** Whether the processes that a trace was started for keep frame pointers, and what tells so. */
export interface FramePointers {
  readonly kept: boolean;
  readonly why: string;
}

/** What the decision depends on. */
export interface UserStackTargets {
  /** There are processes whose tables are read. */
  readonly hasUnwindTargets: boolean;
  /** Undefined if no process was named. Reads files: asked only where it decides. */
  readonly framePointers: (() => FramePointers) | undefined;
}

/** What unwinding by tables lacks here, behind "unwinding by tables" or "dw_ustack"; undefined if nothing. */
export function tablesLack(kernel: KernelView): string | undefined {
  if (kernel.arch !== "x86_64") return `knows the tables of x86-64 only, not of ${kernel.arch}`;
  if (kernel.feature("bpfLoop") === "no")
    return "needs the helpers bpf_loop and bpf_find_vma, which kernels have since Linux 5.17";
  const members = kernelMembers(kernel);
  return "missing" in members ? `needs the kernel's BTF: ${members.missing}` : undefined;
}

/** Decides how ustack takes the stacks of a script. */
export function chooseUserStacks(
  { ustack_by: chosen }: Config,
  kernel: KernelView,
  { hasUnwindTargets, framePointers }: UserStackTargets,
): UserStacks {
  const byFramePointers = (why: string): UserStacks => ({ by: "frame pointers", why });
  if (chosen === "frame_pointers") return byFramePointers("ustack_by says so");
  if (chosen === "tables" ? !hasUnwindTargets : framePointers === undefined)
    return byFramePointers("no process is named by -p, -c, --dwarf-pid or --tree");
  const lack = tablesLack(kernel);
  if (lack !== undefined) return byFramePointers(`unwinding by tables ${lack}`);
  if (chosen === "tables" || framePointers === undefined) return { by: "tables", why: "ustack_by says so" };
  const { kept, why } = framePointers();
  return kept ? byFramePointers(why) : { by: "tables", why };
}
