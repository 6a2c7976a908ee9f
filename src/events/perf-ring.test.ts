import assert from "node:assert/strict";
import { test } from "node:test";
import { perfRecord } from "../../test/fixtures/perf-record.js";
import { FormatError } from "../base/errors.js";
import { parsePerfRecord } from "../formats/perf-records.js";
import { PerfRing } from "./perf-ring.js";

const pageSize = 4096;
const size = 256;

/** The kernel's side of a ring in plain memory. */
function fakeRing(start: bigint) {
  const buffer = new ArrayBuffer(pageSize + size);
  const [head, tail] = [new BigInt64Array(buffer, 1024, 1), new BigInt64Array(buffer, 1032, 1)];
  const data = new Uint8Array(buffer, pageSize);
  head[0] = start;
  tail[0] = start;
  const write = (bytes: Uint8Array): void => {
    const at = Number((head[0] ?? 0n) & BigInt(size - 1));
    for (const [i, byte] of bytes.entries()) data[(at + i) % size] = byte;
    head[0] = (head[0] ?? 0n) + BigInt(bytes.length);
  };
  return { ring: new PerfRing(buffer, pageSize, size), write, tail: () => tail[0] };
}

test("records in their order, also those that go on at the beginning, and room for the kernel", () => {
  const { ring, write, tail } = fakeRing(2n ** 32n - 40n);
  let expected = 0;
  for (let round = 0; round < 50; round++) {
    const count = (round % 4) + 1;
    for (let i = 0; i < count; i++) write(perfRecord.task(BigInt(expected + i), "fork", expected + i + 10, 1));
    const found: number[] = [];
    ring.drain((bytes) => {
      const record = parsePerfRecord(bytes);
      assert.ok(record?.kind === "fork");
      found.push(record.pid);
    });
    assert.deepEqual(
      found,
      Array.from({ length: count }, (_, i) => expected + i + 10),
    );
    expected += count;
  }
  assert.equal(tail(), 2n ** 32n - 40n + BigInt(expected * 40));
});

test("what is no record ends a drain, not the reader", () => {
  const { ring, write, tail } = fakeRing(0n);
  write(new Uint8Array(16));
  assert.throws(() => ring.drain(() => undefined), FormatError);
  assert.equal(tail(), 16n);
  write(perfRecord.lost(1n, 2n));
  let count = 0;
  ring.drain(() => count++);
  assert.equal(count, 1);
});
