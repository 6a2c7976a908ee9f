import assert from "node:assert/strict";
import { test } from "node:test";
import { benchJson, benchText, testJson, testText } from "./program-result.js";

const plain = (text: string): string[] =>
  text.replaceAll("\x1b[31m", "").replaceAll("\x1b[32m", "").replaceAll("\x1b[0m", "").split("\n");
const base = { names: ["a", "b"], nanoseconds: 1500, runs: 7, output: "hi\n\nthere\n" };

test("tests are told one by one, and what failed with its output and at the end", () => {
  assert.deepEqual(plain(testText({ ...base, index: 0, passed: false }, [])), [
    "[==========] Running 2 tests.",
    "[ RUN      ] a",
    "hi",
    "there",
    "[  FAILED  ] a (2 μs)",
    "",
  ]);
  assert.deepEqual(plain(testText({ ...base, nanoseconds: 999, index: 1, passed: true }, ["a"])), [
    "[ RUN      ] b",
    "[       OK ] b (999 ns)",
    "[==========] 2 tests ran.",
    "[  PASSED  ] 1 test.",
    "[  FAILED  ] 1 test, listed below:",
    "[  FAILED  ] a",
    "",
  ]);
});

test("benchmarks are rows of a table", () => {
  const row = { ...base, index: 1, passed: true };
  assert.deepEqual(plain(benchText(row, true)), [
    "Benchmark                                Time(ns)       Iterations",
    "------------------------------------------------------------------",
    "b                                        1500           7",
    "",
  ]);
  assert.deepEqual(plain(benchText({ ...row, names: ["x", "y".repeat(45)] }, false)), [
    `${"y".repeat(45)} 1500           7`,
    "",
  ]);
});

test("both as JSON", () => {
  const result = { ...base, index: 0, passed: false };
  assert.equal(
    testJson(result),
    '{"type": "test_result", "data": {"a": {"duration": 1500, "passed": false, "output": "hi\\n\\nthere\\n"}}}\n',
  );
  assert.equal(benchJson(result), '{"type": "benchmark_result", "data": {"a": {"average": 1500, "iters": 7}}}\n');
});
