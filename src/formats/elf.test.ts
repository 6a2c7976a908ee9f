import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { FormatError } from "../base/errors.js";
import { Elf } from "./elf.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));
const tiny = Elf.parse(read("tiny"), "tiny");

test("headers", () => {
  assert.deepEqual([tiny.bits, tiny.type, tiny.machine], [64, 2, 62]);
  assert.equal(tiny.entry, tiny.function("_start")!.address);
  assert.ok(tiny.sections.some((section) => section.name === ".text"));
  assert.match(tiny.buildId() ?? "", /^[0-9a-f]{40}$/);
  assert.equal(Elf.parse(read("tiny.so"), "tiny.so").type, 3);
});

test("functions, with their place in the file", () => {
  const functions = [...tiny.functions()];
  assert.deepEqual(functions.map((each) => each.name).sort(), [
    "__alias_twice",
    "_start",
    "hidden",
    "twice",
    "weak_twice",
  ]);
  for (const { address, fileOffset } of functions) {
    assert.equal(tiny.fileOffset(address), fileOffset);
    assert.equal(tiny.addressOf(fileOffset), address);
  }
  assert.equal(tiny.function("nothing"), undefined);
  assert.equal(tiny.variable("counter")?.size, 4);
  assert.equal(tiny.fileOffset(0x10n), undefined);
});

test("the function at an address", () => {
  const symbols = tiny.symbols("symtab")!;
  const twice = symbols.find("twice")!;
  // Of the two names of that place the one without underscores.
  assert.equal(symbols.at(twice.address)?.name, "twice");
  assert.equal(symbols.at(twice.address + BigInt(twice.size) - 1n)?.name, "twice");
  assert.notEqual(symbols.at(twice.address + BigInt(twice.size))?.name, "twice");
  assert.equal(symbols.at(symbols.find("hidden")!.address + 4n)?.name, "hidden");
  assert.equal(symbols.at(0n), undefined);
  assert.equal(symbols.at(1n << 40n), undefined);
});

test("stripped files and shared objects", () => {
  const stripped = Elf.parse(read("tiny.stripped"), "tiny.stripped");
  assert.equal(stripped.symbols("symtab"), undefined);
  assert.deepEqual([...stripped.functions()], []);
  assert.equal(stripped.buildId(), tiny.buildId());
  assert.equal(stripped.debugLink()?.file, "tiny.debug");
  const shared = Elf.parse(read("tiny.so"), "tiny.so");
  assert.ok(shared.symbols("dynsym")!.find("weak_twice"));
  assert.equal(shared.symbols("dynsym")!.find("hidden"), undefined);
  assert.ok(shared.function("hidden"));
});

test("32-bit files", () => {
  const small = Elf.parse(read("tiny32"), "tiny32");
  assert.equal(small.bits, 32);
  assert.deepEqual([...small.functions()].map((each) => each.name).sort(), ["_start", "helper"]);
  assert.equal(small.symbols("symtab")?.at(small.entry + 2n)?.name, "_start");
  assert.equal(small.variable("value")?.size, 4);
});

test("what is no ELF file", () => {
  assert.throws(() => Elf.parse(Buffer.from("#!/bin/sh\n"), "script"), FormatError);
  assert.throws(() => Elf.parse(Buffer.alloc(0), "empty"), FormatError);
  const big = read("tiny");
  big[5] = 2;
  assert.throws(() => Elf.parse(big, "big-endian"), FormatError);
});

test("broken files give values or FormatErrors", () => {
  for (const name of ["tiny", "tiny.so", "tiny.stripped", "tiny32"]) {
    fuzz(read(name), 1500, (bytes) => {
      const elf = Elf.parse(bytes, name);
      for (const each of elf.functions()) elf.symbols("symtab")?.at(each.address + 1n);
      elf.function("twice");
      elf.variable("counter");
      elf.buildId();
      elf.debugLink();
      for (const section of elf.sections) elf.data(section);
    });
  }
});
