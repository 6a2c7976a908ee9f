// Which file the code at an address is of: what is known of the process's mappings, else the kernel's own.

import type { FunctionBuilder } from "../../ir/builder.js";
import type { BlockId, Value } from "../../ir/ir.js";
import { fileKey, mappingLayout, mostMappings, processLayout, vdsoInode } from "../../wire/unwind.js";
import { foundMapping, type KernelMembers, scratchWords, shared } from "./unwind-memory.js";

/**
 * Mappings among which the program looks by a loop of its own, each round of which the verifier walks, behind each of the ways that
 * lead there: with all of them that was two thirds of its work. Few programs have more; for those bpf_loop() does it.
 */
const quickMappings = 64;

/** Functions that helpers call. */
export interface MappingFunctions {
  /** For bpf_find_vma(): {@link lowerMappingLookup}. */
  readonly lookup: string;
  /** For bpf_loop(): {@link lowerRestOfMappings}. */
  readonly rest: string;
}

/**
 * Puts the mapping of `address` into scratch memory ({@link foundMapping}), its end 0 if there is none. The kernel is asked by
 * bpf_find_vma() (since Linux 5.17) where nothing is known: that tells the truth at once, also of what was mapped a moment
 * ago; but where interrupts are off only once for each event (mmap_unlock_work, kernel/bpf/task_iter.c), which is why
 * answers are kept.
 */
export function findMapping(
  b: FunctionBuilder,
  {
    address,
    scratch,
    process,
    sharedAt,
    functions,
  }: {
    readonly address: Value;
    readonly scratch: Value;
    readonly process: Value;
    readonly sharedAt: Value;
    readonly functions: MappingFunctions;
  },
): void {
  const done = b.newBlock();
  // Callers are often in the same file.
  b.when("ult", address, b.load(8, false, scratch, foundMapping.end), undefined, () => {
    b.when("uge", address, b.load(8, false, scratch, foundMapping.start), undefined, () => b.jump(done));
  });
  b.store(8, scratch, foundMapping.end, b.const(0));
  b.loop(quickMappings, (index, { next, leave }) => {
    const [some, begun, found] = [b.newBlock(), b.newBlock(), b.newBlock()];
    const none = b.newBlock();
    const other = b.newBlock();
    b.branch("ult", index, b.load(8, false, process, processLayout.count), some, none);
    b.seal(none);
    b.setBlock(none);
    leave();
    b.seal(some);
    b.setBlock(some);
    const entry = entryAt(b, process, index);
    b.branch("uge", address, b.load(8, false, entry, mappingLayout.start), begun, other);
    b.seal(begun);
    b.setBlock(begun);
    b.branch("ult", address, b.load(8, false, entry, mappingLayout.end), found, other);
    b.seal(other);
    b.setBlock(other);
    next();
    b.seal(found);
    b.setBlock(found);
    copyMapping(b, { to: scratch, from: entry });
    b.jump(done);
  });
  const rest = b.bin("sub", b.load(8, false, process, processLayout.count), b.const(quickMappings));
  b.when("sgt", rest, b.const(0), "else", () => {
    b.store(8, scratch, scratchWords.sought, address);
    b.call("loop", [rest, b.funcRef(functions.rest), sharedAt, b.const(0)]);
    b.when("ne", b.load(8, false, scratch, foundMapping.end), b.const(0), undefined, () => b.jump(done));
  });
  askAgain(b, { address, scratch, done });
  b.call("find_vma", [b.call("get_current_task_btf", []), address, b.funcRef(functions.lookup), sharedAt, b.const(0)]);
  const end = b.load(8, false, scratch, foundMapping.end);
  b.when("ne", end, b.const(0), undefined, () => {
    b.either(
      "ne",
      b.load(8, false, scratch, fileInode),
      b.const(0),
      () => keep(b, scratch, process),
      () => {
        b.store(8, scratch, scratchWords.anonymousStart, b.load(8, false, scratch, foundMapping.start));
        b.store(8, scratch, scratchWords.anonymousEnd, end);
      },
    );
  });
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
}

/** Looks at one of the mappings behind the first; returns 1 to stop. */
export function lowerRestOfMappings(b: FunctionBuilder): void {
  const index = b.bin("add", b.param(0), b.const(quickMappings));
  const sharedAt = b.param(1);
  const result = b.newVariable();
  b.write(result, b.const(1));
  b.when("ult", index, b.const(mostMappings), "then", () => {
    b.write(result, b.const(0));
    const scratch = b.load(8, false, sharedAt, shared.scratch);
    const entry = entryAt(b, b.load(8, false, sharedAt, shared.process), index);
    const address = b.load(8, false, scratch, scratchWords.sought);
    b.when("uge", address, b.load(8, false, entry, mappingLayout.start), undefined, () =>
      b.when("ult", address, b.load(8, false, entry, mappingLayout.end), undefined, () => {
        copyMapping(b, { to: scratch, from: entry });
        b.write(result, b.const(1));
      }),
    );
  });
  b.ret(b.read(result));
}

