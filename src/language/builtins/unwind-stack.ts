// A user stack by the unwinding tables of the files that the process runs, inside of the program.

import type { FunctionBuilder, Variable } from "../../ir/builder.js";
import type { Value } from "../../ir/ir.js";
import type { StackType } from "../../types/type.js";
import { stackLayout } from "../../wire/layout.js";
import { emptyProcess, processSize, roomFor, unwindMaps, unwoundLayout } from "../../wire/unwind.js";
import type { Dest, LossCounter, Lowering } from "../lowering.js";
import { ownId } from "./process-id.js";
import { BPF_F_USER_STACK, hashOf } from "./stack-overflow.js";
import { lowerMappingLookup, lowerRestOfMappings, noteProcess } from "./unwind-mapping.js";
import {
  foundMapping,
  type KernelMembers,
  kernelMembers,
  recordAt,
  register,
  scratchSize,
  scratchWords,
  shared,
  stops,
} from "./unwind-memory.js";
import { type Stopped, sendPending } from "./unwind-pending.js";
import { trampolineOf } from "./unwind-returns.js";
import { lowerUnwindStep } from "./unwind-step.js";

/** PF_KTHREAD, include/linux/sched.h (v5.15 to v6.18). */
const kernelThread = 0x0020_0000;

/** Of struct pt_regs, x86-64: __USER_CS and __USER32_CS, code segments of programs (arch/x86/include/asm/segment.h). */
const codeSegment = { name: "cs", user64: 0x33, user32: 0x23 } as const;

/** What bpf_get_stackid() says where there is no stack, and what user space knows from it: -EFAULT. */
const noStack = -14n;

/** -EEXIST of BPF_NOEXIST. */
const alreadyThere = -17n;

const lossOf: readonly (readonly [stop: number, counter: LossCounter])[] = [
  [stops.unmapped, "unwind-unmapped"],
  [stops.noTable, "unwind-no-table"],
  [stops.noRule, "unwind-no-rule"],
  [stops.unsupported, "unwind-no-rule"],
  [stops.unreadable, "unwind-unreadable"],
];

function membersOf(l: Lowering): KernelMembers {
  const members = kernelMembers(l.kernel);
  if ("missing" in members) throw new Error(`internal: ${members.missing}`);
  return members;
}

/**
 * Whose stacks go by tables: all processes', which are met one by one, or those of the processes that the trace was started for.
 * What there are none for is taken by frame pointers, and counted.
 */
export type Whose = "all" | "targets";

interface Unwound {
  /** What `keep` has answered, or an errno. */
  readonly id: Value;
  /** Number of frames. */
  readonly count: Value;
}

/** What is done with frames, which stand in scratch memory; answers what the stack is then known by. */
type Keep = (scratch: Value, count: Value) => Value;

interface Unwinding {
  readonly depth: number;
  readonly whose: Whose;
  readonly keep: Keep;
}

/** Unwinds the stack of the current task. */
function unwind(l: Lowering, how: Unwinding): Unwound {
  const { b } = l;
  const members = membersOf(l);
  const [id, count] = [b.newVariable(), b.newVariable()];
  b.write(id, b.const(noStack));
  b.write(count, b.const(0));
  const task = b.call("get_current_task_btf", []);
  const isKernel = b.bin("and", b.load(4, false, task, members.taskFlags), b.const(kernelThread));
  // 0 where its memory is gone because it ends, or not there yet because it is executing another program (load_elf_binary(),
  // fs/binfmt_elf.c): the registers are then of what was there before. What is read behind a null pointer is 0, too.
  const code = b.load(8, false, b.load(8, false, task, members.taskMm), members.mmStartCode);
  const hasStack = b.bin("and", b.cmp("eq", isKernel, b.const(0)), b.cmp("ne", code, b.const(0)));
  b.when("ne", hasStack, b.const(0), "then", () => {
    const registers = b.call("task_pt_regs", [task]);
    const segment = b.load(2, false, registers, register(l, codeSegment.name));
    const pc = b.load(8, false, registers, register(l, "ip"));
    b.when("eq", segment, b.const(codeSegment.user32), "else", () => l.countLoss("unwind-no-rule"));
    b.when("eq", segment, b.const(codeSegment.user64), "then", () => {
      b.when("ne", pc, b.const(0), "then", () => {
        const sp = b.load(8, false, registers, register(l, "sp"));
        const fp = b.load(8, false, registers, register(l, "bp"));
        const argument = b.load(8, false, registers, register(l, "di"));
        const unwound = unwindFrom(l, how, members, { pc, sp, fp, argument });
        b.write(id, unwound.id);
        b.write(count, unwound.count);
      });
    });
  });
  return { id: b.read(id), count: b.read(count) };
}

