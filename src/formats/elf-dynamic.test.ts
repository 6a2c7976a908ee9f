import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { Elf } from "./elf.js";
import { dynamicNeeds } from "./elf-dynamic.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));

/** A file whose dynamic section, sixteen bytes an entry, begins with these tags and texts. */
function withEntries(name: string, entries: readonly (readonly [tag: bigint, text: string])[]): Buffer {
  const bytes = Buffer.from(read(name));
  const elf = Elf.parse(bytes, name);
  const dynamic = elf.sections.find(({ type }) => type === 6)!;
  const strings = elf.sections[dynamic.link]!;
  const texts = bytes.subarray(strings.offset, strings.offset + strings.size);
  for (const [i, [tag, text]] of entries.entries()) {
    bytes.writeBigUInt64LE(tag, dynamic.offset + 16 * i);
    bytes.writeBigUInt64LE(BigInt(texts.indexOf(`${text}\0`)), dynamic.offset + 16 * i + 8);
  }
  return bytes;
}

test("libraries and folders that a file asks for", () => {
  const bytes = withEntries("tiny.so", [
    [1n, "twice"],
    [1n, "weak_twice"],
    [29n, "counter"],
  ]);
  assert.deepEqual(dynamicNeeds(Elf.parse(bytes, "changed")), {
    libraries: ["twice", "weak_twice"],
    folders: ["counter"],
    interpreter: undefined,
  });
});

test("a static file needs nothing", () => {
  const needs = dynamicNeeds(Elf.parse(read("tiny"), "tiny"));
  assert.deepEqual(needs, { libraries: [], folders: [], interpreter: undefined });
});

test("damaged files", () => {
  fuzz(withEntries("tiny.so", [[1n, "twice"]]), 1500, (bytes) => dynamicNeeds(Elf.parse(bytes, "tiny.so")));
});
