import assert from "node:assert/strict";
import { test } from "node:test";
import { descendants } from "./process-tree.js";

const parents = new Map([
  [2, 1],
  [3, 2],
  [4, 3],
  [5, 1],
  [6, 5],
  [7, 3],
]);

test("descendants of known processes that are not known yet, in any depth", () => {
  const found = descendants(parents, new Set([2]));
  assert.deepEqual(
    new Map(found),
    new Map([
      [3, 2],
      [4, 3],
      [7, 3],
    ]),
  );
  assert.deepEqual(descendants(parents, new Set([2, 3, 4])), [[7, 3]]);
  assert.deepEqual(descendants(parents, new Set([4])), []);
});

test("numbers that go in a circle, as reused ones may, end", () => {
  assert.deepEqual(
    descendants(
      new Map([
        [1, 2],
        [2, 1],
      ]),
      new Set([1]),
    ),
    [[2, 1]],
  );
});