function unwindFrom(
  l: Lowering,
  { depth, whose, keep }: Unwinding,
  members: KernelMembers,
  { pc, sp, fp, argument }: Readonly<Record<"pc" | "sp" | "fp" | "argument", Value>>,
): Unwound {
  const { b } = l;
  const scratch = l.address(l.temporary(scratchSize(depth), "unwinding"));
  b.store(8, scratch, scratchWords.instructionPointer, pc);
  b.store(8, scratch, scratchWords.stackPointer, sp);
  b.store(8, scratch, scratchWords.framePointer, fp);
  b.store(8, scratch, scratchWords.exact, b.const(1));
  b.store(8, scratch, scratchWords.argument, argument);
  b.store(8, scratch, scratchWords.hash, b.const(0));
  b.store(8, scratch, scratchWords.anonymousEnd, b.const(0));
  b.store(8, scratch, foundMapping.end, b.const(0));
  b.store(8, scratch, scratchWords.stop, b.const(stops.none));
  b.store(8, scratch, scratchWords.trampoline, b.const(0));
  if (members.returns !== undefined) {
    const task = b.call("get_current_task_btf", []);
    b.store(8, scratch, scratchWords.trampoline, trampolineOf(b, task, members.taskMm, members.returns));
  }
  const process = ownId(l, true);
  noteProcess(b, scratch, process);
  const key = b.slotAddr(b.slot(4, 4, "process"));
  b.store(4, key, 0, process);
  const find = (): Value => b.call("map_lookup_elem", [b.map(unwindMaps.processes), key]);
  const all = whose === "all" || l.unwindsAll;
  const entry = all ? findOrAdd(l, key, find) : find();
  const [id, count] = [b.newVariable(), b.newVariable()];
  b.write(id, b.const(noStack));
  b.write(count, b.const(0));
  l.ifPresent(
    entry,
    () => {
      const known = byTables(l, depth, members, { scratch, process: entry });
      const frames = b.newVariable();
      b.write(frames, known);
      b.store(8, scratch, recordAt + unwoundLayout.count, known);
      tellOfStop(l, members, { scratch, key, depth, known, frames });
      const take = (from: Value, found: Value): void => {
        b.write(count, found);
        b.write(id, keep(from, found));
      };
      if (whose === "all") takeLonger(l, depth, { scratch, frames: b.read(frames), take });
      else take(scratch, b.read(frames));
    },
    () => {
      if (!all) l.countLoss("unwind-no-process");
      const found = byKernel(l, depth, scratch);
      b.when("sgt", found, b.const(0), "then", () => {
        b.write(count, found);
        b.write(id, keep(scratch, found));
      });
    },
  );
  return { id: b.read(id), count: b.read(count) };
}

/**
 * Number of frames, which stand in scratch memory. They are found by a function that the verifier looks at by itself: it has some
 * ten thousand ways, which would be walked again behind each of the ways to each stack of the script.
 */
function byTables(
  l: Lowering,
  depth: number,
  members: KernelMembers,
  { scratch, process }: { readonly scratch: Value; readonly process: Value },
): Value {
  const { b } = l;
  const size = scratchSize(depth);
  const functions = {
    lookup: l.sharedSubprogram("mapping", (inner) => lowerMappingLookup(inner, members)),
    rest: l.sharedSubprogram("mappings", lowerRestOfMappings),
  };
  const most = roomFor(depth);
  const step = l.sharedSubprogram(`frame${size}`, (inner) => lowerUnwindStep(inner, most, members, functions));
  const frames = l.sharedSubprogram(`frames${size}`, (inner) => lowerFrames(inner, step), [size, processSize, 0]);
  const count = b.callFunc(frames, [scratch, process, b.const(depth)]);
  // It is never more. Of a number without any bound 6.1 forgets what a comparison tells, if it is put on the stack.
  return b.bin("and", count, b.const(most - 1));
}

