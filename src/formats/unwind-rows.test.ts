import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { Elf } from "./elf.js";
import { unwindRows } from "./unwind-rows.js";
import { cfaKinds, decodeRule } from "./unwind-rule.js";

const path = fixture("elf", "unwind");
const elf = Elf.parse(readFileSync(path), "unwind");
const rows = unwindRows(elf);

/** The rule for the byte of the file that is `distance` behind the start of a function. */
function ruleIn(name: string, distance: number): ReturnType<typeof decodeRule> {
  const place = elf.function(name)!.fileOffset + distance;
  let rule: number = cfaKinds.none;
  for (let i = 0; i < rows.length && rows[i]! <= place; i += 2) rule = rows[i + 1]!;
  return decodeRule(rule);
}

test("rules by places in the file", () => {
  const { stackPointer, framePointer, atFramePointer, outermost, none } = cfaKinds;
  const same = { kind: "same" };
  // On the first instruction the return address is on top of the stack.
  for (const name of ["leaf", "sized", "aligned", "large", "main"])
    assert.deepEqual(ruleIn(name, 0), { kind: stackPointer, cfaOffset: 1, framePointer: same }, name);
  // Behind push %rbp; mov %rsp, %rbp.
  const saved = { kind: "at-cfa", offset: -2 };
  assert.deepEqual(ruleIn("sized", 16), { kind: framePointer, cfaOffset: 2, framePointer: saved });
  const aligned = ruleIn("aligned", 40);
  assert.deepEqual([aligned.kind, aligned.framePointer], [atFramePointer, { kind: "at-frame-pointer", offset: 0 }]);
  assert.equal(ruleIn("large", 16).cfaOffset > 12000, true);
  assert.equal(ruleIn("_start", 2).kind, outermost);
  assert.equal(ruleIn("bare", 0).kind, none);
  const places = rows.filter((_, i) => i % 2 === 0);
  assert.deepEqual(places, places.slice().sort());
});

test("a file without rules, and one that begins to run where it has none", () => {
  assert.equal(unwindRows(Elf.parse(readFileSync(fixture("elf", "tiny")), "tiny")).length, 0);
  const start = elf.fileOffset(elf.entry)!;
  const bare = elf.function("bare")!;
  const bytes = Buffer.from(readFileSync(path));
  // e_entry
  bytes.writeBigUInt64LE(bare.address, 24);
  const moved = unwindRows(Elf.parse(bytes, "moved"));
  const at = moved.indexOf(bare.fileOffset);
  assert.deepEqual([at % 2, moved[at + 1], moved.length > rows.length], [0, cfaKinds.outermost, true]);
  assert.equal(rows.includes(bare.fileOffset), false);
  assert.ok(start !== bare.fileOffset);
});

test("damaged files give rows or a FormatError", () => {
  fuzz(readFileSync(path), 2000, (bytes) => {
    unwindRows(Elf.parse(bytes, "damaged"));
  });
});
