import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { Elf } from "../formats/elf.js";
import { ElfFunctions } from "../formats/elf-functions.js";
import { miniDebugInfo } from "./mini-debug-info.js";
import { readUserFunctions } from "./user-functions.js";

const open = (name: string): Elf => Elf.parse(readFileSync(fixture("elf", name)), name);

test("the symbols that were packed into a stripped file are those of the whole one", () => {
  const mini = miniDebugInfo(open("tiny.mini"));
  assert.equal(open("tiny.mini").symbols("symtab"), undefined);
  const whole = open("tiny");
  const functions = [...(whole.symbols("symtab")?.functions() ?? [])];
  assert.ok(functions.length >= 5);
  for (const { name, address, size } of functions) {
    const found = mini?.symbols("symtab")?.find(name);
    assert.deepEqual([name, found?.address, found?.size], [name, address, size]);
  }
  assert.equal(miniDebugInfo(whole), undefined);
});

test("uprobes find them", () => {
  const places = { folders: [], root: "/nowhere" };
  const [mini, whole] = ["tiny.mini", "tiny"].map((name) => readUserFunctions(fixture("elf", name), places, "x86_64"));
  assert.ok(mini instanceof ElfFunctions && whole instanceof ElfFunctions);
  assert.deepEqual(mini.names(), whole.names());
  assert.deepEqual(mini.find("hidden"), whole.find("hidden"));
});

test("what is damaged counts for nothing", () => {
  const bytes = readFileSync(fixture("elf", "tiny.mini"));
  const section = open("tiny.mini").section(".gnu_debugdata");
  assert.ok(section !== undefined);
  for (const at of [0, 30, section.size >> 1, section.size - 1]) {
    const damaged = Buffer.from(bytes);
    damaged[section.offset + at] = (damaged[section.offset + at] ?? 0) ^ 0x10;
    assert.equal(miniDebugInfo(Elf.parse(damaged, "damaged")), undefined);
  }
});
