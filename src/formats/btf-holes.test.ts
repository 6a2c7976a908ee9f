import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { Btf } from "./btf.js";
import { Alignments, holes } from "./btf-holes.js";

const btf = Btf.parse(readFileSync(fixture("vmlinux.btf")));

test("holes that C leaves by itself are not spelled out", () => {
  assert.deepEqual(holes(32, 64, 8, false), []);
  assert.deepEqual(holes(8, 32, 4, false), []);
  assert.deepEqual(holes(64, 64, 1, false), []);
});

test("holes that it would not leave are", () => {
  // In front of a member that would fit at once.
  assert.deepEqual(holes(32, 64, 4, false), ["long: 0"]);
  // To the end of a structure that is larger than its members, e.g. to a cache line.
  assert.deepEqual(holes(384, 512, 8, false), ["long: 64", "long: 64"]);
  assert.deepEqual(holes(32, 192, 8, false), ["long: 64", "long: 64"]);
  // Between two bit fields.
  assert.deepEqual(holes(3, 8, 1, true), ["char: 5"]);
  assert.deepEqual(holes(1, 4, 4, true), ["char: 3"]);
});

test("what types are aligned to", () => {
  const alignments = new Alignments(btf);
  const of = (name: string): number => {
    const id = btf.find(name, "struct");
    assert.ok(id !== undefined, name);
    return alignments.of(id);
  };
  assert.equal(of("task_struct"), 8);
  assert.equal(of("qspinlock"), 4);
  for (const id of btf.ids("struct")) assert.ok([1, 2, 4, 8].includes(alignments.of(id)));
});