/**
 * Code that no file has is not kept by the programs: it comes and goes. But where one frame is in it the next one often is,
 * and the kernel may not answer twice.
 */
function askAgain(
  b: FunctionBuilder,
  { address, scratch, done }: { readonly address: Value; readonly scratch: Value; readonly done: BlockId },
): void {
  const end = b.load(8, false, scratch, scratchWords.anonymousEnd);
  b.when("ult", address, end, undefined, () => {
    const start = b.load(8, false, scratch, scratchWords.anonymousStart);
    b.when("uge", address, start, undefined, () => {
      b.store(8, scratch, foundMapping.start, start);
      b.store(8, scratch, foundMapping.end, end);
      b.store(8, scratch, fileInode, b.const(0));
      b.jump(done);
    });
  });
}

const entryAt = (b: FunctionBuilder, process: Value, index: Value): Value => {
  const entries = b.bin("add", process, b.const(processLayout.mappings));
  return b.bin("add", entries, b.bin("mul", index, b.const(mappingLayout.size)));
};

function copyMapping(b: FunctionBuilder, { to, from }: { readonly to: Value; readonly from: Value }): void {
  b.store(8, to, foundMapping.start, b.load(8, false, from, mappingLayout.start));
  b.store(8, to, foundMapping.offset, b.load(8, false, from, mappingLayout.offset));
  b.copy(to, foundMapping.file, from, mappingLayout.file, fileKey.size);
  b.store(8, to, foundMapping.end, b.load(8, false, from, mappingLayout.end));
}

/** Two threads that meet a mapping at one time keep it twice, which harms nobody. */
function keep(b: FunctionBuilder, scratch: Value, process: Value): void {
  const most = b.const(mostMappings);
  b.when("ult", b.load(8, false, process, processLayout.count), most, undefined, () => {
    const index = b.atomicFetch("add", 8, process, processLayout.count, b.const(1));
    b.when("ult", index, most, undefined, () => {
      const entry = entryAt(b, process, index);
      b.store(8, entry, mappingLayout.start, b.load(8, false, scratch, foundMapping.start));
      b.store(8, entry, mappingLayout.offset, b.load(8, false, scratch, foundMapping.offset));
      b.copy(entry, mappingLayout.file, scratch, foundMapping.file, fileKey.size);
      // Last: until then others find that no address is in it.
      b.store(8, entry, mappingLayout.end, b.load(8, false, scratch, foundMapping.end));
    });
  });
}

const fileInode = foundMapping.file + fileKey.inode;
const fileDevice = foundMapping.file + fileKey.device;

/** What bpf_find_vma() calls, with the task, its struct vm_area_struct and our own argument. */
export function lowerMappingLookup(b: FunctionBuilder, members: KernelMembers): void {
  const vma = b.param(1);
  const scratch = b.load(8, false, b.param(2), shared.scratch);
  const start = b.load(8, false, vma, members.vmStart);
  b.store(8, scratch, foundMapping.start, start);
  b.store(8, scratch, foundMapping.end, b.load(8, false, vma, members.vmEnd));
  b.store(8, scratch, foundMapping.offset, b.bin("shl", b.load(8, false, vma, members.vmPageOffset), b.const(12)));
  b.store(8, scratch, fileInode, b.const(0));
  b.store(8, scratch, fileDevice, b.const(0));
  const mapped = b.load(8, false, vma, members.vmFile);
  b.either(
    "ne",
    mapped,
    b.const(0),
    () => {
      const inode = b.load(8, false, mapped, members.fileInode);
      b.store(8, scratch, fileInode, b.load(8, false, inode, members.inodeNumber));
      const superblock = b.load(8, false, inode, members.inodeSuperblock);
      b.store(8, scratch, fileDevice, b.load(4, false, superblock, members.superblockDevice));
    },
    () => {
      const vdso = b.load(8, false, b.load(8, false, vma, members.vmMm), members.mmVdso);
      b.when("eq", vdso, start, "else", () => {
        b.store(8, scratch, fileInode, b.const(vdsoInode));
        b.store(8, scratch, foundMapping.offset, b.const(0));
      });
    },
  );
  b.ret(b.const(0));
}

/** Notes whose stack is unwound, for whoever looks for its files. */
export const noteProcess = (b: FunctionBuilder, scratch: Value, process: Value): void =>
  b.store(8, scratch, foundMapping.wanted, process);
