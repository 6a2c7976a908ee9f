// A stack that the program cannot unwind to its end goes to user space with a piece of its memory: lower/deferred-stacks.ts.

import type { FunctionBuilder } from "../../ir/builder.js";
import type { Value } from "../../ir/ir.js";
import {
  mostPendingPages,
  noPage,
  pendingLayout,
  pendingMap,
  pendingMark,
  pendingPage,
  pendingPages,
  pendingPagesAt,
  pendingSize,
  returnsSize,
  roomFor,
  unwoundLayout,
} from "../../wire/unwind.js";
import type { Lowering } from "../lowering.js";
import {
  foundMapping,
  type KernelMembers,
  pagesAt,
  recordAt,
  register,
  returnsAt,
  scratchSize,
  scratchWords,
  shared,
  stops,
} from "./unwind-memory.js";
import { noteReturns } from "./unwind-returns.js";
import { addToHash } from "./unwind-step.js";

/** A stack of at most `depth` frames in scratch memory, of which `known` are known, less than `depth`. */
export interface Stopped {
  readonly scratch: Value;
  readonly depth: number;
  readonly known: Value;
}

/** Puts a mark behind its frames, and sends what belongs to it; `otherwise` if there is no room in the ring. */
export function sendPending(l: Lowering, members: KernelMembers, stopped: Stopped, otherwise: () => void): void {
  const { b } = l;
  const { scratch, depth, known } = stopped;
  l.notePendingStacks();
  const send = (pages: number): void => {
    const size = pendingSize(depth, pages);
    // Both of these functions the verifier looks at by themselves, however many stacks the script has.
    const fill = l.sharedSubprogram(`fill${size}`, (inner) => lowerFill(inner, depth, pages), [
      size,
      scratchSize(depth),
      0,
    ]);
    l.sendRaw(
      { kind: "pending-stack", depth, alwaysDone: true },
      size,
      (dest) => b.callFunc(fill, [l.address(dest), scratch, known]),
      otherwise,
    );
  };
  const page = l.sharedSubprogram("page", lowerPageLook);
  const look = l.sharedSubprogram("look", (inner) => lowerLook(l, inner, members, page), [recordAt]);
  b.callFunc(look, [scratch]);
  b.either(
    "ugt",
    b.load(8, false, scratch, scratchWords.pageCount),
    b.const(pendingPages),
    () => send(mostPendingPages),
    () => send(pendingPages),
  );
}

/** Registers as struct pt_regs has them, and where they are kept until they are sent: the unwinding is over. */
const registersSent = [
  [scratchWords.instructionPointer, "ip"],
  [scratchWords.stackPointer, "sp"],
  [scratchWords.framePointer, "bp"],
  [scratchWords.read2, "bx"],
  [scratchWords.argument, "di"],
] as const;

/** A function of scratch memory, in which it notes what is sent of the stack. */
function lowerLook(l: Lowering, b: FunctionBuilder, members: KernelMembers, page: string): void {
  const scratch = b.param(0);
  b.when("ne", scratch, b.const(0), "then", () => {
    const task = b.call("get_current_task_btf", []);
    const registers = b.call("task_pt_regs", [task]);
    for (const [at, name] of registersSent) b.store(8, scratch, at, b.load(8, false, registers, register(l, name)));
    b.store(8, scratch, scratchWords.returnCount, b.const(0));
    const { returns } = members;
    if (returns !== undefined)
      b.when("ne", b.load(8, false, scratch, scratchWords.trampoline), b.const(0), undefined, () =>
        noteReturns(b, scratch, returns),
      );
    findPages(b, members, scratch, page);
  });
  b.ret(b.const(0));
}

/** Pages that are looked at where nobody knows how large a stack is, and in the largest one: 256 KiB and 8 MiB. */
const fewPages = 64;
const mostPages = 2048;

/** Large frames have pages that nobody has touched: those that are there are looked for. */
function findPages(b: FunctionBuilder, { taskMm, mmStartStack }: KernelMembers, scratch: Value, page: string): void {
  const together = b.slotAddr(b.slot(shared.size, 8, "looking"));
  b.store(8, together, shared.scratch, scratch);
  b.store(8, scratch, scratchWords.pageCount, b.const(0));
  // The stack of a first thread ends where the kernel has put its arguments (create_elf_tables(), fs/binfmt_elf.c).
  const start = b.load(8, false, b.load(8, false, b.call("get_current_task_btf", []), taskMm), mmStartStack);
  const pages = b.bin("lshr", b.bin("sub", start, firstPage(b, scratch)), b.const(12));
  const rounds = b.newVariable();
  b.write(rounds, b.const(fewPages));
  b.when("ult", pages, b.const(mostPages), undefined, () => b.write(rounds, b.bin("add", pages, b.const(1))));
  b.call("loop", [b.read(rounds), b.funcRef(page), together, b.const(0)]);
}

