import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { PerfMap } from "./perf-map.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function mapOf(...parts: readonly string[]): PerfMap {
  const map = new PerfMap();
  for (const part of parts) map.add(bytes(part));
  return map;
}

const nameAt = (map: PerfMap, address: bigint): string | undefined => map.at(address)?.name;

test("entries, names with blanks, lines in pieces", () => {
  const map = mapOf("3ef414c0 398 JS:*add /srv/a b.js:1:13\n3ef41900 1", "0 RegExp:\\d+\n0x500 0x10 odd one\n");
  assert.deepEqual(map.at(0x3ef414c0n), { name: "JS:*add /srv/a b.js:1:13", start: 0x3ef414c0n });
  assert.equal(nameAt(map, 0x3ef414c0n + 0x397n), "JS:*add /srv/a b.js:1:13");
  assert.equal(nameAt(map, 0x3ef414c0n + 0x398n), undefined);
  assert.equal(nameAt(map, 0x3ef41900n), "RegExp:\\d+");
  assert.equal(nameAt(map, 0x50fn), "odd one");
  assert.equal(nameAt(map, 0x1n), undefined);
  assert.equal(map.skipped, 0);
});

test("newer code takes the place of older code", () => {
  const map = mapOf("1000 100 old\n2000 10 other\n");
  assert.equal(nameAt(map, 0x1050n), "old");
  map.add(bytes("1040 20 new\n10f0 20 behind\n"));
  assert.deepEqual(
    [0x1000n, 0x103fn, 0x1040n, 0x105fn, 0x1060n, 0x10efn, 0x10f0n, 0x110fn, 0x1110n, 0x2000n].map((a) =>
      nameAt(map, a),
    ),
    ["old", "old", "new", "new", "old", "old", "behind", "behind", undefined, "other"],
  );
  map.add(bytes("0 ffff all\n"));
  assert.deepEqual(
    [0x1n, 0x1050n, 0x2008n].map((a) => nameAt(map, a)),
    ["all", "all", "all"],
  );
});

test("overlaps are as if each entry had been painted over those before", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 40; round++) {
    const painted: (string | undefined)[] = new Array(256).fill(undefined);
    const map = new PerfMap();
    for (let i = 0; i < 30; i++) {
      const [start, size] = [random(200), random(56)];
      map.add(bytes(`${start.toString(16)} ${size.toString(16)} f${i}\n`));
      painted.fill(`f${i}`, start, start + size);
    }
    for (let at = 0; at < 256; at++) assert.equal(nameAt(map, BigInt(at)), painted[at], `round ${round}, ${at}`);
  }
});

test("what is no entry is skipped and counted", () => {
  const map = mapOf("\nno numbers here\n10\n10 20\n10 20 \n1000000000000000000 1 far\n10 -1 x\n1000 10 good\n");
  assert.equal(map.skipped, 6);
  assert.equal(nameAt(map, 0x1001n), "good");
  const long = mapOf(`1 1 ${"x".repeat(70_000)}`, "y".repeat(70_000), "\n2000 10 next\n");
  assert.equal(long.skipped, 1);
  assert.equal(nameAt(long, 0x2000n), "next");
});

test("a map with more than fits has no names, rather than old ones", () => {
  const long = new PerfMap();
  const name = "n".repeat(60_000);
  for (let i = 0; i < 2000; i++) long.add(bytes(`${(i * 16).toString(16)} 10 ${name}\n`));
  assert.equal(long.cut, true);
  assert.ok(long.memory < 1 << 20, `${long.memory}`);
  assert.equal(nameAt(long, 0n), undefined);
  const many = new PerfMap();
  for (let i = 0; i <= 1 << 18; i++) many.add(bytes(`${(i * 16).toString(16)} 10 f\n`));
  assert.deepEqual([many.cut, nameAt(many, 0n)], [true, undefined]);
});

test("what was read from is not kept in memory", () => {
  const map = new PerfMap();
  for (let i = 0; i < 100; i++) {
    const chunk = Buffer.allocUnsafe(1 << 16).fill("\n");
    chunk.write(`${(i * 16).toString(16)} 10 f${i}\n`);
    map.add(chunk);
    chunk.fill(0);
  }
  assert.deepEqual([nameAt(map, 0x10n), nameAt(map, 0x630n)], ["f1", "f99"]);
});

test("damaged maps give names or nothing", () => {
  fuzz(bytes("1000 100 old\n2000 10 other thing\n1080 100 new\n"), 3000, (damaged) => {
    const map = new PerfMap();
    map.add(damaged);
    for (const address of [0n, 0x1000n, 0x10ffn, 0x2005n, 0xffff_ffff_ffffn]) map.at(address);
  });
});
