import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { dwarfOf } from "../../test/support/fixture-dwarf.js";
import { CodePlaces } from "./dwarf-places.js";
import type { Elf } from "./elf.js";

function open(bytes: Uint8Array): { readonly elf: Elf; readonly places: CodePlaces } {
  const { elf, dwarf } = dwarfOf(bytes);
  return { elf, places: new CodePlaces(dwarf) };
}

const codeStart = 0x401000n;
const codeEnd = 0x4010e0n;
const source = readFileSync(fixture("elf", "inlined.c"), "utf8").split("\n");
const lineOf = (text: string): number => source.findIndex((line) => line.includes(text)) + 1;
const at = (text: string): string => `/src/inlined.c:${lineOf(text)}`;

for (const file of ["inlined4", "inlined5"]) {
  test(`${file}: inlined functions, innermost first, and where each is left`, () => {
    const { elf, places } = open(readFileSync(fixture("elf", file)));
    const chains = new Set<string>();
    for (let address = codeStart; address < codeEnd; address++) {
      const { place, inlined } = places.at(address) ?? { place: undefined, inlined: [] };
      const parts = [...inlined, { name: "", place }].map(
        (each) => `${each.name} ${each.place?.file}:${each.place?.line}`,
      );
      if (parts[0]?.endsWith(at("mark_inner%=")) === true) chains.add(parts.join(", "));
    }
    const chain = (call: string): string =>
      `innermost ${at("mark_inner%=")}, middle ${at("innermost(twice)")},  ${at(call)}`;
    const expected = [chain("middle(n + sink)"), chain("middle(n);"), chain("middle(part)")];
    assert.deepEqual([...chains].sort(), expected.sort());
    const fails = places.at(elf.function("fails")!.address)!;
    assert.deepEqual([fails.place?.line, fails.inlined], [lineOf("void fails"), []]);
    // Behind the last instruction, and where nothing is.
    assert.equal(places.at(0x500000n), undefined);
    assert.equal(places.at(0n), undefined);
  });
}

test("damaged files give a place or a FormatError", () => {
  for (const file of ["inlined4", "inlined5"]) {
    fuzz(readFileSync(fixture("elf", file)), 1500, (bytes) => {
      const { places } = open(bytes);
      for (let address = codeStart; address < codeEnd; address += 7n) places.at(address);
    });
  }
});
