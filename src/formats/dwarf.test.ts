import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { dwarfOf } from "../../test/support/fixture-dwarf.js";
import { DW_AT, DW_TAG } from "./dwarf-constants.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import type { Die } from "./dwarf-unit.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));
const names = (die: Die): (string | undefined)[] =>
  [...die.children()].filter((child) => child.tag === DW_TAG.formalParameter).map((child) => child.name());

for (const file of ["typed4", "typed5"]) {
  test(`${file}: functions by address and by name, types by name`, () => {
    const { elf, dwarf } = dwarfOf(read(file));
    const { address } = elf.function("plain")!;
    assert.deepEqual(names(dwarf.function("anything", address)!), ["a", "b", "c", "d", "e", "f"]);
    assert.equal(dwarf.function("plain", 1n)?.name(), "plain");
    assert.equal(dwarf.function("absent", 1n), undefined);
    assert.equal(dwarf.type("node", [DW_TAG.structureType])?.number(DW_AT.byteSize), 56);
    assert.equal(dwarf.type("node", [DW_TAG.unionType]), undefined);
    // Only declared, nowhere defined.
    assert.equal(dwarf.type("tail", [DW_TAG.structureType]), undefined);
    assert.deepEqual(dwarf.missingFiles(), []);
  });
}

for (const file of ["typed4", "typed5"]) {
  test(`${file}: lines of the source`, () => {
    const { elf, dwarf } = dwarfOf(read(file));
    // In typed.c.
    const line =
      read("typed.c")
        .toString()
        .split("\n")
        .findIndex((text) => text.startsWith("KEEP int plain")) + 1;
    const { address } = elf.function("plain")!;
    assert.deepEqual(dwarf.line("typed.c", line, 0).address, address);
    const [path = ""] = dwarf.line("typed.c", line, 0).files;
    assert.equal(dwarf.line(path, line, 0).address, address);
    assert.equal(dwarf.line("typed.c", line, 1000).address, undefined);
    assert.equal(dwarf.line("typed.c", 1, 0).address, undefined);
    assert.deepEqual(dwarf.line("yped.c", line, 0), { files: [], address: undefined });
  });
}

test("methods by the linker's name", () => {
  const { elf, dwarf } = dwarfOf(read("classes"));
  const method = "_ZN4shop3Box4growEi";
  const die = dwarf.function(method, elf.function(method)!.address)!;
  assert.deepEqual([die.name(), die.linkageName(), names(die)], ["grow", method, ["this", "by"]]);
  assert.equal(dwarf.function(method, 1n)?.offset, die.offset);
  // In a namespace.
  assert.equal(dwarf.type("Thing", [DW_TAG.structureType])?.number(DW_AT.byteSize), 4);
});

test("a file without debugging information has nothing", () => {
  const { dwarf } = dwarfOf(read("tiny"));
  assert.deepEqual(dwarf.units(), []);
  assert.equal(dwarf.function("twice", 1n), undefined);
});

test("LEB128", () => {
  const cursor = new DwarfCursor(Uint8Array.of(0xe5, 0x8e, 0x26, 0xc0, 0xbb, 0x78, 0x7f, 0x80, 0x80, 0x00), "bytes");
  assert.equal(cursor.uleb(), 624485);
  assert.equal(cursor.sleb(), -123456n);
  assert.equal(cursor.sleb(), -1n);
  assert.equal(cursor.uleb(), 0);
  const ones = new DwarfCursor(Uint8Array.of(...new Array<number>(9).fill(0xff), 0x01), "bytes");
  assert.equal(ones.ulebWide(), (1n << 64n) - 1n);
});

test("damaged files give a value or a FormatError", () => {
  const visit = (die: Die, depth: number): void => {
    let left = 40;
    for (const child of die.children()) {
      child.type()?.name();
      child.number(DW_AT.byteSize);
      if (depth < 3) visit(child, depth + 1);
      if (--left === 0) return;
    }
  };
  for (const file of ["typed5", "typed4", "classes"]) {
    fuzz(read(file), 1500, (bytes) => {
      const { dwarf } = dwarfOf(bytes);
      dwarf.function("absent", 0x400200n);
      dwarf.type("node", [DW_TAG.structureType]);
      dwarf.line("typed.c", 40, 0);
      for (const unit of dwarf.units().slice(0, 8)) {
        const root = unit.root();
        if (root !== undefined) visit(root, 0);
      }
    });
  }
});
