import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { type ByteSource, bytesSource } from "./byte-source.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import { partOf, SectionPages, wholeSection } from "./section-bytes.js";

/** A section of numbers and texts of all lengths, in the middle of a file. */
function sample(): { readonly bytes: Buffer; readonly source: ByteSource } {
  const random = randomNumbers(11);
  const bytes = Buffer.alloc(300_000);
  for (let i = 0; i < bytes.length; i++) bytes[i] = random(40) === 0 ? 0 : random(256);
  // A text that is longer than two pages.
  bytes.fill(0x61, 100_000, 180_000);
  bytes[180_000] = 0;
  return { bytes, source: bytesSource(Buffer.concat([Buffer.alloc(1000, 1), bytes, Buffer.alloc(1000, 1)]), "file") };
}

/** What a cursor gives, or that it gives nothing. */
function attempt(ask: () => unknown): unknown {
  try {
    return ask();
  } catch (error) {
    assert.ok(error instanceof FormatError, String(error));
    return "FormatError";
  }
}

test("pages give what the whole section gives, at every place and over their ends", () => {
  const { bytes, source } = sample();
  const pages = new SectionPages(64 << 10);
  const paged = pages.section(source, 1000, bytes.length, "section");
  const [a, b] = [new DwarfCursor(paged, "section"), new DwarfCursor(bytes, "section")];
  const random = randomNumbers(5);
  const edges = [0, 32 << 10, 64 << 10, 99_990, 131_072, 180_000, bytes.length];
  const asks: readonly ((cursor: DwarfCursor) => unknown)[] = [
    (cursor) => cursor.u8(),
    (cursor) => cursor.u16(),
    (cursor) => cursor.u24(),
    (cursor) => cursor.u64(),
    (cursor) => cursor.uleb(),
    (cursor) => cursor.sleb(),
    (cursor) => cursor.text(),
    (cursor) => cursor.skipText(),
    (cursor) => Buffer.from(cursor.bytes(random(3) === 0 ? 70_000 : 20)).toString("latin1"),
  ];
  for (let round = 0; round < 4000; round++) {
    const at = random(2) === 0 ? random(bytes.length) : edges[random(edges.length)]! - random(20);
    const ask = asks[random(asks.length - 1)]!;
    for (const cursor of [a, b]) cursor.at = at;
    assert.deepEqual(
      attempt(() => ask(a)),
      attempt(() => ask(b)),
      `round ${round} at ${at}`,
    );
    if (at >= 0) assert.equal(a.at, b.at);
  }
  const [c, d] = [a, b].map((cursor) => {
    cursor.at = 20_000;
    return Buffer.from(cursor.bytes(70_000));
  });
  assert.deepEqual(c, d);
});

test("no more is kept than pages are allowed, and what was used last stays", () => {
  const page = 32 << 10;
  const whole = bytesSource(Buffer.alloc(100 * page, 7), "file");
  const read: number[] = [];
  const source: ByteSource = {
    size: whole.size,
    read(offset, length) {
      assert.ok(length <= page + 16);
      read.push(offset / page);
      return whole.read(offset, length);
    },
  };
  const section = new SectionPages(10 * page).section(source, 0, whole.size, "section");
  const ask = (pages: readonly number[]): readonly number[] => {
    read.length = 0;
    for (const each of pages) assert.equal(new DwarfCursor(section, "section", each * page + 5).u8(), 7);
    return [...read];
  };
  const all = [...Array(100).keys()];
  assert.deepEqual(ask(all.flatMap((each) => [each, each])), all);
  assert.deepEqual(ask([99, 98, 97]), []);
  // Ten pages, and the last 32.
  const kept = 100 - ask([...all].reverse()).length;
  assert.ok(kept > 0 && kept <= 42, `${kept}`);
});

test("sections and parts that do not lie in what they are in", () => {
  const source = bytesSource(Buffer.alloc(100), "file");
  const pages = new SectionPages();
  for (const [offset, length] of [
    [0, 101],
    [101, 0],
    [-1, 5],
    [Number.NaN, 1],
  ] as const) {
    assert.throws(() => pages.section(source, offset, length, "section"), FormatError);
    assert.throws(() => partOf(wholeSection(Buffer.alloc(100)), offset, length, "part"), FormatError);
  }
  const part = partOf(pages.section(source, 0, 100, "section"), 40, 10, "part");
  const cursor = new DwarfCursor(part, "part");
  assert.equal(cursor.u64(), 0n);
  assert.throws(() => cursor.u32(), FormatError);
});
