// Programs that user space itself runs and that may say more than a ring has room for: they wait until it has been read.

import type { FunctionBuilder } from "../ir/builder.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Moment } from "../language/probe.js";
import type { TypedProgram } from "../language/typed.js";
import { occursIn } from "../language/typed-walk.js";
import { waitLayout, waitMaps } from "../wire/map-storage.js";
import type { ProgramLowering } from "./program-lowering.js";

/** What runs while nothing else needs the thread that reads the rings. */
const moments: ReadonlySet<Moment | undefined> = new Set<Moment>(["begin", "end"]);

/**
 * Whether a program waits where a ring is full: one with a loop, of those that user space runs. It is of a type that may sleep, for
 * which maps of stacks are not allowed (check_map_prog_compatibility(), kernel/bpf/verifier.c, v5.15 to v6.18).
 */
export const waits = ({ targets, body }: TypedProgram, kernel: KernelView): boolean =>
  targets.every(({ provider }) => moments.has(provider.moment)) &&
  occursIn(body, { statement: ({ kind }) => kind === "for-range" || kind === "for-map" || kind === "while" }) &&
  occursIn(body, { expression: ({ kind, type }) => kind === "builtin" && type.kind === "none" }) &&
  !occursIn(body, { expression: ({ type }) => type.kind === "stack" }) &&
  kernel.feature("sleepableRuns") === "yes";

/** BPF_RB_AVAIL_DATA and BPF_RB_RING_SIZE, flags of bpf_ringbuf_query(), and a command of bpf(2); uapi/linux/bpf.h. */
const [availData, ringSize] = [0, 1];
const BPF_MAP_UPDATE_ELEM = 2;

/** Offsets in union bpf_attr of that command. */
const update = { map: 0, key: 8, value: 16, flags: 24, size: 32 } as const;

/** Looks for room before the program gives up; each look takes some milliseconds. */
const mostLooks = 1 << 22;

/** SIGKILL in the first word of a signal set. */
const killed = 1n << 8n;

/** Bytes of a record's header in a ring, BPF_RINGBUF_HDR_SZ, and what it may be rounded up by. */
const overhead = 16;

/** Waits until a ring has room for a record, if it must. */
export function waitForRoom(p: ProgramLowering, ring: string, size: number): void {
  const { b } = p;
  const ask = (what: number) => b.call("ringbuf_query", [b.map(ring), b.const(what)]);
  const needed = b.bin("add", ask(availData), b.const(size + overhead));
  b.when("ugt", needed, ask(ringSize), "else", () => {
    const look = p.subprogram("wait", (each) => lowerLook(each, p.kernel, ring));
    b.call("loop", [b.const(mostLooks), b.funcRef(look), b.const(0), b.const(0)]);
  });
}

/** Ends the loop when half of the ring is free, or the process is to end; else sleeps for a moment. */
function lowerLook(b: FunctionBuilder, kernel: KernelView, ring: string): void {
  const [sleep, end] = [b.newBlock(), b.newBlock()];
  const ask = (what: number) => b.call("ringbuf_query", [b.map(ring), b.const(what)]);
  const full = b.newBlock();
  b.branch("ugt", ask(availData), b.bin("lshr", ask(ringSize), b.const(1)), full, end);
  b.seal(full);
  b.setBlock(full);
  const pending = pendingSignals(kernel);
  if (pending === undefined) b.jump(sleep);
  else {
    const signals = b.load(8, false, b.call("get_current_task_btf", []), pending);
    b.branch("ne", b.bin("and", signals, b.const(killed)), b.const(0), end, sleep);
  }
  b.seal(sleep);
  b.seal(end);
  b.setBlock(sleep);
  lowerSleep(b);
  b.ret(b.const(0));
  b.setBlock(end);
  b.ret(b.const(1));
}

/**
 * An update of a map of maps, which waits until no program uses the former value (maybe_wait_bpf_programs(), kernel/bpf/syscall.c): the
 * only thing that a program can sleep by.
 */
function lowerSleep(b: FunctionBuilder): void {
  const attr = b.slotAddr(b.slot(update.size, 8, "attr"));
  b.zero(attr, 0, update.size);
  b.store(4, attr, update.map, b.load(4, false, b.mapValue(waitMaps.words, waitLayout.outer), 0));
  b.store(8, attr, update.key, b.mapValue(waitMaps.words, waitLayout.key));
  b.store(8, attr, update.value, b.mapValue(waitMaps.words, waitLayout.inner));
  b.call("sys_bpf", [b.const(BPF_MAP_UPDATE_ELEM), attr, b.const(update.size)]);
}

/** Where a task has the signals that it has not handled yet: a fatal one makes SIGKILL one of them (complete_signal()). */
function pendingSignals(kernel: KernelView): number | undefined {
  const btf = kernel.btf();
  if ("missing" in btf) return undefined;
  const pending = btf.structMember("task_struct", "pending");
  const signal = btf.structMember("sigpending", "signal");
  return pending === undefined || signal === undefined ? undefined : (pending.bitOffset + signal.bitOffset) >> 3;
}
