import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { parseProcStat } from "./proc-stat.js";

test("the words behind the name, whatever the name is", () => {
  assert.deepEqual(parseProcStat("12 (sh) S 7 12 12 0 -1"), { state: "S", parent: 7 });
  assert.deepEqual(parseProcStat("12 (a) R 1 (b)) T 4194304 1"), { state: "T", parent: 4194304 });
});

test("what is no such text", () => {
  for (const text of ["", "12 (sh)", "12 (sh) S", "12 (sh) S x 1", ") S -1 2"])
    assert.equal(parseProcStat(text), undefined);
});

test("damaged text is a value or nothing", () => {
  fuzz(Buffer.from("12 (sh) S 7 12 12 0 -1"), 1000, (bytes) => parseProcStat(bytes.toString("latin1")));
});