/** A function of scratch memory, what is known of the process, and how many frames are wanted. */
function lowerFrames(b: FunctionBuilder, step: string): void {
  const [scratch, process, depth] = [b.param(0), b.param(1), b.param(2)];
  const together = b.slotAddr(b.slot(shared.size, 8, "unwinding"));
  const count = b.newVariable();
  b.write(count, b.const(0));
  b.when("ne", scratch, b.const(0), "then", () =>
    b.when("ne", process, b.const(0), "then", () => {
      b.store(8, together, shared.scratch, scratch);
      b.store(8, together, shared.process, process);
      b.write(count, b.call("loop", [depth, b.funcRef(step), together, b.const(0)]));
    }),
  );
  b.ret(b.read(count));
}

/**
 * Of processes that nobody has named tables are made when a stack asks for them: until they are there, what frame pointers lead to
 * counts, if that is more. For a program that keeps them it is all of the stack.
 */
function takeLonger(
  l: Lowering,
  depth: number,
  {
    scratch,
    frames,
    take,
  }: { readonly scratch: Value; readonly frames: Value; readonly take: (from: Value, found: Value) => void },
): void {
  const { b } = l;
  const stop = b.load(8, false, scratch, scratchWords.stop);
  const [byTable, done] = [b.newBlock(), b.newBlock()];
  const lacks = lacksKnowledge(b, stop);
  b.when("ne", lacks, b.const(0), "else", () => {
    const other = l.address(l.temporary(scratchSize(depth), "frame pointers"));
    const found = byKernel(l, depth, other);
    b.when("sgt", found, frames, undefined, () => {
      take(other, found);
      b.jump(done);
    });
  });
  b.jump(byTable);
  b.seal(byTable);
  b.setBlock(byTable);
  take(scratch, frames);
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
}

/** The same as the kernel has it, by frame pointers; below 1 if there is none. */
function byKernel(l: Lowering, depth: number, scratch: Value): Value {
  const { b } = l;
  const frames = b.bin("add", scratch, b.const(recordAt + unwoundLayout.frames));
  const bytes = b.call("get_stack", [b.ctx(), frames, b.const(8 * depth), b.const(BPF_F_USER_STACK)]);
  const count = b.newVariable();
  b.write(count, b.const(0));
  b.when("sgt", bytes, b.const(0), "then", () => {
    b.write(count, b.bin("lshr", bytes, b.const(3)));
    b.store(8, scratch, recordAt + unwoundLayout.count, b.read(count));
    b.store(8, scratch, scratchWords.hash, hashOf(l, frames, b.read(count), depth));
  });
  return b.read(count);
}

/** Counts a stack that is not whole, and asks for what it lacked; or has user space find the rest of it. */
function tellOfStop(
  l: Lowering,
  members: KernelMembers,
  { scratch, key, depth, known, frames }: Stopped & { readonly key: Value; readonly frames: Variable },
): void {
  const { b } = l;
  const stop = b.load(8, false, scratch, scratchWords.stop);
  const on = (reason: number, then: () => void): void => b.when("eq", stop, b.const(reason), undefined, then);
  const count = (): void => {
    for (const [reason, counter] of lossOf) on(reason, () => l.countLoss(counter));
  };
  b.when("ne", stop, b.const(stops.none), "else", () => {
    on(stops.unmapped, () => b.call("map_update_elem", [b.map(unwindMaps.news), key, emptyValue(l), b.const(0)]));
    const lacks = lacksKnowledge(b, stop);
    if (!l.defersStacks) {
      count();
      b.when("ne", lacks, b.const(0), undefined, () => wakeUp(l));
      return;
    }
    b.either(
      "ne",
      b.bin("or", lacks, b.cmp("eq", stop, b.const(stops.unsupported))),
      b.const(0),
      // Without room for the mark the stack has all frames that are asked for.
      () =>
        b.when("ult", known, b.const(depth), "then", () => {
          sendPending(l, members, { scratch, depth, known }, count);
          b.write(frames, b.load(8, false, scratch, recordAt + unwoundLayout.count));
        }),
      count,
    );
  });
}

