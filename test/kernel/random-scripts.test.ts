// Random well-typed scripts on the running kernel, by BPF_PROG_TEST_RUN: what they compute with and without optimisation
// is what an evaluator says that knows no compiler, as it is in the interpreter (test/unit/properties.test.ts).
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain, unexplained } from "../support/bpftrace-rules.js";
import { missing, runInBpftrace } from "../support/bpftrace-runs.js";
import { failuresInKernel, programsFrom } from "../support/compare-runs.js";
import { kernelTest } from "../support/kernel-test.js";

const count = Number(process.env["PROPERTY_ROUNDS"] ?? 30);
const first = Number(process.env["PROPERTY_SEED"] ?? 1);

for (const optimize of [true, false]) {
  kernelTest(`random scripts do in the kernel what they mean${optimize ? "" : ", not optimized"}`, async (sys) => {
    assert.deepEqual(await failuresInKernel(sys, programsFrom(first, count), optimize), []);
  });
}

const reference = process.env["BPFTRACE"] ?? "bpftrace";

test("bpftrace does the same, or what a rule explains", { skip: missing(reference) ?? false }, () => {
  const programs = programsFrom(first, count);
  const outcomes = runInBpftrace(reference, programs);
  const failures = programs.flatMap((program, i) => {
    const outcome = outcomes[i];
    return outcome === undefined || explain(program, outcome) === undefined
      ? [outcome === undefined ? `seed ${program.seed} is missing` : unexplained(program, outcome)]
      : [];
  });
  assert.deepEqual(failures, []);
});
