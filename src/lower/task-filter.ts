// The targets of the command line: a few instructions in front of each action.

import { pidnsInfo } from "../abi/bpf.js";
import { encodeBytes } from "../base/byte-text.js";
import type { FunctionBuilder } from "../ir/builder.js";
import type { BlockId, CmpOp, Value } from "../ir/ir.js";
import { looksAtTasks, type TaskFilter } from "../language/task-filter.js";
import { systemMaps } from "../wire/map-storage.js";
import type { ProgramLowering } from "./program-lowering.js";

/** TASK_COMM_LEN, include/linux/sched.h: 15 bytes and a NUL. */
const commSize = 16;

/** Leaves unless the current task is one of those that the trace is limited to; the cheapest questions come first. */
export function limitToTasks(p: ProgramLowering, filter: TaskFilter): void {
  if (filter.process === undefined && !looksAtTasks(filter)) return;
  if (p.program.targets.some(({ provider }) => (provider.limitedBy ?? "task") !== "task")) return;
  const { b } = p;
  // What these helpers answer is no affair of the script's.
  const { afterCall } = b;
  b.afterCall = undefined;
  const miss = b.newBlock();
  if (filter.process !== undefined) limitToProcess(p, filter.process, miss);
  if (filter.users !== undefined) {
    const user = b.ext(4, false, b.call("get_current_uid_gid", []));
    anyOf(b, filter.users, miss, (uid, next, hit) => b.branch("eq", user, b.const(uid), hit, next));
  }
  if (filter.names !== undefined) limitToNames(b, filter.names, miss);
  const cgroups = Array.from({ length: filter.cgroups ?? 0 }, (_, index) => index);
  if (cgroups.length > 0) {
    anyOf(b, cgroups, miss, (index, next, hit) => {
      // 1 in the group or below it, 0 elsewhere, negative on an error; since Linux 4.9.
      const under = b.call("current_task_under_cgroup", [b.map(systemMaps.cgroups), b.const(index)]);
      b.branch("eq", b.ext(4, true, under), b.const(1), hit, next);
    });
  }
  if (filter.tree === true) {
    const key = b.slotAddr(b.slot(4, 4, "process"));
    b.store(4, key, 0, b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)));
    orMiss(b, "ne", b.call("map_lookup_elem", [b.map(systemMaps.tree), key]), b.const(0), miss);
  }
  b.seal(miss);
  const here = b.current;
  b.setBlock(miss);
  b.ret(b.const(0));
  b.setBlock(here);
  b.afterCall = afterCall;
}

/** Goes on only if the comparison holds. */
function orMiss(b: FunctionBuilder, cmp: CmpOp, left: Value, right: Value, miss: BlockId): void {
  const go = b.newBlock();
  b.branch(cmp, left, right, go, miss);
  b.seal(go);
  b.setBlock(go);
}

/** Asks about one after the other; goes on at the first that is hit. */
function anyOf<T>(
  b: FunctionBuilder,
  choices: readonly T[],
  miss: BlockId,
  ask: (choice: T, next: BlockId, hit: BlockId) => void,
): void {
  const hit = b.newBlock();
  for (const [i, choice] of choices.entries()) {
    const isLast = i === choices.length - 1;
    const next = isLast ? miss : b.newBlock();
    ask(choice, next, hit);
    if (isLast) break;
    b.seal(next);
    b.setBlock(next);
  }
  b.seal(hit);
  b.setBlock(hit);
}

function limitToProcess({ b, kernel }: ProgramLowering, process: number, miss: BlockId): void {
  const namespace = kernel.pidNamespace();
  if (namespace === undefined) {
    orMiss(b, "eq", b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)), b.const(process), miss);
    return;
  }
  const info = b.slotAddr(b.slot(pidnsInfo.size, 4, "ids"));
  const { device, inode } = namespace;
  b.call("get_ns_current_pid_tgid", [b.const(device), b.const(inode), info, b.const(pidnsInfo.size)]);
  orMiss(b, "eq", b.load(4, false, info, pidnsInfo.tgid), b.const(process), miss);
}

function limitToNames(b: FunctionBuilder, names: readonly string[], miss: BlockId): void {
  const comm = b.slotAddr(b.slot(commSize, 8, "comm"));
  // Linux 5.18 to 6.1 leave what is behind the name's NUL as it was (kernel/bpf/helpers.c, bpf_get_current_comm).
  b.zero(comm, 0, commSize);
  b.call("get_current_comm", [comm, b.const(commSize)]);
  const halves = [b.load(8, false, comm, 0), b.load(8, false, comm, 8)] as const;
  anyOf(b, names, miss, (name, next, hit) => {
    const wanted = commWords(name);
    const second = b.newBlock();
    b.branch("eq", halves[0], b.const(wanted[0]), second, next);
    b.seal(second);
    b.setBlock(second);
    b.branch("eq", halves[1], b.const(wanted[1]), hit, next);
  });
}

/** A name as the two words of a comm, cut as the kernel cuts it. */
function commWords(name: string): readonly [bigint, bigint] {
  const bytes = new Uint8Array(commSize);
  bytes.set(encodeBytes(name).subarray(0, commSize - 1));
  const view = new DataView(bytes.buffer);
  return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
}
