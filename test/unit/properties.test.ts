// Random well-typed scripts mean the same with and without optimisation, in C, and to an evaluator that knows no compiler.
import assert from "node:assert/strict";
import { test } from "node:test";
import { failuresInC, failuresInInterpreter, programsFrom } from "../support/compare-runs.js";

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
