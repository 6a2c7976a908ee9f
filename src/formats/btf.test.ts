import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { writeBtf } from "../../test/fixtures/write-btf.js";
import { btfId } from "../base/branded.js";
import { FormatError } from "../base/errors.js";
import { Btf, type BtfType } from "./btf.js";

const vmlinux = readFileSync(fixture("vmlinux.btf"));

const int = (name: string, size: number, signed = true): BtfType => ({
  kind: "int",
  name,
  size,
  bits: size * 8,
  signed,
  bool: false,
  char: false,
});
const id = btfId;

const small: readonly BtfType[] = [
  int("int", 4),
  int("unsigned long", 8, false),
  { kind: "typedef", name: "myint", to: id(1) },
  { kind: "const", to: id(3) },
  { kind: "array", of: id(4), index: id(2), count: 6 },
  {
    kind: "struct",
    name: "",
    size: 8,
    members: [
      { name: "inner", type: id(1), bitOffset: 0, bitSize: 0 },
      { name: "other", type: id(1), bitOffset: 32, bitSize: 0 },
    ],
  },
  {
    kind: "struct",
    name: "outer",
    size: 40,
    members: [
      { name: "flags", type: id(1), bitOffset: 3, bitSize: 5 },
      { name: "", type: id(6), bitOffset: 64, bitSize: 0 },
      { name: "list", type: id(5), bitOffset: 128, bitSize: 0 },
      { name: "self", type: id(8), bitOffset: 256, bitSize: 0 },
    ],
  },
  { kind: "pointer", to: id(7) },
  {
    kind: "enum",
    name: "signs",
    size: 4,
    signed: true,
    values: [
      { name: "MINUS", value: -1n },
      { name: "PLUS", value: 1n },
    ],
  },
  { kind: "enum", name: "wide", size: 8, signed: false, values: [{ name: "TOP", value: 0xffff_ffff_ffff_fff0n }] },
  { kind: "enum", name: "wide_signed", size: 8, signed: true, values: [{ name: "LOW", value: -5n }] },
  {
    kind: "func-proto",
    returns: id(1),
    params: [
      { name: "a", type: id(8) },
      { name: "b", type: id(2) },
    ],
  },
  { kind: "func", name: "do_it", proto: id(12), linkage: 1 },
  { kind: "forward", name: "later", union: true },
  { kind: "type-tag", name: "user", to: id(1) },
  { kind: "pointer", to: id(15) },
  { kind: "float", name: "double", size: 8 },
  { kind: "var", name: "counter", type: id(2), linkage: 1 },
  { kind: "datasec", name: ".data..percpu", size: 8, vars: [{ type: id(18), offset: 0, size: 8 }] },
  { kind: "decl-tag", name: "kfunc", to: id(13), component: -1 },
  { kind: "volatile", to: id(1) },
  { kind: "restrict", to: id(8) },
  { kind: "func", name: "int", proto: id(12), linkage: 0 },
];

test("what is written is read", () => {
  const btf = Btf.parse(writeBtf(small));
  assert.equal(btf.count, small.length);
  for (const [i, type] of small.entries()) assert.deepEqual(btf.type(id(i + 1)), type);
  assert.deepEqual(btf.type(id(0)), { kind: "void" });
  assert.throws(() => btf.type(id(small.length + 1)), FormatError);
});

test("finds by name and kind", () => {
  const btf = Btf.parse(writeBtf(small));
  assert.equal(btf.find("outer", "struct"), 7);
  assert.equal(btf.find("outer", "union"), undefined);
  assert.equal(btf.find("int", "int"), 1);
  assert.equal(btf.find("int", "func"), 23);
  assert.equal(btf.find("wide", "enum"), 10);
  assert.equal(btf.find("", "struct"), undefined);
  assert.equal(btf.find("oute", "struct"), undefined);
  assert.deepEqual([...btf.names("enum")], ["signs", "wide", "wide_signed"]);
  assert.deepEqual([...btf.names("struct")], ["outer"]);
  assert.deepEqual([...btf.ids("struct")], [6, 7]);
});

test("sizes and members through typedefs, arrays and anonymous members", () => {
  const btf = Btf.parse(writeBtf(small));
  assert.equal(btf.sizeOf(id(5)), 24);
  assert.equal(btf.sizeOf(id(8)), 8);
  assert.equal(btf.sizeOf(id(13)), 0);
  assert.equal(btf.sizeOf(id(18)), 8);
  assert.deepEqual(btf.memberOf(id(7), "other"), { name: "other", type: 1, bitOffset: 96, bitSize: 0 });
  assert.deepEqual(btf.memberOf(id(7), "flags"), { name: "flags", type: 1, bitOffset: 3, bitSize: 5 });
  assert.equal(btf.memberOf(id(7), "none"), undefined);
  assert.equal(btf.memberOf(id(1), "none"), undefined);
  assert.deepEqual(
    btf.membersOf(id(7)).map((m) => [m.name, m.bitOffset]),
    [
      ["flags", 3],
      ["inner", 64],
      ["other", 96],
      ["list", 128],
      ["self", 256],
    ],
  );
  assert.equal(btf.strip(id(4)).id, 1);
  assert.deepEqual(btf.tagsOf(id(15)), ["user"]);
});

test("old-style bit fields have their width in the int", () => {
  const btf = Btf.parse(
    writeBtf([
      { ...int("int", 4), bits: 3 } as BtfType,
      { kind: "struct", name: "s", size: 4, members: [{ name: "f", type: id(1), bitOffset: 2, bitSize: 0 }] },
    ]),
  );
  assert.deepEqual(btf.memberOf(id(2), "f"), { name: "f", type: 1, bitOffset: 2, bitSize: 3 });
});

