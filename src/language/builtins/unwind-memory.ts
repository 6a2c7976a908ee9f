// What the functions that unwind a stack share, and where the kernel's structures have what they read.

import { fileKey, mostPendingPages, returnsSize, roomFor, unwoundLayout, wantedLayout } from "../../wire/unwind.js";
import type { KernelView, Missing } from "../kernel-view.js";
import type { Lowering } from "../lowering.js";

/** In the program's stack, by whose address helpers pass it on: pointers, which only there keep what the verifier knows. */
export const shared = { scratch: 0, process: 8, size: 16 } as const;

/** Why a stack ends before the first function of its thread. */
export const stops = {
  /** It does not. */
  none: 0,
  /** What is mapped where the code is could not be found out. */
  unmapped: 1,
  /** The file has no table yet. */
  noTable: 2,
  /** No table says how this code is left, and its frame pointer leads nowhere. */
  noRule: 3,
  /** The stack's memory could not be read, or does not look like one. */
  unreadable: 4,
  /** The file has a rule, but tables have no room for its kind. */
  unsupported: 5,
} as const;

const words = [
  "instructionPointer",
  "stackPointer",
  "framePointer",
  /** Not 0 where the instruction pointer is of the instruction that comes next, not behind a call. */
  "exact",
  /** Of a first argument, as long as the frame is the innermost; else 0. */
  "argument",
  "hash",
  "stop",
  /** A mapping of no file that this stack has led through. */
  "anonymousStart",
  "anonymousEnd",
  /** Where functions with a uretprobe return to in place of their callers; 0 if there are none. */
  "trampoline",
  /** An address whose mapping is looked for. */
  "sought",
  "read",
  "read2",
  "read3",
  /** How many pages of the stack were found that can be sent to user space. */
  "pageCount",
  /** How many return addresses of it uretprobes have replaced. */
  "returnCount",
] as const;

/** The first words of scratch memory. */
export const scratchWords = Object.fromEntries(words.map((name, i) => [name, 8 * i])) as Readonly<
  Record<(typeof words)[number], number>
>;

const mappingAt = 8 * words.length;

/** Behind them a mapping: {@link wantedLayout}, then its offset in the file, then {@link fileKey}. */
export const foundMapping = {
  wanted: mappingAt,
  start: mappingAt + wantedLayout.start,
  end: mappingAt + wantedLayout.end,
  offset: mappingAt + wantedLayout.size,
  file: mappingAt + wantedLayout.size + 8,
} as const;

/** Then those pages, u64 each, counted from the one that the stack pointer is in. */
export const pagesAt: number = foundMapping.file + fileKey.size;

/** Then those return addresses: {@link returnLayout}. */
export const returnsAt: number = pagesAt + 8 * mostPendingPages;

/** Last {@link unwoundLayout}; before it is what every stack has. */
export const recordAt: number = returnsAt + returnsSize;

export const unwoundSize = (depth: number): number => unwoundLayout.frames + 8 * depth;

/** Bytes of scratch memory; large enough not to be put on the program's stack. */
export const scratchSize = (depth: number): number => recordAt + unwoundSize(roomFor(depth));

/** Where members are, from the start of their structures. */
export interface KernelMembers {
  readonly taskFlags: number;
  readonly taskMm: number;
  readonly mmStartCode: number;
  readonly mmStartStack: number;
  readonly vmStart: number;
  readonly vmEnd: number;
  readonly vmPageOffset: number;
  readonly vmFile: number;
  readonly vmMm: number;
  readonly mmVdso: number;
  readonly fileInode: number;
  readonly inodeNumber: number;
  readonly inodeSuperblock: number;
  readonly superblockDevice: number;
  /** Undefined in a kernel without uprobes. */
  readonly returns: ReturnMembers | undefined;
}

/** Where the kernel keeps the return addresses that uretprobes have replaced (include/linux/uprobes.h, kernel/events/uprobes.c). */
export interface ReturnMembers {
  readonly mmTrampolines: number;
  readonly trampolineAddress: number;
  readonly taskUprobes: number;
  readonly uprobesReturns: number;
  readonly returnNext: number;
  readonly returnStack: number;
  readonly returnAddress: number;
}

export function kernelMembers(kernel: KernelView): KernelMembers | Missing {
  const btf = kernel.btf();
  if ("missing" in btf) return btf;
  const missing: string[] = [];
  const at = (structure: string, ...path: readonly string[]): number => {
    let id = btf.find(structure, "struct");
    let bits = 0;
    for (const name of path) {
      const member = id === undefined ? undefined : btf.memberOf(id, name);
      if (member === undefined) {
        missing.push(`${structure}.${path.join(".")}`);
        return 0;
      }
      bits += member.bitOffset;
      id = member.type;
    }
    return bits >> 3;
  };
  const members = {
    taskFlags: at("task_struct", "flags"),
    taskMm: at("task_struct", "mm"),
    mmStartCode: at("mm_struct", "start_code"),
    mmStartStack: at("mm_struct", "start_stack"),
    vmStart: at("vm_area_struct", "vm_start"),
    vmEnd: at("vm_area_struct", "vm_end"),
    vmPageOffset: at("vm_area_struct", "vm_pgoff"),
    vmFile: at("vm_area_struct", "vm_file"),
    vmMm: at("vm_area_struct", "vm_mm"),
    mmVdso: at("mm_struct", "context", "vdso"),
    fileInode: at("file", "f_inode"),
    inodeNumber: at("inode", "i_ino"),
    inodeSuperblock: at("inode", "i_sb"),
    superblockDevice: at("super_block", "s_dev"),
  };
  if (missing.length > 0) return { missing: `its type information lacks ${missing.join(", ")}` };
  const returns = {
    mmTrampolines: at("mm_struct", "uprobes_state", "xol_area"),
    trampolineAddress: at("xol_area", "vaddr"),
    taskUprobes: at("task_struct", "utask"),
    uprobesReturns: at("uprobe_task", "return_instances"),
    returnNext: at("return_instance", "next"),
    returnStack: at("return_instance", "stack"),
    returnAddress: at("return_instance", "orig_ret_vaddr"),
  };
  return { ...members, returns: missing.length === 0 ? returns : undefined };
}

/** The offset in struct pt_regs, which bpf_task_pt_regs() gives for every kind of program. */
export function register(l: Lowering, name: string): number {
  const offset = l.registerOffset(name);
  if (offset === undefined) throw new Error(`internal: no register ${name}`);
  return offset;
}
