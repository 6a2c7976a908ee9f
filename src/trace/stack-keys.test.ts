import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserSymbols } from "../symbols/user-symbols.js";
import type { ShownType } from "../types/shown-type.js";
import { stackLayout } from "../wire/layout.js";
import {
  mostPendingPages,
  noPage,
  pendingLayout,
  pendingMark,
  pendingPagesAt,
  pendingSize,
  returnLayout,
  unwoundId,
} from "../wire/unwind.js";
import type { UserMap } from "../wire/user-map.js";
import { PendingStacks } from "./pending-stacks.js";
import { StackKeys } from "./stack-keys.js";

const depth = 4;
const stack: ShownType = { kind: "stack", user: true, depth, mode: "bpftrace", unwound: true };
const mapOf = (value: ShownType): UserMap => ({ name: "@", key: [stack], value });

/** Code that begins a thread at 0x2000, and pushes nothing before. */
const users = {
  refresh: () => undefined,
  ruleAt: (_pid: number, address: bigint) =>
    address >= 0x3000n ? undefined : { rule: address >= 0x2000n ? 7 : 0x0001_0001, fromBase: false, base: "same" },
} as unknown as UserSymbols;

/** A record of a stack with the innermost function at `ip`, whose caller is in the first word of the stack. */
function record(ip: bigint, caller: bigint, sentAs: bigint, number = 0n): DataView {
  const view = new DataView(new ArrayBuffer(pendingSize(depth, 1)));
  view.setBigUint64(pendingLayout.mark, pendingMark | number, true);
  view.setBigUint64(pendingLayout.id, sentAs, true);
  view.setBigUint64(pendingLayout.registers, ip, true);
  view.setBigUint64(pendingLayout.registers + 8, 0x7000n, true);
  view.setUint32(pendingLayout.count, 1, true);
  for (let i = 0; i < mostPendingPages; i++)
    view.setBigUint64(pendingLayout.pages + 8 * i, i === 0 ? 0n : noPage, true);
  view.setBigUint64(pendingLayout.frames, ip, true);
  view.setBigUint64(pendingPagesAt(depth), caller, true);
  return view;
}

function keyOf(id: bigint, count: number): Uint8Array {
  const key = new Uint8Array(stackLayout.size);
  const view = new DataView(key.buffer);
  view.setBigUint64(stackLayout.id, id, true);
  view.setUint32(stackLayout.pid, 9, true);
  view.setUint32(stackLayout.frames, count, true);
  return key;
}

function word(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

const sumOf = (parts: readonly Uint8Array[]): bigint =>
  parts.reduce((sum, part) => sum + new DataView(part.buffer, part.byteOffset).getBigUint64(0, true), 0n);

const whole = unwoundId([0x1000n, 0x2000n]);

test("a stack that was sent has the key of those that were not, and the values of all are one", () => {
  const pending = new PendingStacks(() => users, true);
  const keys = StackKeys.of(mapOf({ kind: "count" } as ShownType), pending)!;
  assert.equal(keys.isPlain, true);
  pending.take(record(0x1000n, 0x2000n, 77n), 0, depth);
  pending.take(record(0x1000n, 0x2000n, 78n, 1n), 0, depth);
  assert.deepEqual([keys.isPlain, pending.fresh], [false, 2]);
  assert.deepEqual(keys.final(keyOf(77n, 2)), keyOf(whole, 2));
  const other = keyOf(5n, 3);
  assert.equal(keys.final(other), other);
  keys.add(keyOf(whole, 2), [word(3n), word(0n)]);
  keys.add(keyOf(whole, 2), [word(0n), word(4n)]);
  const merged = keys.merged([
    { key: keyOf(whole, 2), parts: [word(10n), word(20n)] },
    { key: keyOf(78n, 2), parts: [word(1n), word(0n)] },
    { key: other, parts: [word(6n), word(0n)] },
  ]);
  assert.deepEqual(
    merged.map(({ key, parts }) => [key, sumOf(parts)]),
    [
      [keyOf(whole, 2), 38n],
      [other, 6n],
    ],
  );
  keys.zero();
  assert.equal(sumOf(keys.partsOf(keyOf(whole, 2))), 0n);
  keys.clear();
  assert.deepEqual(keys.partsOf(keyOf(whole, 2)), []);
});

test("ids of stacks are known until the sweep after the next", () => {
  const pending = new PendingStacks(() => users, true);
  pending.take(record(0x1000n, 0x2000n, 77n), 0, depth);
  pending.swept();
  assert.notEqual(pending.finalId(77n), undefined);
  pending.swept();
  assert.equal(pending.finalId(77n), undefined);
  // The whole one is what maps have now.
  assert.equal(pending.byId(whole)?.byteLength, 16);
});

test("a return address that a uretprobe has replaced, by a page above 2^53 as well", () => {
  for (const trampoline of [0x7fff_ffff_e000n, 0xff_ffff_ffff_e000n]) {
    const pending = new PendingStacks(() => users, true);
    const view = record(0x1000n, trampoline, 77n);
    view.setBigUint64(pendingLayout.trampoline, trampoline, true);
    view.setBigUint64(pendingLayout.returnCount, 1n, true);
    view.setBigUint64(pendingLayout.returns + returnLayout.word, 0x7000n, true);
    view.setBigUint64(pendingLayout.returns + returnLayout.address, 0x2000n, true);
    pending.take(view, 0, depth);
    assert.deepEqual(pending.finalId(77n), { id: whole, count: 2 });
  }
});

test("what is cut all the same is counted, and added to what programs have counted", () => {
  const pending = new PendingStacks(() => users, true);
  pending.take(record(0x1000n, 0x4000n, 77n), 0, depth);
  const losses = [{ reason: "unwind-unmapped", count: 2n } as const, { reason: "ring-full", count: 1n } as const];
  const all = [...losses];
  pending.addLosses(all);
  assert.deepEqual(all, [{ reason: "unwind-unmapped", count: 3n }, losses[1]]);
  assert.deepEqual(pending.byMark(pendingMark)?.getBigUint64(8, true), 0x4000n);
});

test("maps without such stacks in their keys have none of it", () => {
  const pending = new PendingStacks(() => users, true);
  const plain: ShownType = { kind: "stack", user: true, depth, mode: "bpftrace" };
  assert.equal(StackKeys.of({ ...mapOf({ kind: "count" } as ShownType), key: [plain] }, pending), undefined);
  assert.equal(StackKeys.of(mapOf({ kind: "count" } as ShownType), undefined), undefined);
});
