// Stacks that programs could not unwind to their end, because a file's table was not there yet, or a process unknown: they
// send a piece of the stack, and the rest is found here, by the same rules.

import { callersOf, type FramesEnd, type StackAndCode } from "../formats/unwind-frames.js";
import type { UserSymbols } from "../symbols/user-symbols.js";
import type { Loss } from "../wire/event.js";
import {
  mostPendingPages,
  noPage,
  pendingLayout,
  pendingPage,
  pendingPagesAt,
  returnLayout,
  unwoundId,
} from "../wire/unwind.js";

/** Stacks that are kept for maps, and for records that are about to be shown. */
const mostKept = 1 << 17;
const mostShown = 1 << 12;

/** Upper halves of numbers that are exact, whatever the lower half is, and lower halves of those that are so at any height. */
const exactHigh = 2 ** 21;
const exactLow = 2 ** 12;

/** A stack under the id that a program gave it. */
interface Finished {
  /** What a program that has unwound it to its end knows it by. */
  readonly id: bigint;
  readonly frames: DataView;
}

const lossOf = {
  whole: undefined,
  full: undefined,
  unmapped: "unwind-unmapped",
  "no-rule": "unwind-no-rule",
  unreadable: "unwind-unreadable",
} as const satisfies Record<FramesEnd, string | undefined>;

/** The ends of such stacks. */
export class PendingStacks {
  private readonly users: () => UserSymbols;
  /** Maps have ids of stacks. */
  private readonly isKept: boolean;
  private readonly marks = new Map<bigint, DataView>();
  private finished = new Map<bigint, Finished>();
  /** Those of before the last sweep: a program may still use their ids. */
  private older = new Map<bigint, Finished>();
  /** By the ids of whole ones: they come again. */
  private readonly whole = new Map<bigint, DataView>();
  private readonly cut = new Map<Loss["reason"], bigint>();
  /** Whether there have been any. */
  some = false;

  constructor(users: () => UserSymbols, isKept: boolean) {
    this.users = users;
    this.isKept = isKept;
  }

  /** Stacks that have not been told to be swept. */
  get fresh(): number {
    return this.finished.size;
  }

  /** A record of {@link pendingLayout}. */
  take(view: DataView, at: number, depth: number): void {
    this.some = true;
    const frames = this.finish(view, at, depth);
    const id = unwoundId(frames);
    const known = this.whole.get(id) ?? viewOf(frames);
    if (this.marks.size >= mostShown) deleteFirst(this.marks);
    this.marks.set(view.getBigUint64(at + pendingLayout.mark, true), known);
    if (!this.isKept) return;
    if (this.whole.size >= mostKept) deleteFirst(this.whole);
    if (this.finished.size >= mostKept) deleteFirst(this.finished);
    this.whole.set(id, known);
    this.finished.set(view.getBigUint64(at + pendingLayout.id, true), { id, frames: known });
  }

  /** The frames of a stack that was sent, or that is one of those. */
  byId(id: bigint): DataView | undefined {
    return this.some ? (this.of(id)?.frames ?? this.whole.get(id)) : undefined;
  }

  byMark(mark: bigint): DataView | undefined {
    return this.marks.get(mark);
  }

  /** The id of a stack that was sent as it would be if it had not been. */
  finalId(id: bigint): { readonly id: bigint; readonly count: number } | undefined {
    const found = this.of(id);
    return found === undefined ? undefined : { id: found.id, count: found.frames.byteLength / 8 };
  }

  /** Whether a program has made this id, of eight bytes, for a stack that it sent. */
  isSent(id: Uint8Array): boolean {
    return this.of(new DataView(id.buffer, id.byteOffset).getBigUint64(0, true)) !== undefined;
  }

  private of(id: bigint): Finished | undefined {
    return this.finished.get(id) ?? this.older.get(id);
  }

  /** Nothing has the ids any more that were there at the last time. */
  swept(): void {
    this.older = this.finished;
    this.finished = new Map();
  }

  /** Stacks that are cut all the same. */
  addLosses(losses: Loss[]): void {
    for (const [reason, count] of this.cut) {
      const i = losses.findIndex((loss) => loss.reason === reason);
      const before = losses[i];
      if (before === undefined) losses.push({ reason, count });
      else losses[i] = { ...before, count: before.count + count };
    }
  }

  private finish(view: DataView, at: number, depth: number): BigUint64Array {
    const users = this.users();
    users.refresh();
    const word = (offset: number): bigint => view.getBigUint64(at + offset, true);
    const pid = view.getUint32(at + pendingLayout.process, true);
    const count = Math.min(view.getUint32(at + pendingLayout.count, true), depth);
    const time = word(pendingLayout.time);
    const register = (i: number): bigint => word(pendingLayout.registers + 8 * i);
    const sp = register(1);
    const stackAt = at + pendingPagesAt(depth);
    const places = new Map<number, number>();
    for (let i = 0; i < mostPendingPages; i++) {
      const page = word(pendingLayout.pages + 8 * i);
      if (page !== noPage) places.set(Number(page), stackAt + pendingPage * i);
    }
    const first = Number(sp - (sp % BigInt(pendingPage)));
    const halfAt = (place: number): number | undefined => {
      const page = places.get(Math.floor(place / pendingPage));
      const offset = place % pendingPage;
      return page === undefined || offset + 4 > pendingPage ? undefined : view.getUint32(page + offset, true);
    };
    // A word may end in the next page: not in the middle of a half, as stacks are aligned to four bytes at least.
    const wordAt = (address: number): number | undefined => {
      const place = address - first;
      if (!(place >= 0)) return undefined;
      const [low, high] = [halfAt(place), halfAt(place + 4)];
      return low === undefined || high === undefined ? undefined : numberOf(low, high);
    };
    const codeAt = (address: number): ReturnType<StackAndCode["codeAt"]> => users.ruleAt(pid, BigInt(address), time);
    const place = {
      ip: Number(register(0)),
      sp: Number(sp),
      fp: exactly(register(2)),
      base: exactly(register(3)),
      argument: exactly(register(4)),
      exact: true,
    };
    const trampoline = Number(word(pendingLayout.trampoline));
    const replaced = new Map<number, number>();
    for (let i = 0; i < Number(word(pendingLayout.returnCount)); i++) {
      const one = pendingLayout.returns + returnLayout.size * i;
      replaced.set(Number(word(one + returnLayout.word)), Number(word(one + returnLayout.address)));
    }
    const replacedAt = (address: number): number | undefined => replaced.get(address);
    const { frames, end } = callersOf(place, { wordAt, codeAt, trampoline, replacedAt }, depth - 1);
    const reason = lossOf[end];
    if (reason !== undefined) this.cut.set(reason, (this.cut.get(reason) ?? 0n) + 1n);
    // The program could read what is not in these pages.
    if (frames.length + 1 < count)
      return BigUint64Array.from({ length: count }, (_, i) => word(pendingLayout.frames + 8 * i));
    return BigUint64Array.from([register(0), ...frames.map(BigInt)]);
  }
}

const exactly = (word: bigint): number => (word < 2n ** 53n ? Number(word) : Number.NaN);

/** With five levels of page tables uretprobes' page is above 2^53; it is exact, as it begins there. */
const numberOf = (low: number, high: number): number =>
  high < exactHigh || low % exactLow === 0 ? high * 2 ** 32 + low : Number.NaN;

const viewOf = (frames: BigUint64Array): DataView => new DataView(frames.buffer, frames.byteOffset, frames.byteLength);

function deleteFirst(map: Map<bigint, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
