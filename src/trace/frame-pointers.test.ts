import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import type { FramePointers } from "../language/user-stacks.js";
import { framePointersOf } from "./frame-pointers.js";

const ofProgram = (program: string): FramePointers | undefined => framePointersOf({ pids: [], program })?.();

test("what a program keeps, and what tells so", () => {
  assert.deepEqual(ofProgram(fixture("elf", "framed")), { kept: true, why: "the program keeps them" });
  const { kept, why = "" } = ofProgram(fixture("elf", "unwind")) ?? {};
  assert.equal(kept, false);
  assert.match(why, /^\/.*\/unwind keeps no frame pointers \(\d+ of \d+ functions do\)$/);
});

test("what says nothing stays by frame pointers, and that is not said to be known", () => {
  assert.deepEqual(ofProgram(fixture("elf", "tiny")), { kept: true, why: "the program has no unwinding tables" });
  const source = fixture("elf", "tiny.c");
  assert.deepEqual(ofProgram(source), { kept: true, why: "no file of the program could be read" });
  assert.match(ofProgram(fixture("elf", "tiny32"))?.why ?? "", /tiny32, a file of 32 bits, are not known$/);
});

test("a process that is named, and none", () => {
  assert.equal(framePointersOf({ pids: [undefined], program: undefined }), undefined);
  // No process has this number: it is above PID_MAX_LIMIT.
  const gone = framePointersOf({ pids: [2 ** 22 + 1], program: undefined });
  assert.deepEqual(gone?.(), { kept: true, why: "no file of the program could be read" });
});
