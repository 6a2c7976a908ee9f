import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript } from "../test/support/compile-script.js";
import { FormatError } from "./base/errors.js";
import { readUnit, type StoredUnit, storeUnit } from "./unit-file.js";

const { script: _script, ...unit } = compileScript('BEGIN { @[comm] = count(); printf("%d\\n", pid); exit(); }');
const stored: StoredUnit = { beetrace: "0.1.0", kernel: { release: "6.1", version: "#1", arch: "x86_64" }, unit };
const bytes = storeUnit(stored);

test("a Unit comes back from its file", () => {
  assert.deepEqual(readUnit(bytes, "x.btu"), stored);
});

test("what is no such file, is damaged, cut, or of another version says so", () => {
  const said = (some: Uint8Array): string => {
    try {
      readUnit(some, "x.btu");
      return "";
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      return error.message;
    }
  };
  const damaged = (at: number, to: number): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = to;
    return copy;
  };
  assert.match(said(new Uint8Array()), /no compiled script/);
  assert.match(said(Buffer.from("BEGIN { exit(); }")), /no compiled script/);
  assert.match(said(bytes.subarray(0, 12)), /ends in its header/);
  assert.match(said(damaged(8, 99)), /a newer beetrace/);
  assert.match(said(damaged(8, 0)), /an older beetrace/);
  for (let at = 12; at < bytes.length; at += 7) assert.match(said(damaged(at, (bytes[at] ?? 0) ^ 0x40)), /damaged/);
  for (let length = 16; length < bytes.length; length += 11) assert.match(said(bytes.subarray(0, length)), /damaged/);
});
