// A stack that the program cannot unwind to its end goes to user space with a piece of its memory: lower/deferred-stacks.ts.

import type { FunctionBuilder } from "../../ir/builder.js";
import type { Value } from "../../ir/ir.js";
import {
  mostPendingPages,
  pendingLayout,
  pendingMap,
  pendingMark,
  pendingPage,
  pendingPages,
  pendingSize,
  unwoundLayout,
} from "../../wire/unwind.js";
import { recordHeader } from "../action.js";
import type { Dest, Lowering } from "../lowering.js";
import { foundMapping, recordAt, register, scratchWords, stops } from "./unwind-memory.js";
import { addToHash } from "./unwind-step.js";

/** A stack of at most `depth` frames in scratch memory, of which `known` are known, less than `depth`. */
export interface Stopped {
  readonly scratch: Value;
  readonly depth: number;
  readonly known: Value;
}

/** Puts a mark behind its frames, and sends what belongs to it; `otherwise` if there is no room in the ring. */
export function sendPending(l: Lowering, stopped: Stopped, otherwise: () => void): void {
  const { b } = l;
  const { scratch, depth } = stopped;
  l.notePendingStacks();
  const send = (pages: number): void =>
    l.sendRaw(
      (size) => ({
        name: "unfinished stack",
        size,
        alwaysDone: true,
        run: (host, view, at) => host.pendingStack(view, at + recordHeader, depth),
      }),
      pendingSize(depth, pages),
      (dest) => fill(l, stopped, dest, pages),
      otherwise,
    );
  const registers = b.call("task_pt_regs", [b.call("get_current_task_btf", [])]);
  for (const [at, name] of registersSent) b.store(8, scratch, at, b.load(8, false, registers, register(l, name)));
  const more = b.newVariable();
  b.write(more, b.const(0));
  for (let page = pendingPages; page < mostPendingPages; page++) {
    const word = b.bin("add", scratch, b.const(scratchWords.read));
    const result = b.call("probe_read_user", [
      word,
      b.const(8),
      b.bin("add", firstPage(b, scratch), b.const(pendingPage * page)),
    ]);
    b.when("eq", result, b.const(0), undefined, () => b.write(more, b.const(1)));
  }
  b.either(
    "ne",
    b.read(more),
    b.const(0),
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

/** From the innermost frame on: what callers had in their registers its callees tell. */
const firstPage = (b: FunctionBuilder, scratch: Value): Value =>
  b.bin("and", b.load(8, false, scratch, scratchWords.stackPointer), b.const(-pendingPage));

function fill(l: Lowering, { scratch, depth, known }: Stopped, dest: Dest, pages: number): void {
  const { b } = l;
  const put = (at: number, value: Value): void => b.store(8, dest.base, dest.offset + at, value);
  const number = b.atomicFetch("add", 8, b.mapValue(pendingMap, 0), 0, b.const(1));
  const mark = b.bin("or", number, b.const(pendingMark));
  const frames = b.bin("add", scratch, b.const(recordAt + unwoundLayout.frames));
  b.store(8, b.bin("add", frames, b.bin("shl", known, b.const(3))), 0, mark);
  b.store(8, scratch, recordAt + unwoundLayout.count, b.bin("add", known, b.const(1)));
  addToHash(b, scratch, mark);
  // User space finds the rest: nothing else is to be tried.
  b.store(8, scratch, scratchWords.stop, b.const(stops.none));
  put(pendingLayout.mark, mark);
  put(pendingLayout.id, b.bin("lshr", b.load(8, false, scratch, scratchWords.hash), b.const(1)));
  put(pendingLayout.time, b.call("ktime_get_ns", []));
  for (const [i, [word]] of registersSent.entries())
    put(pendingLayout.registers + 8 * i, b.load(8, false, scratch, word));
  put(pendingLayout.trampoline, b.load(8, false, scratch, scratchWords.trampoline));
  b.store(4, dest.base, dest.offset + pendingLayout.process, b.load(4, false, scratch, foundMapping.wanted));
  b.store(4, dest.base, dest.offset + pendingLayout.count, known);
  const at = (offset: number): Value => l.address({ base: dest.base, offset: dest.offset + offset });
  b.call("probe_read_kernel", [at(pendingLayout.frames), b.const(8 * depth), frames]);
  const stackAt = pendingLayout.frames + 8 * depth;
  const mask = b.newVariable();
  b.write(mask, b.const(0));
  for (let page = 0; page < pages; page++) {
    const from = b.bin("add", firstPage(b, scratch), b.const(pendingPage * page));
    const result = b.call("probe_read_user", [at(stackAt + pendingPage * page), b.const(pendingPage), from]);
    b.when("eq", result, b.const(0), undefined, () => b.write(mask, b.bin("or", b.read(mask), b.const(1 << page))));
  }
  put(pendingLayout.pages, b.read(mask));
}
