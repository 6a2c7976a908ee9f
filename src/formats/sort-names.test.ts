import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { sortAllNames, sortNames } from "./sort-names.js";

function sorted(names: readonly string[]): readonly string[] {
  const starts: number[] = [];
  let text = "";
  for (const name of names) {
    starts.push(text.length);
    text += `${name}\0`;
  }
  const bytes = Buffer.from(text, "latin1");
  return Array.from(sortNames(bytes, Uint32Array.from(starts)), (start) =>
    bytes.toString("latin1", start, bytes.indexOf(0, start)),
  );
}

test("names are sorted, each once", () => {
  assert.deepEqual(sorted([]), []);
  assert.deepEqual(sorted(["b", "a", "", "ab", "a", "abc", "b", ""]), ["", "a", "ab", "abc", "b"]);
});

test("any names, as sort() has them", () => {
  const random = randomNumbers(5);
  for (let round = 0; round < 50; round++) {
    const letters = 1 + random(4);
    const names = Array.from({ length: random(300) }, () =>
      Array.from({ length: random(12) }, () => String.fromCharCode(97 + random(letters))).join(""),
    );
    assert.deepEqual(sorted(names), [...new Set(names)].sort());
  }
});

test("the last name may lack its end, and a start may be outside", () => {
  const bytes = Buffer.from("b\0a");
  assert.deepEqual([...sortNames(bytes, Uint32Array.of(0, 2, 99))], [99, 2, 0]);
});

test("names end where they are said to", () => {
  const bytes = Buffer.from("b [m]\na\nb\nbc");
  assert.deepEqual([...sortAllNames(bytes, Uint32Array.of(8, 10, 6, 0), 0x20)], [6, 0, 8, 10]);
  assert.equal(sortNames(bytes, Uint32Array.of(0, 6, 8, 10), 0x20).length, 3);
  assert.deepEqual(
    Array.from(sortNames(bytes, Uint32Array.of(10, 6, 8), 0x20), (start) => bytes[start + 1]),
    [0x0a, 0x0a, 0x63],
  );
});
