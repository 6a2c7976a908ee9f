import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import type { FramePointers } from "../language/user-stacks.js";
import { lookAtFramePointers } from "./frame-pointers.js";

const ofProgram = (program: string): FramePointers => lookAtFramePointers({ pids: [], program });

test("what a program keeps, and what tells so", () => {
  assert.deepEqual(ofProgram(fixture("elf", "framed")), { kept: true, why: "the program keeps them" });
  const { kept, why } = ofProgram(fixture("elf", "unwind"));
  assert.equal(kept, false);
  assert.match(why, /^\/.*\/unwind keeps no frame pointers \(\d+ of \d+ functions do\)$/);
});

test("what says nothing stays by frame pointers, and that is not said to be known", () => {
  assert.deepEqual(ofProgram(fixture("elf", "tiny")), { kept: true, why: "the program has no unwinding tables" });
  const source = fixture("elf", "tiny.c");
  assert.deepEqual(ofProgram(source), { kept: true, why: "no file of the program could be read" });
  assert.match(ofProgram(fixture("elf", "tiny32")).why, /tiny32, a file of 32 bits, are not known$/);
});

test("nobody is named: what the C library keeps", () => {
  const { kept, why } = lookAtFramePointers({ pids: [undefined], program: undefined });
  if (kept) assert.match(why, /^no process is named, and /);
  else assert.match(why, /^\/.*libc.* keeps no frame pointers \(\d+ of \d+ functions do\)$/);
});

test("a process that is named, but gone", () => {
  // No process has this number: it is above PID_MAX_LIMIT.
  assert.deepEqual(lookAtFramePointers({ pids: [2 ** 22 + 1], program: undefined }), {
    kept: true,
    why: "no file of the program could be read",
  });
});
