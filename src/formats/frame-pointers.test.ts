import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { Elf } from "./elf.js";
import { countFrames, keepsFramePointers } from "./frame-pointers.js";

const elfOf = (name: string): Elf => Elf.parse(readFileSync(fixture("elf", name)), name);

test("a program that is built with frame pointers", () => {
  const count = countFrames(elfOf("framed"));
  assert.deepEqual(count, { framed: 4, frameless: 0 });
  assert.equal(keepsFramePointers(count), true);
});

test("one that is built without has them where the stack's size varies", () => {
  const count = countFrames(elfOf("unwind"));
  assert.ok(count.frameless > 10 && count.framed <= 3, JSON.stringify(count));
  assert.equal(keepsFramePointers(count), false);
});

test("a file without tables says nothing against frame pointers", () => {
  for (const name of ["tiny", "tiny32"]) {
    const count = countFrames(elfOf(name));
    assert.deepEqual(count, { framed: 0, frameless: 0 });
    assert.equal(keepsFramePointers(count), true);
  }
});

test("any bytes", () => {
  fuzz(readFileSync(fixture("elf", "unwind")), 300, (bytes) => countFrames(Elf.parse(bytes, "fuzz")));
});
