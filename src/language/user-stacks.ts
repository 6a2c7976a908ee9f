// How ustack takes stacks: by frame pointers, as the kernel does itself, or by unwinding tables.

import { kernelMembers } from "./builtins/unwind-memory.js";
import type { Config } from "./config.js";
import type { KernelView } from "./kernel-view.js";

/** What was decided for a script, and why. */
export interface UserStacks {
  readonly by: "frame pointers" | "tables";
  readonly why: string;
}

/** Whether the processes that a trace is about keep frame pointers, and what tells so. */
export interface FramePointers {
  readonly kept: boolean;
  readonly why: string;
}

/** What unwinding by tables lacks here, behind "unwinding by tables" or "dw_ustack"; undefined if nothing. */
export function tablesLack(kernel: KernelView): string | undefined {
  if (kernel.arch !== "x86_64") return `knows the tables of x86-64 only, not of ${kernel.arch}`;
  if (kernel.feature("bpfLoop") === "no")
    return "needs the helpers bpf_loop and bpf_find_vma, which kernels have since Linux 5.17";
  const members = kernelMembers(kernel);
  return "missing" in members ? `needs the kernel's BTF: ${members.missing}` : undefined;
}

/**
 * Decides how ustack takes the stacks of a script. `framePointers` reads files, and is asked only where it decides; undefined
 * where there is nobody to ask.
 */
export function chooseUserStacks(
  { ustack_by: chosen }: Config,
  kernel: KernelView,
  framePointers: (() => FramePointers) | undefined,
): UserStacks {
  const byFramePointers = (why: string): UserStacks => ({ by: "frame pointers", why });
  if (chosen === "frame_pointers") return byFramePointers("ustack_by says so");
  const lack = tablesLack(kernel);
  if (lack !== undefined) return byFramePointers(`unwinding by tables ${lack}`);
  if (chosen === "tables") return { by: "tables", why: "ustack_by says so" };
  if (framePointers === undefined) return byFramePointers("no program was looked at");
  const { kept, why } = framePointers();
  return kept ? byFramePointers(why) : { by: "tables", why };
}
