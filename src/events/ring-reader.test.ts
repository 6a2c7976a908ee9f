import assert from "node:assert/strict";
import { test } from "node:test";
import { busy, discard, FakeRing, pageSize } from "../../test/support/fake-ring.js";
import type { RingReader } from "./ring-reader.js";

function drainAll(reader: RingReader, limit?: number): number[][] {
  const records: number[][] = [];
  const handler = (view: DataView, offset: number, length: number) => {
    records.push([...new Uint8Array(view.buffer, offset, length)]);
  };
  const count = limit === undefined ? reader.drain(handler) : reader.drain(handler, limit);
  assert.equal(count, records.length);
  return records;
}

test("finished records come in order, discarded ones not at all", () => {
  const ring = new FakeRing(4096);
  const reader = ring.reader();
  assert.deepEqual(drainAll(reader), []);
  ring.write([1, 2, 3]);
  ring.write([9], discard);
  ring.write([]);
  ring.write([4]);
  assert.deepEqual(drainAll(reader), [[1, 2, 3], [], [4]]);
  assert.equal(ring.consumed, 16n + 16n + 8n + 16n);
  assert.equal(reader.pending, 0);
});

test("reading stops at a record that is being written and goes on when it is done", () => {
  const ring = new FakeRing(4096);
  const reader = ring.reader();
  ring.write([1]);
  const at = ring.next;
  ring.write([2], busy);
  ring.write([3]);
  assert.deepEqual(drainAll(reader), [[1]]);
  assert.equal(reader.pending, 32);
  assert.deepEqual(drainAll(reader), []);
  ring.setHeader(at, 1);
  assert.deepEqual(drainAll(reader), [[2], [3]]);
});

test("a limit leaves the rest for the next time", () => {
  const ring = new FakeRing(4096);
  const reader = ring.reader();
  for (let i = 0; i < 10; i++) ring.write([i]);
  assert.equal(drainAll(reader, 4).length, 4);
  assert.equal(ring.consumed, 64n);
  assert.deepEqual(drainAll(reader).flat(), [4, 5, 6, 7, 8, 9]);
});

test("records wrap, positions pass 2^32", () => {
  for (const start of [0n, 2n ** 32n - 64n, 2n ** 33n - 4096n, 2n ** 40n]) {
    const ring = new FakeRing(4096, start);
    const reader = ring.reader();
    let seen = 0;
    for (let i = 0; i < 2000; i++) {
      const record = Array.from({ length: 1 + (i % 100) }, (_, j) => (i + j) & 0xff);
      if (!ring.write(record)) {
        for (const got of drainAll(reader)) assert.equal(got.length, 1 + (seen++ % 100));
        assert.ok(ring.write(record));
      }
    }
    seen += drainAll(reader).length;
    assert.equal(seen, 2000);
    assert.ok(ring.consumed > start);
  }
});

test("an exception counts the record as read; closing inside the handler ends it", () => {
  const ring = new FakeRing(4096);
  const reader = ring.reader();
  ring.write([1]);
  ring.write([2]);
  ring.write([3]);
  assert.throws(
    () =>
      reader.drain(() => {
        throw new Error("no");
      }),
    /no/,
  );
  assert.equal(ring.consumed, 16n);
  assert.equal(
    reader.drain(() => reader[Symbol.dispose]()),
    1,
  );
  assert.deepEqual(drainAll(reader), []);
  assert.equal(reader.pending, 0);
});

test("room is given back in the middle of a long batch", () => {
  const ring = new FakeRing(4096);
  const reader = ring.reader();
  while (ring.write([0, 0, 0, 0, 0, 0, 0, 0]));
  let early = 0n;
  let count = 0;
  reader.drain(() => {
    if (++count === 200) early = ring.consumed;
  });
  assert.equal(count, 256);
  assert.ok(early > 0n);
});

test("a window of the data is enough, and moves on", () => {
  const ring = new FakeRing(8 * pageSize, 10_000n);
  const wanted: number[][] = [];
  for (let i = 0; i < 20; i++) {
    const record = Array.from({ length: 1500 }, (_, at) => (i + at) & 0xff);
    assert.ok(ring.write(record));
    wanted.push(record);
  }
  const { reader, starts } = ring.windowed(2 * pageSize);
  assert.deepEqual(drainAll(reader), wanted);
  // From the first record on, less than a window further each time, and not back before the ring's end.
  assert.deepEqual(starts, [0, 8192, 12288, 16384, 20480, 24576, 28672, 0]);
});
