import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { zipArchive } from "../../test/fixtures/zip.js";
import { FormatError } from "../base/errors.js";
import { bytesSource } from "./byte-source.js";
import { findInZip } from "./zip.js";

const two = zipArchive({
  "a/first": { bytes: Buffer.from("hello") },
  second: { bytes: Buffer.from("world!") },
  packed: { bytes: Buffer.from("x"), method: 8 },
});
const find = (bytes: Uint8Array, name: string) => findInZip(bytesSource(bytes, "a.zip"), name, "a.zip");

test("a stored file is found where its bytes are", () => {
  for (const [name, text] of [
    ["a/first", "hello"],
    ["second", "world!"],
  ] as const) {
    const { offset, size } = find(two, name);
    assert.equal(two.toString("latin1", offset, offset + size), text);
  }
});

test("what cannot be run from an archive says why", () => {
  const reason = (bytes: Uint8Array, name: string) => () => find(bytes, name);
  assert.throws(reason(two, "packed"), /packed is compressed/);
  assert.throws(reason(two, "third"), /has no file 'third'/);
  assert.throws(reason(Buffer.from("no archive at all, but longer than a record"), "x"), /is no ZIP archive/);
  assert.throws(reason(Buffer.alloc(3), "x"), FormatError);
});

test("damaged archives", () => {
  fuzz(two, 3000, (bytes) => find(bytes, "second"));
});
