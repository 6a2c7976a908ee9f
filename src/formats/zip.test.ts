import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { bytesSource } from "./byte-source.js";
import { findInZip } from "./zip.js";

/** An archive of files that are stored (method 0) or said to be compressed (8), with a comment. */
function archive(files: Readonly<Record<string, { readonly text: string; readonly method?: number }>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [name, { text, method = 0 }] of Object.entries(files)) {
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(method, 8);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(3, 28);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(text.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(2, 30);
    entry.writeUInt32LE(at, 42);
    local.push(header, Buffer.from(`${name}xyz${text}`));
    central.push(entry, Buffer.from(`${name}ab`));
    at += 30 + name.length + 3 + text.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(9, 20);
  return Buffer.concat([...local, directory, end, Buffer.from("a comment")]);
}

const two = archive({ "a/first": { text: "hello" }, second: { text: "world!" }, packed: { text: "x", method: 8 } });
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
