// Random well-typed scripts mean the same with and without optimisation, in C, and to an evaluator that knows no compiler.
import assert from "node:assert/strict";
import { test } from "node:test";
import { disagreement, failuresInC, failuresInInterpreter, programsFrom } from "../support/compare-runs.js";
import { runInC } from "../support/random-runs.js";

const count = Number(process.env["PROPERTY_ROUNDS"] ?? 120);
const first = Number(process.env["PROPERTY_SEED"] ?? 1);
const programs = programsFrom(first, count);

test("random scripts in the interpreter of bytecode", () => {
  assert.deepEqual(failuresInInterpreter(programs), []);
});

test("random scripts as C", (t) => {
  const failures = failuresInC(programs);
  if (failures === undefined) return t.skip("there is no gcc");
  assert.deepEqual(failures, []);
});

test("what is wrong is found: programs that divide without signs do not agree with C", (t) => {
  const runs = runInC(programs);
  if (runs === undefined) return t.skip("there is no gcc");
  const wrong = programs.filter((program, i) =>
    program.inputs.some((args, j) => disagreement("C", program, args, runs[i]?.[j], { dividesUnsigned: true })),
  );
  assert.ok(wrong.length > programs.length / 20, `${wrong.length} of ${programs.length}`);
});
