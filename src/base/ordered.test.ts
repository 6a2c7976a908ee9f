import assert from "node:assert/strict";
import { test } from "node:test";
import { countUpTo } from "./ordered.js";

test("counts what comes up to a place: none, some, all, with equal items", () => {
  const items = [2, 4, 4, 9];
  const upTo = (place: number): number => countUpTo(items.length, (i) => (items[i] ?? 0) <= place);
  assert.deepEqual([1, 2, 3, 4, 8, 9, 10].map(upTo), [0, 1, 1, 3, 3, 4, 4]);
  assert.equal(
    countUpTo(0, () => true),
    0,
  );
});
