import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeRing } from "../../test/support/fake-ring.js";
import { RecordStream } from "./record-stream.js";

/** A record of the data: its number. */
const numbered = (n: number): number[] => [n, 0, 0, 0, 0, 0, 0, 0];

/** A record that asks for something: its number, and where the data stood. */
function asking(n: number, position: bigint): number[] {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, n, true);
  new DataView(bytes.buffer).setUint32(4, Number(BigInt.asUintN(32, position)), true);
  return [...bytes];
}

/** Two rings whose data begin shortly before positions need more than 32 bits. */
function rings(start = 0xffff_ffd0n) {
  const [data, control] = [new FakeRing(4096, start), new FakeRing(4096)];
  const said: number[] = [];
  const stream = new RecordStream(data.reader(), control.reader());
  const handler = (view: DataView, offset: number): void => {
    said.push(view.getUint32(offset, true));
  };
  return { data, control, said, stream, handler };
}

test("what asks stands between the data that were sent before and after it", () => {
  const { data, control, said, stream, handler } = rings();
  for (let i = 0; i < 20; i++) {
    data.write(numbered(i));
    if (i % 5 === 4) control.write(asking(100 + i, data.end));
  }
  assert.deepEqual(stream.drain(handler, 1000), { read: 24, state: "empty" });
  assert.deepEqual(said, [0, 1, 2, 3, 4, 104, 5, 6, 7, 8, 9, 109, 10, 11, 12, 13, 14, 114, 15, 16, 17, 18, 19, 119]);
  assert.equal(stream.pending, 0);
});

test("what asks acts also where the data in front of it were lost, or were read already", () => {
  const { data, control, said, stream, handler } = rings();
  control.write(asking(100, data.end));
  stream.drain(handler, 1000);
  const before = data.end;
  data.write(numbered(1));
  data.write(numbered(2));
  stream.drain(handler, 1000);
  // Another processor's clock: it looked before the data came, and wrote after they were read.
  control.write(asking(101, before));
  data.write(numbered(3));
  stream.drain(handler, 1000);
  assert.deepEqual(said, [100, 1, 2, 101, 3]);
});

test("what is still being written holds back what stands behind it", () => {
  const { data, control, said, stream, handler } = rings();
  const unfinished = control.begin(asking(100, data.end));
  data.write(numbered(1));
  assert.deepEqual(stream.drain(handler, 1000), { read: 0, state: "empty" });
  unfinished();
  const second = data.begin(numbered(2));
  control.write(asking(101, data.end));
  stream.drain(handler, 1000);
  assert.deepEqual(said, [100, 1]);
  second();
  stream.drain(handler, 1000);
  assert.deepEqual(said, [100, 1, 2, 101]);
});

test("a handler that wants to wait gets the next record later", () => {
  const { data, control, said, stream } = rings();
  data.write(numbered(1));
  control.write(asking(100, data.end));
  data.write(numbered(2));
  const one = (view: DataView, offset: number): boolean => said.push(view.getUint32(offset, true)) === 0;
  for (const count of [1, 2, 3]) {
    assert.deepEqual(stream.drain(one, 1000), { read: 1, state: "held" });
    assert.equal(said.length, count);
  }
  assert.deepEqual(said, [1, 100, 2]);
});

test("no more than a limit is read, nor for longer than a while", () => {
  const { data, control, said, stream, handler } = rings();
  for (let i = 0; i < 100; i++) data.write(numbered(i));
  control.write(asking(100, data.end));
  assert.deepEqual(stream.drain(handler, 37), { read: 37, state: "more" });
  // No time at all: one slice, whose size is the stream's.
  const { read, state } = stream.drainWithin(0, handler, 1000);
  assert.ok(read > 0 && read < 50, `${read}`);
  assert.equal(state, "more");
  assert.deepEqual(stream.drainWithin(60_000, handler, 1000), { read: 101 - 37 - read, state: "empty" });
  assert.deepEqual(said, [...Array(101).keys()]);
});

test("one ring alone is read as it is", () => {
  const { data, said, handler } = rings();
  const stream = new RecordStream(data.reader(), undefined);
  for (let i = 0; i < 3; i++) data.write(numbered(i));
  assert.deepEqual(stream.drain(handler, 2), { read: 2, state: "more" });
  assert.deepEqual(stream.drain(handler, 2), { read: 1, state: "empty" });
  assert.deepEqual(said, [0, 1, 2]);
});
