import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { parseTraceableFunctions } from "./traceable-functions.js";

const read = (text: string) => [...parseTraceableFunctions(Buffer.from(text))];

const listed = `vfs_read
vfs_open
__ftrace_invalid_address___348
nf_newtable [nf_tables]
`;

test("functions by name, with their module, without those whose names are lost", () => {
  assert.deepEqual(read(listed), [
    { name: "vfs_read", module: "vmlinux", address: undefined },
    { name: "vfs_open", module: "vmlinux", address: undefined },
    { name: "nf_newtable", module: "nf_tables", address: undefined },
  ]);
  assert.deepEqual(read(""), []);
  assert.deepEqual(read("last_line"), [{ name: "last_line", module: "vmlinux", address: undefined }]);
});

test("the same with addresses", () => {
  assert.deepEqual(read("ffffffff81248b74 vfs_read\nffffffffc0001004 nf_newtable [nf_tables]\n"), [
    { name: "vfs_read", module: "vmlinux", address: 0xffffffff81248b74n },
    { name: "nf_newtable", module: "nf_tables", address: 0xffffffffc0001004n },
  ]);
});

test("what is no such list is refused", () => {
  for (const bad of ["a b\n", "nf_newtable [nf_tables\n", " [x]\n"]) assert.throws(() => read(bad), FormatError, bad);
});

test("fuzz: a list of functions or a FormatError", () => {
  fuzz(Buffer.from(`${listed}ffffffff81248b74 vfs_write [m]\n`), 3000, (bytes) => [...parseTraceableFunctions(bytes)]);
});
