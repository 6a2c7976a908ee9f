import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentStacks } from "./recent-stacks.js";

const viewOf = (...addresses: readonly bigint[]): DataView => new DataView(BigUint64Array.from(addresses).buffer);

test("a stack is known from its second sight on, by its addresses and what names come from", () => {
  const recent = new RecentStacks<string>();
  const [state, later] = [{}, {}];
  const view = viewOf(9n, 0xffff_0000_1111n, 0x2222n, 9n);
  const find = (of: object, from = view, at = 8, count = 2) => recent.find(of, from, at, count);
  assert.equal(recent.keep(state, view, 8, 2, ["why"]), undefined);
  assert.equal(find(state), undefined);
  const shown = recent.keep(state, view, 8, 2, ["why"]);
  assert.ok(shown !== undefined);
  shown.text = "text";
  const known = find(state);
  assert.deepEqual([known?.addresses, known?.reasons], [BigUint64Array.of(0xffff_0000_1111n, 0x2222n), ["why"]]);
  assert.equal(known?.shown, shown);
  assert.equal(find(later), undefined);
  for (const other of [viewOf(0n, 0xfffe_0000_1111n, 0x2222n), viewOf(0n, 0xffff_0000_1111n, 0x1_0000_2222n)])
    assert.equal(find(state, other), undefined);
  assert.equal(find(state, view, 8, 1), undefined);
  assert.equal(find(state, view, 8, 3), undefined);
});

test("of many stacks the later ones take the places", () => {
  const recent = new RecentStacks<string>();
  const state = {};
  const views = Array.from({ length: 2000 }, (_, i) => viewOf(BigInt(i), 7n));
  for (const view of views) for (let i = 0; i < 2; i++) recent.keep(state, view, 0, 2, []);
  const known = views.filter((view) => recent.find(state, view, 0, 2) !== undefined);
  assert.ok(known.length > 100 && known.length <= 256, `${known.length}`);
  for (const view of known) assert.equal(recent.find(state, view, 0, 2)?.addresses[0], view.getBigUint64(0, true));
});
