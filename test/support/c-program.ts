import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fixture } from "../fixtures/path.js";

/** Compiles test/fixtures/c/NAME.c where the test runs; false, or why that cannot be. A source with errors fails the test. */
export function compileC(name: string, output: string, ...options: readonly string[]): string | false {
  const source = fixture("c", `${name}.c`);
  const { error, status, stderr } = spawnSync("gcc", [...options, "-o", output, source], { encoding: "utf8" });
  if (error !== undefined) return `gcc: ${error.message}`;
  assert.equal(status, 0, stderr);
  return false;
}
