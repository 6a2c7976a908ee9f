import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { TraceableFunctions } from "./traceable-functions.js";

const parse = (text: string): TraceableFunctions => new TraceableFunctions(Buffer.from(text));
const all = (functions: TraceableFunctions) => functions.names().flatMap((name) => functions.find(name));
const read = (text: string) => all(parse(text));

const listed = `vfs_read
vfs_open
__ftrace_invalid_address___348
nf_newtable [nf_tables]
`;

test("functions by name, with their module, without those whose names are lost", () => {
  assert.deepEqual(read(listed), [
    { name: "nf_newtable", module: "nf_tables", address: undefined },
    { name: "vfs_open", module: "vmlinux", address: undefined },
    { name: "vfs_read", module: "vmlinux", address: undefined },
  ]);
  assert.deepEqual(parse(listed).find("__ftrace_invalid_address___348"), []);
  assert.deepEqual(read(""), []);
  assert.deepEqual(read("\n\n"), []);
  assert.deepEqual(read("last_line"), [{ name: "last_line", module: "vmlinux", address: undefined }]);
  assert.deepEqual(read("trailing \r\n"), [{ name: "trailing", module: "vmlinux", address: undefined }]);
});

test("the same with addresses", () => {
  assert.deepEqual(read("ffffffff81248b74 vfs_read\nffffffffc0001004 nf_newtable [nf_tables]\n"), [
    { name: "nf_newtable", module: "nf_tables", address: 0xffffffffc0001004n },
    { name: "vfs_read", module: "vmlinux", address: 0xffffffff81248b74n },
  ]);
});

test("a name is found whole, however often it is there and however many were asked for before", () => {
  const functions = parse("vfs_read\nread\n__read\nread [m]\nread_m\nread.cold\n");
  const expected = [
    { name: "read", module: "vmlinux", address: undefined },
    { name: "read", module: "m", address: undefined },
  ];
  for (let i = 0; i < 40; i++) {
    assert.deepEqual(functions.find("read"), expected, `${i}`);
    assert.deepEqual(functions.find("m"), []);
    assert.deepEqual(functions.find(""), []);
    assert.deepEqual(functions.find("read [m]"), []);
    assert.deepEqual(functions.find("lost"), []);
  }
  assert.deepEqual(functions.names(), ["__read", "read", "read.cold", "read_m", "vfs_read"]);
  const asked: string[] = [];
  const matching = functions.matching((name) => {
    asked.push(name);
    return name === "read";
  });
  assert.deepEqual(matching, expected);
  assert.deepEqual(asked, functions.names());
});

test("what is no such list is refused", () => {
  for (const bad of ["a b\n", "nf_newtable [nf_tables\n", " [x]\n", "[x]\n", "  \n"]) {
    assert.throws(() => read(bad), FormatError, bad);
    assert.throws(() => parse(bad).check(), FormatError, bad);
  }
});

test("fuzz: a list of functions or a FormatError", () => {
  fuzz(Buffer.from(`${listed}ffffffff81248b74 vfs_write [m]\n`), 3000, (bytes) => {
    const [functions, searched] = [new TraceableFunctions(bytes), new TraceableFunctions(bytes)];
    searched.find("vfs_read");
    for (const name of functions.names().slice(0, 8))
      assert.deepEqual(
        searched.find(name),
        functions.matching((each) => each === name),
      );
    return all(functions);
  });
});
