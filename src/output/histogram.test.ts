import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketCount, bucketOf, bucketRange, histogramRows, linearBucketOf, linearBucketRange } from "./histogram.js";

test("each value lies in the range of its bucket", () => {
  const values: bigint[] = [-(1n << 63n), -5n, -1n];
  for (let i = 0n; i < 3000n; i++) values.push(i);
  for (let i = 0n; i < 63n; i++) values.push(1n << i, (1n << i) - 1n, (1n << i) + 1n, (3n << i) >> 1n);
  for (let bits = 0; bits <= 5; bits++) {
    for (const value of values.filter((n) => n < 1n << 63n)) {
      const { min, max } = bucketRange(bucketOf(value, bits), bits);
      assert.ok((min === undefined || value >= min) && (max === undefined || value < max), `${value} ${bits}`);
    }
  }
});

test("buckets join without gaps, in order", () => {
  for (let bits = 0; bits <= 5; bits++) {
    for (let index = 0; index + 1 < bucketCount(bits); index++) {
      assert.equal(bucketRange(index, bits).max, bucketRange(index + 1, bits).min);
    }
    assert.equal(bucketRange(bucketCount(bits) - 1, bits).max, 1n << 63n);
  }
});

test("the numbers that the kernel program computes", () => {
  assert.deepEqual(
    [-1n, 0n, 1n, 2n, 3n, 4n, 7n, 8n, 1024n].map((n) => bucketOf(n, 0)),
    [0, 1, 2, 3, 3, 4, 4, 5, 12],
  );
  assert.equal(bucketOf((1n << 64n) - 1n, 0), 0);
  assert.equal(bucketOf((1n << 63n) - 1n, 0), 64);
  assert.deepEqual(
    [3n, 4n, 7n, 8n, 9n, 10n, 100n].map((n) => bucketOf(n, 2)),
    [4, 5, 8, 9, 9, 10, 23],
  );
  assert.deepEqual(
    [-1n, 0n, 9n, 10n, 99n, 100n, 500n].map((n) => linearBucketOf(n, 0n, 100n, 10n)),
    [0, 1, 1, 2, 10, 11, 11],
  );
  assert.deepEqual(
    [8n, 10n, 50n].map((n) => linearBucketOf(n, 0n, 10n, 4n)),
    [3, 3, 3],
  );
  assert.deepEqual(linearBucketRange(3, 0n, 10n, 4n), { min: 8n, max: undefined });
});

const label = (bits: number, value: bigint): string =>
  histogramRows({ kind: "hist", bits, buckets: new Map([[bucketOf(value, bits), 1n]]) }, 1n)[0]?.label ?? "";
const linearLabel = (value: bigint, min: bigint, max: bigint, step: bigint): string =>
  histogramRows(
    { kind: "lhist", min, max, step, buckets: new Map([[linearBucketOf(value, min, max, step), 1n]]) },
    1n,
  )[0]?.label ?? "";

test("labels, as bpftrace 0.27.1 prints them", () => {
  assert.equal(label(0, -3n), "(..., 0)");
  assert.equal(label(0, 0n), "[0]");
  assert.equal(label(0, 1n), "[1]");
  assert.equal(label(0, 2n), "[2, 4)");
  assert.equal(label(0, 1000n), "[512, 1K)");
  assert.equal(label(0, 1048576n), "[1M, 2M)");
  assert.equal(label(0, (1n << 63n) - 1n), "[4E, 8E)");
  assert.equal(label(2, 7n), "[7]");
  assert.equal(label(2, 8n), "[8, 10)");
  assert.equal(label(2, 1024n), "[1024, 1280)");
  assert.equal(label(2, 3600n), "[3584, 4K)");
  assert.equal(label(2, 5000n), "[4K, 5K)");
  assert.equal(label(5, 63n), "[63]");
  assert.equal(label(5, 70n), "[70, 72)");
  assert.equal(linearLabel(-5n, 0n, 100n, 10n), "(..., 0)");
  assert.equal(linearLabel(55n, 0n, 100n, 10n), "[50, 60)");
  assert.equal(linearLabel(100n, 0n, 100n, 10n), "[100, ...)");
  assert.equal(linearLabel(3n, 0n, 10n, 1n), "[3]");
  assert.equal(linearLabel(3000n, 0n, 5242880n, 102400n), "[0, 100K)");
  assert.equal(linearLabel(2098000n, 2097152n, 5242880n, 1048576n), "[2M, 3M)");
  assert.equal(linearLabel(50n, 0n, 10n, 1n), "[10, ...)");
});

test("limits beyond 2^53 keep their last digits", () => {
  const min = 1_700_000_000_000_000_001n;
  const max = min + 1000n;
  assert.equal(linearBucketOf(min + 99n, min, max, 100n), 1);
  assert.equal(linearBucketOf(min + 100n, min, max, 100n), 2);
  assert.equal(linearLabel(min + 122n, min, max, 100n), "[1700000000000000101, 1700000000000000201)");
  assert.equal(linearLabel(max, min, max, 100n), "[1700000000000001001, ...)");
  const [least, most] = [-(1n << 63n), (1n << 63n) - 1n];
  assert.equal(linearBucketOf(most, least, most, 1n << 60n), 16);
  assert.equal(linearBucketOf(least, least, most, 1n << 60n), 1);
});
