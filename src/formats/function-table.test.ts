import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { decodeBytes } from "../base/byte-text.js";
import { bytesSource } from "./byte-source.js";
import { Elf } from "./elf.js";
import { PageCache } from "./page-cache.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));

/** Names by both ways, which read the file differently. */
function compare(elf: Elf, table: "symtab" | "dynsym", step: bigint): number {
  const functions = elf.functionTable(table, new PageCache());
  const symbols = elf.symbols(table);
  assert.equal(functions?.length, symbols?.length);
  let compared = 0;
  for (const { address, size } of symbols?.functions() ?? []) {
    for (let at = address - 2n; at < address + BigInt(Math.min(size, 256)) + 2n; at += step) {
      const index = functions?.at(Number(at)) ?? -1;
      const symbol = symbols?.at(at);
      assert.equal(index < 0 ? undefined : functions?.name(index), symbol?.name, `${elf.what} ${at.toString(16)}`);
      if (symbol !== undefined) assert.equal(functions?.start(index), Number(symbol.address));
      compared++;
    }
  }
  return compared;
}

test("the same functions as by the whole symbol table", () => {
  for (const name of ["tiny", "tiny.so", "tiny32", "probes.pie"]) {
    const elf = Elf.parse(read(name), name);
    assert.ok(compare(elf, "symtab", 1n) > 10, name);
    compare(elf, "dynsym", 1n);
  }
  // Thousands of functions, with other names for the same place.
  const own = Elf.parse(readFileSync(process.execPath), "node");
  assert.ok(compare(own, "dynsym", 64n) > 1000);
});

test("damaged tables give the same names, or a FormatError", () => {
  fuzz(read("tiny.so"), 500, (bytes) => {
    const elf = Elf.parse(bytes, "tiny.so");
    const table = elf.functionTable("symtab", new PageCache());
    for (let i = 0; i < (table?.length ?? 0); i++) {
      table?.name(i);
      table?.at((table?.start(i) ?? 0) + 1);
    }
  });
});

test("texts from pages: over their borders, in characters of several bytes, up to the end", () => {
  const bytes = Buffer.alloc(3 * 4096 + 100, "abcdefghi\u00e4");
  bytes[5000] = 0;
  bytes[9000] = 0;
  const source = bytesSource(bytes, "text");
  const pages = new PageCache();
  for (const [start, end] of [
    [0, 5000],
    [4090, 5000],
    [4999, 5000],
    [5000, 5000],
    [5001, 9000],
    [9001, bytes.length],
  ] as const)
    assert.equal(pages.text(source, start, bytes.length), decodeBytes(bytes.subarray(start, end)), `${start}`);
  assert.equal(pages.text(source, 10, 4096), decodeBytes(bytes.subarray(10, 4096)));
  // More than the cache has room for.
  const large = Buffer.alloc(6 << 20);
  for (let at = 0; at < large.length; at += 4096) large.write(`name${at}`, at);
  const whole = bytesSource(large, "large");
  for (const round of [0, 1])
    for (let at = 0; at < large.length; at += 4096)
      assert.equal(pages.text(whole, at, large.length), `name${at}`, `${round}`);
  assert.equal(pages.text(source, 4999, 5000), decodeBytes(bytes.subarray(4999, 5000)));
});
