import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { Btf } from "./btf.js";
import { definitionText } from "./btf-c.js";

const btf = Btf.parse(readFileSync(fixture("vmlinux.btf")));
const lines = (kind: "struct" | "union" | "enum", name: string): string[] => {
  const id = btf.find(name, kind);
  assert.ok(id !== undefined, name);
  return definitionText(btf, id).split("\n");
};

test("every structure, union and enumeration of the fixture becomes text with balanced braces", () => {
  let count = 0;
  for (const kind of ["struct", "union", "enum"] as const) {
    for (const id of btf.ids(kind)) {
      const text = definitionText(btf, id);
      assert.ok(text.endsWith("};"), text);
      assert.equal(text.split("{").length, text.split("}").length, text);
      assert.ok(!text.includes("..."), `no type nests without end: ${text}`);
      count++;
    }
  }
  assert.ok(count > 100, `${count}`);
});

test("members are declared as C does: pointers, arrays, functions, bit fields, what has no name", () => {
  assert.ok(lines("struct", "task_struct").includes("\tchar comm[16];"));
  assert.deepEqual(lines("struct", "callback_head"), [
    "struct callback_head {",
    "\tstruct callback_head *next;",
    "\tvoid (*func)(void);",
    "};",
  ]);
  assert.deepEqual(lines("struct", "bpf_insn").slice(2, 4), ["\t__u8 dst_reg: 4;", "\t__u8 src_reg: 4;"]);
  assert.ok(lines("struct", "kobject").includes("\tconst struct kobj_type *ktype;"));
  assert.deepEqual(lines("struct", "kiocb").slice(-5), [
    "\tunion {",
    "\t\tstruct wait_page_queue *ki_waitq;",
    "\t\tvoid (*dio_complete)(void);",
    "\t};",
    "};",
  ]);
});
