// Maps that programs unwind the stacks of processes with: what of which file is mapped where, and the rules of each file.

import { MAX_URETPROBE_DEPTH } from "../abi/uprobes.js";

/** Names of the maps. */
export const unwindMaps = {
  /** Processes whose stacks are unwound by tables, by process id (u32): {@link processLayout}. */
  processes: "unwind_maps",
  /** Processes (u32) that have come to be, or execute another program, since user space has looked; the value is nothing. */
  news: "unwind_news",
  /** Tables of files by {@link fileKey}: arrays of {@link rowLayout}. */
  tables: "unwind_tables",
  /** Files that a program has met and that have no table, by {@link fileKey}: where one is mapped, {@link wantedLayout}. */
  wanted: "unwind_wanted",
} as const;

/** Executable mappings of a process: a header, then {@link mappingLayout} in any order. */
export const processLayout = {
  /** u64; may be more than {@link mostMappings} if there was no room. */
  count: 0,
  mappings: 8,
} as const;

/** `{ u64 start, end, offset in the file; u64 inode; u64 device }`; the last two are the {@link fileKey}. */
export const mappingLayout = { start: 0, end: 8, offset: 16, file: 24, size: 40 } as const;

/** Executable mappings that are kept of a process. Browsers have some 200, interpreters with many modules 100. */
export const mostMappings = 256;

export const processSize: number = processLayout.mappings + mostMappings * mappingLayout.size;

/** Constant bytes: a process that has nothing mapped. */
export const emptyProcess = { map: "unwind_empty", size: processSize } as const;

/** Processes that can be unwound at one time; each takes {@link processSize} bytes when it is met. */
export const mostUnwound = 8192;

/** What the kernel knows a file by: the inode's number, and s_dev of its file system. */
export const fileKey = { inode: 0, device: 8, size: 16 } as const;

/** The vDSO is no file; device 0 has none. */
export const vdsoInode = 1n;

/** `{ u64 process; u64 start, end }` of a mapping. */
export const wantedLayout = { process: 0, start: 8, end: 16, size: 24 } as const;

/** Files with tables, and files that are wanted, at most. */
export const mostTables = 4096;

/**
 * `{ u32 offset in the file; u32 rule }`, the rule as formats/unwind-rule.ts has it: from there to the next row's. In
 * element 0 the offset is the number of rows that follow.
 */
export const rowLayout = { offset: 0, rule: 4, size: 8 } as const;

/** Rows that one table can have: those that a search of so many steps finds. */
export const searchSteps = 23;
export const mostRows: number = 2 ** searchSteps - 2;

/**
 * A program that asks what the kernel knows a file by, of which the tracer has mapped a piece: in this array of one element
 * it reads the piece's address and writes the {@link fileKey}. That of a file in an overlay cannot be found out otherwise.
 */
export const fileQuestion = { program: "unwind_file", map: "unwind_file", address: 0, file: 8, size: 512 } as const;

/** A stack: u64 number of frames, then their addresses. The key is a hash of them, a u64 below 2^63. */
export const unwoundLayout = { count: 0, frames: 8 } as const;

/** Pages of a stack that is sent, 4 KiB each: of most, and of those that have more. */
export const pendingPages = 4;
export const mostPendingPages = 16;

/** Few rooms are of use: the verifier walks what unwinds stacks once for each. */
const leastRoom = 64;

/**
 * Frames that there is room for: a power of 2, more than `depth`. A number of frames is below it once its upper bits are
 * cleared, which the verifier understands.
 */
export const roomFor = (depth: number): number => Math.max(leastRoom, 2 ** (32 - Math.clz32(depth)));

/** Return addresses that uretprobes have replaced: `{ u64 address of the word; u64 what stood in it }` of each. */
export const returnLayout = { word: 0, address: 8, size: 16 } as const;

export const returnsSize: number = MAX_URETPROBE_DEPTH * returnLayout.size;

const pagesAt = 88;
const returnsAt = pagesAt + 8 * mostPendingPages;

/**
 * A stack that stopped for want of what is known of the code, so that user space finds its callers: behind the record's header,
 * what {@link pendingLayout} says, its frames until there, then pages of the thread's stack that have been touched.
 */
export const pendingLayout = {
  /** {@link pendingMark}, which stands in the place of the next frame. */
  mark: 0,
  /** Of the frames with the mark, as {@link unwoundLayout} has it. */
  id: 8,
  /** Of the monotonic clock. */
  time: 16,
  /** Registers of the innermost frame: ip, sp, bp, bx, di. */
  registers: 24,
  trampoline: 64,
  /** u32 process, u32 number of frames. */
  process: 72,
  count: 76,
  /** u64 number of {@link returnLayout}. */
  returnCount: 80,
  /** u64 for each of {@link mostPendingPages}: where the page is, in pages from the one that `sp` is in; {@link noPage} if there is none. */
  pages: pagesAt,
  returns: returnsAt,
  /** u64 each, {@link roomFor} many. */
  frames: returnsAt + returnsSize,
} as const;

export const noPage = 0xffff_ffff_ffff_ffffn;
export const pendingPage = 4096;

/** Where the pages begin, and the bytes of such a record, of stacks of `depth` frames. */
export const pendingPagesAt = (depth: number): number => pendingLayout.frames + 8 * roomFor(depth);
export const pendingSize = (depth: number, pages: number): number => pendingPagesAt(depth) + pages * pendingPage;

/** No address has bit 62 set and bit 63 not: a mark is this and a number that comes once. */
export const pendingMark: bigint = 1n << 62n;
export const isPendingMark = (word: bigint): boolean => word >> 62n === 1n;

/** Array of one word: the number of the next mark. */
export const pendingMap = "unwind_pending";

/** An odd number whose bits look random: the golden ratio's, as hash_64() of the kernel has it (include/linux/hash.h). */
export const unwoundHashFactor = 0x61c8864680b583ebn;

/** The key of a stack, as programs make it from their frames (language/builtins/unwind-step.ts). */
export function unwoundId(frames: Iterable<bigint>): bigint {
  let hash = 0n;
  for (const frame of frames) {
    const product = BigInt.asUintN(64, (hash ^ frame) * unwoundHashFactor);
    hash = product ^ (product >> 32n);
  }
  return hash >> 1n;
}

/** Map of the stacks of one depth. */
export const unwoundMapName = (depth: number): string => `unwound${depth}`;