/** What nothing was known of now, something may be known of later. */
const lacksKnowledge = (b: FunctionBuilder, stop: Value): Value =>
  b.bin("or", b.cmp("eq", stop, b.const(stops.noTable)), b.cmp("eq", stop, b.const(stops.unmapped)));

const emptyValue = (l: Lowering): Value => l.table(emptyProcess.map, () => new Uint8Array(emptyProcess.size));

/** User space looks at news and wishes from time to time; this lets it look now. */
function wakeUp(l: Lowering): void {
  l.sendRaw(
    { kind: "tables-wanted" },
    0,
    () => undefined,
    // It is awake.
    () => undefined,
  );
}

/** What is known of a process; from now on there is something, or `code` says why not. */
function findOrAdd(l: Lowering, key: Value, find: () => Value): Value {
  const { b } = l;
  const known = b.newVariable();
  b.write(known, find());
  l.ifPresent(
    b.read(known),
    () => undefined,
    () => {
      const empty = emptyValue(l);
      const code = b.ext(4, true, b.call("map_update_elem", [b.map(unwindMaps.processes), key, empty, b.const(1)]));
      b.call("map_update_elem", [b.map(unwindMaps.news), key, empty, b.const(0)]);
      const added = find();
      b.write(known, added);
      // Counted here: what would have to be remembered until later makes the verifier look at all that follows twice.
      l.ifPresent(
        added,
        () => undefined,
        () => l.countLostElement("unwind-processes-full", code),
      );
    },
  );
  return b.read(known);
}

/** Puts the record into the map of stacks, if no equal one is there. */
function store(l: Lowering, depth: number, scratch: Value): Value {
  const { b } = l;
  const map = l.unwoundMap(depth);
  // Negative keys are errors.
  const id = b.bin("lshr", b.load(8, false, scratch, scratchWords.hash), b.const(1));
  b.store(8, scratch, scratchWords.hash, id);
  const key = b.bin("add", scratch, b.const(scratchWords.hash));
  l.ifPresent(
    b.call("map_lookup_elem", [b.map(map), key]),
    () => undefined,
    () => {
      const record = b.bin("add", scratch, b.const(recordAt));
      const result = b.ext(4, true, b.call("map_update_elem", [b.map(map), key, record, b.const(1)]));
      l.ifNegative(result, () =>
        b.when("ne", result, b.const(alreadyThere), "then", () => l.countLostElement("unwind-stacks-full", result)),
      );
    },
  );
  return id;
}

/** Puts the user stack of the current task by unwinding tables into `dest`. */
export function lowerUnwoundStack(l: Lowering, type: StackType, dest: Dest, whose: Whose): void {
  const { b } = l;
  const keep: Keep = (scratch) => store(l, type.depth, scratch);
  const { id, count } = unwindQuietly(l, { depth: type.depth, whose, keep });
  b.store(8, dest.base, dest.offset + stackLayout.id, id);
  b.store(4, dest.base, dest.offset + stackLayout.pid, ownId(l, true));
  b.store(4, dest.base, dest.offset + stackLayout.frames, count);
}

/** Puts the frames of that stack at an address; answers their bytes, or an errno. */
export function takeUnwoundFrames(l: Lowering, { depth }: StackType, to: Value, whose: Whose): Value {
  const { b } = l;
  const keep: Keep = (scratch, count) => {
    const bytes = b.newVariable();
    b.write(bytes, b.const(0));
    // It is never more, which the verifier cannot know.
    b.when("ule", count, b.const(depth), "then", () => {
      b.write(bytes, b.bin("shl", count, b.const(3)));
      const frames = b.bin("add", scratch, b.const(recordAt + unwoundLayout.frames));
      b.call("probe_read_kernel", [to, b.read(bytes), frames]);
    });
    return b.read(bytes);
  };
  return unwindQuietly(l, { depth, whose, keep }).id;
}

/** What the helpers answer is no affair of the script's. */
function unwindQuietly(l: Lowering, how: Unwinding): Unwound {
  l.noteUserAddresses();
  l.noteUnwinding();
  const { b } = l;
  const { afterCall } = b;
  b.afterCall = undefined;
  const unwound = unwind(l, how);
  b.afterCall = afterCall;
  return unwound;
}