/** Notes a page if it is there; returns 1 to stop. */
function lowerPageLook(b: FunctionBuilder): void {
  const scratch = b.load(8, false, b.param(1), shared.scratch);
  const page = b.param(0);
  const count = b.load(8, false, scratch, scratchWords.pageCount);
  const full = b.newVariable();
  b.write(full, b.const(1));
  b.when("ult", count, b.const(mostPendingPages), "then", () => {
    b.write(full, b.const(0));
    const address = b.bin("add", firstPage(b, scratch), b.bin("shl", page, b.const(12)));
    const word = b.bin("add", scratch, b.const(scratchWords.read));
    const result = b.call("probe_read_user", [word, b.const(8), address]);
    b.when("eq", result, b.const(0), undefined, () => {
      b.store(8, b.bin("add", scratch, b.bin("shl", count, b.const(3))), pagesAt, page);
      b.store(8, scratch, scratchWords.pageCount, b.bin("add", count, b.const(1)));
    });
  });
  b.ret(b.read(full));
}

/** From the innermost frame on: what callers had in their registers its callees tell. */
const firstPage = (b: FunctionBuilder, scratch: Value): Value =>
  b.bin("and", b.load(8, false, scratch, scratchWords.stackPointer), b.const(-pendingPage));

/** A function of a record, of scratch memory, and of how many frames are known, less than `depth`. */
function lowerFill(b: FunctionBuilder, depth: number, pages: number): void {
  const [record, scratch] = [b.param(0), b.param(1)];
  const known = b.bin("and", b.param(2), b.const(roomFor(depth) - 1));
  b.when("ne", record, b.const(0), "then", () =>
    b.when("ne", scratch, b.const(0), "then", () => fill(b, { record, scratch, known, depth, pages })),
  );
  b.ret(b.const(0));
}

interface Filled extends Stopped {
  readonly record: Value;
  readonly pages: number;
}

function fill(b: FunctionBuilder, { record, scratch, known, depth, pages }: Filled): void {
  const number = b.atomicFetch("add", 8, b.mapValue(pendingMap, 0), 0, b.const(1));
  const mark = b.bin("or", number, b.const(pendingMark));
  const frames = b.bin("add", scratch, b.const(recordAt + unwoundLayout.frames));
  b.store(8, b.bin("add", frames, b.bin("shl", known, b.const(3))), 0, mark);
  b.store(8, scratch, recordAt + unwoundLayout.count, b.bin("add", known, b.const(1)));
  addToHash(b, scratch, mark);
  // User space finds the rest: nothing else is to be tried.
  b.store(8, scratch, scratchWords.stop, b.const(stops.none));
  b.store(8, record, pendingLayout.mark, mark);
  b.store(8, record, pendingLayout.id, b.bin("lshr", b.load(8, false, scratch, scratchWords.hash), b.const(1)));
  b.store(8, record, pendingLayout.time, b.call("ktime_get_ns", []));
  const put = (at: number, word: number): void => b.store(8, record, at, b.load(8, false, scratch, word));
  for (const [i, [word]] of registersSent.entries()) put(pendingLayout.registers + 8 * i, word);
  put(pendingLayout.trampoline, scratchWords.trampoline);
  put(pendingLayout.returnCount, scratchWords.returnCount);
  b.store(4, record, pendingLayout.process, b.load(4, false, scratch, foundMapping.wanted));
  b.store(4, record, pendingLayout.count, known);
  const at = (offset: number): Value => b.bin("add", record, b.const(offset));
  const returns = b.bin("add", scratch, b.const(returnsAt));
  b.call("probe_read_kernel", [at(pendingLayout.returns), b.const(returnsSize), returns]);
  b.call("probe_read_kernel", [at(pendingLayout.frames), b.const(8 * roomFor(depth)), frames]);
  const stackAt = at(pendingPagesAt(depth));
  const found = b.load(8, false, scratch, scratchWords.pageCount);
  b.loop(mostPendingPages, (i, { next }) => {
    const page = b.newVariable();
    b.write(page, b.const(BigInt.asIntN(64, noPage)));
    const word = b.bin("shl", i, b.const(3));
    b.when("ult", i, b.const(pages), undefined, () =>
      b.when("ult", i, found, undefined, () => {
        const index = b.load(8, false, b.bin("add", scratch, word), pagesAt);
        const from = b.bin("add", firstPage(b, scratch), b.bin("shl", index, b.const(12)));
        const to = b.bin("add", stackAt, b.bin("shl", i, b.const(12)));
        const result = b.call("probe_read_user", [to, b.const(pendingPage), from]);
        b.when("eq", result, b.const(0), undefined, () => b.write(page, index));
      }),
    );
    b.store(8, b.bin("add", record, word), pendingLayout.pages, b.read(page));
    next();
  });
}