test("a module's types continue the base's", () => {
  const base = Btf.parse(writeBtf(small));
  // A split blob's string offsets begin where the base's strings end; a name of the base is used by its offset there.
  const own = Buffer.from(writeBtf([{ kind: "typedef", name: "module_int", to: id(1) }]));
  const stringsLength = Buffer.from(writeBtf(small)).readUInt32LE(20);
  own.writeUInt32LE(own.readUInt32LE(24) + stringsLength, 24);
  const module = Btf.parse(own, base);
  assert.equal(module.count, small.length + 1);
  assert.equal(module.find("module_int", "typedef"), small.length + 1);
  assert.equal(module.find("outer", "struct"), 7);
  assert.equal(module.sizeOf(id(small.length + 1)), 4);

  const shared = Buffer.from(writeBtf([{ kind: "typedef", name: "x", to: id(1) }]));
  shared.writeUInt32LE(1, 24); // "int", the base's first string
  const second = Btf.parse(shared, base);
  assert.equal(second.nameOf(id(small.length + 1)), "int");
  assert.equal(second.find("int", "typedef"), small.length + 1);
});

test("the fixture is a kernel", () => {
  const btf = Btf.parse(vmlinux);
  const task = btf.find("task_struct", "struct");
  assert.ok(task !== undefined);
  assert.equal(btf.sizeOf(btf.memberOf(task, "comm")!.type), 16);
  assert.ok(btf.sizeOf(task) > 1000);
  const parent = btf.strip(btf.memberOf(task, "real_parent")!.type).type;
  assert.ok(parent.kind === "pointer" && parent.to === task);
  const read = btf.type(btf.find("vfs_read", "func")!);
  assert.ok(read.kind === "func");
  const proto = btf.type(read.proto);
  assert.ok(proto.kind === "func-proto");
  assert.deepEqual(
    proto.params.map((p) => p.name),
    ["file", "buf", "count", "pos"],
  );
  for (const name of ["sched_switch", "sys_enter", "sys_exit"]) {
    const trace = btf.type(btf.find(`btf_trace_${name}`, "typedef")!);
    assert.ok(trace.kind === "typedef");
    const pointer = btf.type(trace.to);
    assert.ok(pointer.kind === "pointer" && btf.type(pointer.to).kind === "func-proto");
  }
  assert.ok(btf.memberOf(btf.find("trace_event_raw_sys_enter", "struct")!, "args"));
});

test("a kind of the future is stepped over if the blob says how large it is", () => {
  const old = Buffer.from(writeBtf([int("int", 4), { kind: "pointer", to: id(1) }, int("long", 8)]));
  const bytes = Buffer.concat([old.subarray(0, 24), Buffer.alloc(8), old.subarray(24), Buffer.alloc(4 * 31)]);
  bytes.writeUInt32LE(32, 4);
  // The pointer (second type, 12 bytes behind the first's 16) becomes one of kind 30 that takes the 16 bytes behind it.
  bytes.writeUInt32LE(30 * 0x1000000 + 2, 32 + 16 + 4);
  assert.throws(() => Btf.parse(bytes), FormatError);
  bytes.writeUInt32LE(old.length - 24, 24);
  bytes.writeUInt32LE(4 * 31, 28);
  const layout = 32 + old.length - 24 + 4 * 30;
  bytes.writeUInt8(8, layout);
  bytes.writeUInt8(4, layout + 1);
  // Section offsets must be aligned; the strings are not.
  const padding = (4 - ((old.length - 24) % 4)) % 4;
  const aligned = Buffer.concat([
    bytes.subarray(0, 32 + old.length - 24),
    Buffer.alloc(padding),
    bytes.subarray(32 + old.length - 24),
  ]);
  aligned.writeUInt32LE(old.length - 24 + padding, 24);
  const btf = Btf.parse(aligned);
  assert.equal(btf.count, 2);
  assert.deepEqual(btf.type(id(2)), { kind: "void" });
});

test("loops end in an error", () => {
  const loop = Btf.parse(writeBtf([{ kind: "typedef", name: "t", to: id(1) }]));
  assert.throws(() => loop.strip(id(1)), FormatError);
  assert.throws(() => loop.sizeOf(id(1)), FormatError);
  const arrays = Btf.parse(writeBtf([{ kind: "array", of: id(1), index: id(1), count: 4 }]));
  assert.throws(() => arrays.sizeOf(id(1)), FormatError);
  const member = { name: "", type: id(1), bitOffset: 0, bitSize: 0 };
  const self = Btf.parse(writeBtf([{ kind: "struct", name: "s", size: 8, members: [member, member] }]));
  assert.throws(() => self.membersOf(id(1)), FormatError);
  assert.throws(() => self.memberOf(id(1), "x"), FormatError);
});

test("broken blobs give values or FormatErrors", () => {
  fuzz(writeBtf(small), 3000, (bytes) => {
    const btf = Btf.parse(bytes);
    for (let i = 1; i <= btf.count; i++) {
      // Each type on its own: an error in one must not hide the others.
      for (const ask of [() => btf.type(id(i)), () => btf.sizeOf(id(i)), () => btf.membersOf(id(i))]) {
        try {
          ask();
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      }
    }
    btf.find("outer", "struct");
    [...btf.names("enum")];
  });
});
