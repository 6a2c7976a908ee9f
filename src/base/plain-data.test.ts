import assert from "node:assert/strict";
import { test } from "node:test";
import { FormatError } from "./errors.js";
import { decodePlain, encodePlain } from "./plain-data.js";

const values: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -1, 127, 128, 1.5, -0, Number.NaN, Number.POSITIVE_INFINITY],
  ...[Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 60, 0n, -1n, 255n, 1n << 64n, -(1n << 200n)],
  ...["", "a", "é", "€uro", "\ud800", "\udcff", "x".repeat(10_000), new Uint8Array(), Uint8Array.of(0, 255)],
  ...[[], [1, [2, [3]]], {}, { a: undefined, b: { c: [] } }, new Map(), new Map<unknown, unknown>([["k", { v: 1n }]])],
];

test("what is written is read again", () => {
  for (const value of [...values, values]) assert.deepEqual(decodePlain(encodePlain(value)), value);
});

test("what is shared stays shared, and takes its room once", () => {
  const part = { text: "y".repeat(1000) };
  const bytes = encodePlain([part, part, part.text]);
  const [one, two, text] = decodePlain(bytes) as [{ readonly text: string }, unknown, string];
  assert.equal(one, two);
  assert.equal(one.text, text);
  assert.ok(bytes.length < 1100);
});

test("what is not plain is refused", () => {
  const circle: unknown[] = [];
  circle.push(circle);
  for (const value of [() => 1, new Date(), Symbol("x"), circle, { get: new (class Own {})() }])
    assert.throws(() => encodePlain(value), /internal/);
});

test("foreign, damaged and cut bytes are errors, and take no more memory than they have bytes", () => {
  const bytes = encodePlain(values);
  const survive = (some: Uint8Array): void => {
    try {
      decodePlain(some);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  };
  for (let length = 0; length < 600; length++) assert.throws(() => decodePlain(bytes.subarray(0, length)), FormatError);
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let i = 0; i < 20_000; i++) {
    const damaged = bytes.slice(0, 700);
    for (let j = 0; j <= random(4); j++) damaged[random(damaged.length)] = random(256);
    survive(damaged);
    survive(Uint8Array.from({ length: random(40) }, () => random(256)));
  }
  // An array of four thousand million, arrays in arrays, a member that is a prototype.
  for (const some of [
    [10, 0xff, 0xff, 0xff, 0xff, 0x0f],
    Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? 10 : 1)),
    [11, 1, 7, 9, ...Buffer.from("__proto__"), 0],
  ])
    assert.throws(() => decodePlain(Uint8Array.from(some)), FormatError);
  assert.throws(() => decodePlain(Uint8Array.of(0, 0)), /behind its end/);
});
