import assert from "node:assert/strict";
import { test } from "node:test";
import { RingReader, type RingWindow } from "./ring-reader.js";

const pageSize = 4096;
const busy = 0x80000000;
const discard = 0x40000000;

/** The kernel's side of a ring in plain memory; the data is there twice, as if it were mapped so. */
class FakeRing {
  readonly size: number;
  readonly consumer = new ArrayBuffer(pageSize);
  readonly producer = new ArrayBuffer(pageSize);
  readonly data: ArrayBuffer;
  private position: bigint;
  private readonly view: DataView;

  constructor(size: number, start = 0n) {
    this.size = size;
    this.data = new ArrayBuffer(2 * size);
    this.view = new DataView(this.data);
    this.position = start;
    new BigUint64Array(this.consumer)[0] = start;
    this.publish();
  }

  get consumed(): bigint {
    return new BigUint64Array(this.consumer)[0] ?? 0n;
  }

  /** Where the header of the next record goes. */
  get next(): number {
    return Number(this.position & BigInt(this.size - 1));
  }

  setByte(at: number, value: number): void {
    this.view.setUint8(at % this.size, value);
    this.view.setUint8((at % this.size) + this.size, value);
  }

  setHeader(at: number, header: number): void {
    for (let i = 0; i < 4; i++) this.setByte(at + i, (header >>> (8 * i)) & 0xff);
  }

  /** False if there is no room. */
  write(bytes: readonly number[], flags = 0): boolean {
    const step = (bytes.length + 15) & ~7;
    if (this.position + BigInt(step) - this.consumed > BigInt(this.size)) return false;
    const at = this.next;
    this.setHeader(at, (bytes.length | flags) >>> 0);
    for (const [i, byte] of bytes.entries()) this.setByte(at + 8 + i, byte);
    this.position += BigInt(step);
    this.publish();
    return true;
  }

  private publish(): void {
    new BigUint64Array(this.producer, 0, 1)[0] = this.position;
  }

  reader(): RingReader {
    const { consumer, producer, size } = this;
    return new RingReader({ consumer, producer, data: this.whole(), pageSize, size });
  }

  /** All of the data: it need not be moved. */
  private whole(): RingWindow {
    return { buffer: this.data, move: () => assert.fail() };
  }

  /** A reader that sees `length` bytes at a time, and where it has looked. */
  windowed(length: number): { readonly reader: RingReader; readonly starts: number[] } {
    const { consumer, producer, size } = this;
    const starts: number[] = [];
    const buffer = this.data.slice(0, length);
    const move = (start: number): void => {
      starts.push(start);
      new Uint8Array(buffer).set(new Uint8Array(this.data, start, length));
    };
    move(0);
    return { reader: new RingReader({ consumer, producer, data: { buffer, move }, pageSize, size }), starts };
  }
}

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

test("records that are handled slowly are left when time is over, and read on later", () => {
  const ring = new FakeRing(4096);
  for (let i = 0; i < 100; i++) assert.ok(ring.write([i]));
  const reader = ring.reader();
  let handled = 0;
  // No time at all: one slice, whose size is the reader's.
  assert.equal(
    reader.drainWithin(0, () => handled++, 1000),
    1000,
  );
  assert.ok(handled > 0 && handled < 50, `${handled}`);
  const before = handled;
  assert.equal(
    reader.drainWithin(60_000, () => handled++, 1000),
    100 - before,
  );
  assert.equal(handled, 100);
});

test("drainWithin() reads no more than its limit", () => {
  const ring = new FakeRing(4096);
  for (let i = 0; i < 100; i++) assert.ok(ring.write([i]));
  let handled = 0;
  assert.equal(
    ring.reader().drainWithin(60_000, () => handled++, 37),
    37,
  );
  assert.equal(handled, 37);
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
