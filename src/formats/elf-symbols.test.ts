import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { ElfSymbols } from "./elf-symbols.js";

interface Given {
  readonly name: string;
  readonly address: bigint;
}

/** A table of functions of these names and addresses. */
function tableOf(symbols: readonly Given[], is64 = true): ElfSymbols {
  const size = is64 ? 24 : 16;
  const bytes = Buffer.alloc(size * symbols.length);
  let strings = "\0";
  for (const [i, { name, address }] of symbols.entries()) {
    const at = i * size;
    bytes.writeUInt32LE(strings.length, at);
    bytes.writeUInt8(0x12, at + (is64 ? 4 : 12)); // STB_GLOBAL, STT_FUNC
    bytes.writeUInt16LE(1, at + (is64 ? 6 : 14));
    if (is64) bytes.writeBigUInt64LE(address, at + 8);
    else bytes.writeUInt32LE(Number(address), at + 4);
    strings += `${name}\0`;
  }
  return new ElfSymbols(bytes, Buffer.from(strings), is64, []);
}

const namesIn = (table: ElfSymbols, starts: Uint32Array): readonly string[] =>
  Array.from(starts, (start) => table.strings.toString("latin1", start, table.strings.indexOf(0, start)));

test("names beside another table are those that it has not at the same address", () => {
  const table = tableOf([
    { name: "both", address: 0x1000n },
    { name: "moved", address: 0x2000n },
    { name: "alias", address: 0x1000n },
    { name: "far", address: 0x1_0000_3000n },
    { name: "bot", address: 0x1000n },
  ]);
  const other = tableOf([
    { name: "far", address: 0x3000n },
    { name: "moved", address: 0x2008n },
    { name: "main", address: 0x1000n },
    { name: "both", address: 0x1000n },
  ]);
  assert.deepEqual(namesIn(table, table.nameStarts()), ["both", "moved", "alias", "far", "bot"]);
  assert.deepEqual(namesIn(table, table.nameStarts(other)), ["moved", "alias", "far", "bot"]);
  assert.deepEqual(namesIn(table, table.nameStarts(table)), []);
  assert.deepEqual(namesIn(table, table.nameStarts(tableOf([]))), namesIn(table, table.nameStarts()));
});

test("names beside any other table, of either width", () => {
  const random = randomNumbers(11);
  const any = (): Given => ({ name: String.fromCharCode(97 + random(4)), address: BigInt(random(8)) << 4n });
  for (let round = 0; round < 200; round++) {
    const [mine, theirs] = [Array.from({ length: random(20) }, any), Array.from({ length: random(20) }, any)];
    const [table, other] = [tableOf(mine, random(2) === 0), tableOf(theirs, random(2) === 0)];
    const expected = mine.filter((a) => !theirs.some((b) => a.name === b.name && a.address === b.address));
    assert.deepEqual(
      namesIn(table, table.nameStarts(other)),
      expected.map(({ name }) => name),
    );
  }
});
