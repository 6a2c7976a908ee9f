import assert from "node:assert/strict";
import { test } from "node:test";
import { fixtureBtf } from "../../test/support/fixture-kernel.js";
import { argumentHolds, directAccess } from "./btf-access.js";

const btf = fixtureBtf();
const id = (name: string) => btf.find(name, "struct") ?? assert.fail(`the fixture has no struct ${name}`);
const at = (record: string, ...path: readonly string[]): { readonly offset: number; readonly size: number } => {
  let [type, offset] = [id(record), 0];
  for (const name of path) {
    const member = btf.memberOf(type, name) ?? assert.fail(name);
    [type, offset] = [member.type, offset + member.bitOffset / 8];
  }
  return { offset, size: btf.sizeOf(type) };
};
const access = (record: string, ...path: readonly string[]) => {
  const { offset, size } = at(record, ...path);
  return directAccess(btf, id(record), offset, size);
};

test("numbers and pointers to structures, also inside of structures", () => {
  assert.equal(access("file", "f_flags"), "number");
  assert.equal(access("file", "f_inode"), "structure");
});

test("what the verifier refuses, or not every one allows", () => {
  assert.equal(access("file", "f_path"), undefined, "a whole structure");
  const { offset } = at("file", "f_inode");
  assert.equal(directAccess(btf, id("file"), offset, 4), undefined, "half a pointer");
  assert.equal(directAccess(btf, id("file"), offset + 4, 8), undefined, "over its end");
  assert.equal(directAccess(btf, id("file"), 1 << 20, 4), undefined, "behind the structure");
  assert.equal(access("file", "f_path", "dentry"), undefined, "in a union");
});

test("what arguments are taken for", () => {
  const params = (name: string) => {
    const func = btf.type(btf.find(name, "func") ?? assert.fail(name));
    const proto = func.kind === "func" ? btf.type(func.proto) : assert.fail();
    return proto.kind === "func-proto" ? proto.params.map(({ type }) => argumentHolds(btf, type)) : assert.fail();
  };
  assert.deepEqual(params("vfs_read"), ["structure", "number", "number", "number"]);
});
