import assert from "node:assert/strict";
import { test } from "node:test";
import { shownType } from "../types/shown-type.js";
import { i32, i64, none, pointer, type RecordType, string, type Type, u8, u16, u64 } from "../types/type.js";
import { decodeAggregate } from "./aggregate.js";
import { chunkRoom } from "./chunks.js";
import { decoderFor, decodeText, type Resolver } from "./decode.js";
import { align8, cSizeOf, histBuckets, layoutOf, lhistBuckets, residence, sizeOf } from "./layout.js";
import { storageOf } from "./map-storage.js";
import type { Value } from "./value.js";

const resolver: Resolver = {
  cut: { length: 6, trailer: ".." },
  kernelSymbol: (address) => ({ value: `k${address.toString(16)}` }),
  userSymbol: (pid, address) => ({ value: `u${pid}:${address.toString(16)}` }),
  userName: (uid) => `user${uid}`,
  probeName: (id) => `probe${id}`,
  functionName: (id) => `func${id}`,
  formatTime: (nanoseconds, format, clock) => `${nanoseconds}@${format} ${clock}`,
  cgroupPath: (id, pattern) => `cgroup${id}:${pattern}`,
  stack: (id, pid, { user, depth, mode }) => ({ frames: [], missing: `${id} ${pid} ${user} ${depth} ${mode}` }),
  frames: (view, at, count, pid) => ({
    frames: [],
    missing: `${pid}: ${Array.from({ length: count }, (_, i) => view.getBigUint64(at + 8 * i, true))}`,
  }),
};

const words = (...values: readonly bigint[]): DataView => {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  for (const [i, value] of values.entries()) view.setBigUint64(8 * i, BigInt.asUintN(64, value), true);
  return view;
};
const bytes = (...values: readonly number[]): DataView => new DataView(Uint8Array.from(values).buffer);
const decode = (type: Type, view: DataView, at = 0): Value => decoderFor(shownType(type))(view, at, resolver);

const flags: Type = {
  kind: "enum",
  name: "enum flags",
  size: 4,
  signed: true,
  values: [
    { name: "OFF", value: 0n },
    { name: "BAD", value: -1n },
  ],
};

test("what fits a register is eight bytes, extended by its sign", () => {
  const minusOne = words(-1n);
  assert.deepEqual(decode(i32, minusOne), { kind: "int", value: -1n });
  assert.deepEqual(decode(u8, minusOne), { kind: "int", value: (1n << 64n) - 1n });
  assert.deepEqual(decode({ kind: "bool" }, words(2n)), { kind: "bool", value: true });
  assert.deepEqual(decode({ kind: "bool" }, words(0n)), { kind: "bool", value: false });
  assert.deepEqual(decode(pointer(none, "kernel"), minusOne), { kind: "pointer", value: (1n << 64n) - 1n });
  assert.deepEqual(decode(flags, minusOne), { kind: "enum", value: -1n, name: "BAD" });
  assert.deepEqual(decode(flags, words(7n)), { kind: "enum", value: 7n, name: undefined });
  assert.deepEqual(decode(none, words()), { kind: "none" });
});

test("names come from the resolver", () => {
  const texts: readonly (readonly [Type, DataView, string])[] = [
    [{ kind: "ksym" }, words(0xabcn), "kabc"],
    [{ kind: "usym" }, words(0xabcn, 42n), "u42:abc"],
    [{ kind: "username" }, words(5n), "user5"],
    [{ kind: "probe" }, words(4n), "probe3"],
    [{ kind: "probe" }, words(0n), ""],
    [{ kind: "func" }, words(4n), "func3"],
    [{ kind: "timestamp" }, words(99n, 2n), "99@2 monotonic"],
    [{ kind: "timestamp" }, words(99n, (2n << 32n) | 2n), "99@2 tai"],
  ];
  for (const [type, view, value] of texts) assert.deepEqual(decode(type, view), { kind: "symbol", value });
  const stack: Type = { kind: "stack", user: true, mode: "perf", depth: 5 };
  assert.deepEqual(decode(stack, words(-14n, 42n)), {
    kind: "stack",
    user: true,
    mode: "perf",
    frames: [],
    missing: "-14 42 true 5 perf",
  });
});

test("text ends at its NUL or at its size, and may be anything", () => {
  const view = bytes(...new TextEncoder().encode("short\0rubbish and a long tail beyond twenty-four"));
  assert.equal(decodeText(view, 0, 48), "short");
  assert.equal(decodeText(view, 6, 7), "rubbish");
  assert.equal(decodeText(view, 6, 42), "rubbish and a long tail beyond twenty-four");
  assert.equal(decodeText(bytes(0xc3, 0xa9, 0), 0, 3), "é");
  assert.equal(decodeText(bytes(0xff, 65, 0), 0, 3), "\udcffA");
  assert.equal(decodeText(bytes(0xef, 0xbb, 0xbf, 65, 0), 0, 5), "\ufeffA");
  assert.equal(decodeText(bytes(...Array<number>(30).fill(65), 0xe2, 0x82, 0), 0, 33), `${"A".repeat(30)}\udce2\udc82`);
  assert.equal(decodeText(bytes(0), 0, 1), "");
  assert.deepEqual(decode(string(3), bytes(97, 98, 99, 100)), { kind: "string", value: "abc" });
});

test("a text that str() has cut is shown with the trailer", () => {
  const text = (size: number, content: string): Value =>
    decode(string(size), bytes(...new TextEncoder().encode(content.padEnd(16, "\0"))));
  assert.deepEqual(text(7, "sixsix"), { kind: "string", value: "sixsix.." });
  assert.deepEqual(text(7, "five5"), { kind: "string", value: "five5" });
  assert.deepEqual(text(8, "sevense"), { kind: "string", value: "sevense" });
});

test("buffers carry their length, which is not believed beyond their size", () => {
  const view = bytes(3, 0, 0, 0, 1, 2, 3, 4);
  assert.deepEqual(decode({ kind: "buffer", size: 4 }, view), { kind: "buffer", bytes: Uint8Array.of(1, 2, 3) });
  assert.deepEqual(decode({ kind: "buffer", size: 2 }, view), { kind: "buffer", bytes: Uint8Array.of(1, 2) });
});

test("tuples lie on eight bytes each", () => {
  const type: Type = { kind: "tuple", items: [u8, string(3), { kind: "tuple", items: [i64, u64] }] };
  assert.equal(sizeOf(type), 32);
  const view = words(7n, 0x62_61n, -1n, 9n);
  assert.deepEqual(decode(type, view), {
    kind: "tuple",
    items: [
      { kind: "int", value: 7n },
      { kind: "string", value: "ab" },
      {
        kind: "tuple",
        items: [
          { kind: "int", value: -1n },
          { kind: "int", value: 9n },
        ],
      },
    ],
  });
});

const record: RecordType = {
  kind: "record",
  name: "struct pair",
  size: 16,
  members: () => [
    { name: "a", type: u8, bitOffset: 0, bitSize: 0 },
    { name: "low", type: u8, bitOffset: 8, bitSize: 3 },
    { name: "wide", type: u16, bitOffset: 11, bitSize: 9 },
    { name: "n", type: i32, bitOffset: 32, bitSize: 0 },
    { name: "e", type: flags, bitOffset: 64, bitSize: 0 },
    { name: "t", type: string(2), bitOffset: 96, bitSize: 0 },
    { name: "b", type: { kind: "bool" }, bitOffset: 112, bitSize: 0 },
  ],
};

test("records and arrays lie as C lays them out, bit fields too", () => {
  const view = bytes(200, 0b1010_1101, 0b1111, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 104, 105, 1, 0);
  assert.deepEqual(decode(record, view), {
    kind: "record",
    fields: [
      { name: "a", value: { kind: "int", value: 200n } },
      { name: "low", value: { kind: "int", value: 5n } },
      { name: "wide", value: { kind: "int", value: 0b1111_10101n } },
      { name: "n", value: { kind: "int", value: -2n } },
      { name: "e", value: { kind: "enum", value: -1n, name: "BAD" } },
      { name: "t", value: { kind: "string", value: "hi" } },
      { name: "b", value: { kind: "bool", value: true } },
    ],
  });
  const array: Type = { kind: "array", of: u16, count: 3 };
  assert.deepEqual([sizeOf(array), cSizeOf(array)], [6, 6]);
  assert.deepEqual(decode(array, bytes(1, 0, 2, 0, 255, 255)), {
    kind: "array",
    items: [1n, 2n, 65535n].map((value) => ({ kind: "int", value })),
  });
});

test("addresses as inet_ntop(3) prints them", () => {
  const v6 = (text: readonly number[]): string => {
    const view = new DataView(new ArrayBuffer(24));
    view.setBigUint64(0, 10n, true);
    for (const [i, group] of text.entries()) view.setUint16(8 + 2 * i, group, false);
    const value = decode({ kind: "inet" }, view);
    return value.kind === "symbol" ? value.value : "";
  };
  const cases: readonly (readonly [readonly number[], string])[] = [
    [[0, 0, 0, 0, 0, 0, 0, 0], "::"],
    [[0, 0, 0, 0, 0, 0, 0, 1], "::1"],
    [[0xfe80, 0, 0, 0, 1, 2, 3, 4], "fe80::1:2:3:4"],
    [[0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], "2001:db8::1:0:0:1"],
    [[0x2001, 0xdb8, 0, 1, 0, 0, 0, 1], "2001:db8:0:1::1"],
    [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], "2001:db8:0:1:1:1:1:1"],
    [[1, 0, 0, 0, 0, 0, 0, 0], "1::"],
    [[0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], "::ffff:127.0.0.1"],
  ];
  for (const [groups, text] of cases) assert.equal(v6(groups), text);
  const v4 = words(2n, 0x0100_007fn, 0n);
  assert.deepEqual(decode({ kind: "inet" }, v4), { kind: "symbol", value: "127.0.0.1" });
});

test("layouts: everything on eight bytes, C sizes only inside C", () => {
  assert.deepEqual(layoutOf([u8, string(9), record, { kind: "array", of: u8, count: 3 }, i64], 8), {
    offsets: [8, 16, 32, 48, 56],
    size: 64,
  });
  assert.deepEqual([0, 1, 7, 8, 9].map(align8), [0, 8, 8, 8, 16]);
  const sizes: readonly (readonly [Type, number, number])[] = [
    [u8, 8, 1],
    [{ kind: "bool" }, 8, 1],
    [none, 0, 1],
    [string(9), 16, 9],
    [pointer(u8, "user"), 8, 8],
    [{ kind: "buffer", size: 5 }, 16, 16],
    [{ kind: "inet" }, 24, 24],
    [{ kind: "stack", user: false, mode: "raw", depth: 3 }, 16, 16],
  ];
  for (const [type, size, cSize] of sizes) assert.deepEqual([sizeOf(type), cSizeOf(type)], [size, cSize], type.kind);
  assert.deepEqual([residence(none), residence(u8), residence(string(4))], ["none", "register", "memory"]);
});

test("how maps lie in the kernel", () => {
  assert.deepEqual(storageOf({ key: undefined, value: u8 }), {
    kind: "array",
    perCpu: false,
    generation: false,
    keySize: 4,
    valueSize: 16,
    valueOffset: 0,
    flagOffset: 8,
  });
  assert.deepEqual(storageOf({ key: [u8, string(5)], value: string(20) }), {
    kind: "hash",
    perCpu: false,
    generation: false,
    keySize: 16,
    valueSize: 24,
    valueOffset: 0,
    flagOffset: undefined,
  });
  assert.equal(storageOf({ key: [u8], value: { kind: "lhist", min: 0n, max: 100n, step: 10n } }).perCpu, true);
  // Large values of few cells are in chunks; a kind that drops keys has them in one piece.
  const hist = { key: [u8, string(5)], value: { kind: "hist", bits: 0 } } as const;
  const { perCpu, keySize, valueSize, chunks } = storageOf(hist);
  assert.deepEqual([perCpu, keySize, valueSize], [false, 16, 8]);
  assert.deepEqual(chunks, {
    cells: 67,
    cellSize: 8,
    shift: 4,
    chunks: 5,
    chunkSize: 128,
    index: 16,
    cpu: 20,
    keySize: 24,
  });
  assert.equal(storageOf({ ...hist, declared: { lru: true } }).perCpu, true);
  const all = { kind: "tseries", interval: 1n, intervals: 1364, keep: "last", signed: true } as const;
  const series = storageOf({ key: [u8], value: all }).chunks;
  assert.deepEqual([series?.chunkSize, series?.chunks], [128 * 24, 11]);
  // Of a map that the script empties a key ends with its generation; an array has an element for each.
  const emptied = { key: [u8], value: u64, emptied: true } as const;
  assert.deepEqual([storageOf(emptied).keySize, storageOf(emptied).generation], [16, true]);
  assert.deepEqual(storageOf({ ...emptied, key: undefined }).generation, true);
  assert.equal(storageOf({ ...hist, emptied: true }).chunks?.index, 24);
});

test("maps of chunks have room for all of each key, as far as their tables stay small", () => {
  const { chunks: layout } = storageOf({ key: [u8], value: { kind: "hist", bits: 0 } });
  assert.ok(layout);
  assert.deepEqual(chunkRoom(layout, 4096, 2), { chunks: 4096 * 5 * 2, spare: 8192 });
  assert.deepEqual(chunkRoom(layout, 3, 2), { chunks: 30, spare: 402 });
  assert.deepEqual(chunkRoom(layout, 4096, 256), { chunks: 1 << 20, spare: 16384 });
  assert.deepEqual(chunkRoom(layout, 1 << 20, 64), { chunks: 1 << 22, spare: 65536 });
});

test("aggregates add up what the processors counted", () => {
  const of = (type: Parameters<typeof decodeAggregate>[0], ...parts: readonly DataView[]): Value =>
    decodeAggregate(type, parts);
  assert.deepEqual(of({ kind: "count" }, words(3n), words(4n)), { kind: "count", value: 7n });
  assert.deepEqual(of({ kind: "sum", signed: true }, words(-3n), words(1n)), { kind: "sum", value: -2n });
  assert.deepEqual(of({ kind: "sum", signed: false }, words(-1n), words(3n)), { kind: "sum", value: 2n });
  assert.deepEqual(of({ kind: "min", signed: true }, words(5n, 1n), words(-7n, 1n), words(-9n, 0n)), {
    kind: "min",
    value: -7n,
  });
  assert.deepEqual(of({ kind: "max", signed: false }, words(5n, 1n), words(-7n, 1n)), {
    kind: "max",
    value: (1n << 64n) - 7n,
  });
  assert.deepEqual(of({ kind: "min", signed: true }, words(5n, 0n)), { kind: "min", value: 0n });
  assert.deepEqual(of({ kind: "stats", signed: true }, words(2n, -10n), words(1n, 1n)), {
    kind: "stats",
    count: 3n,
    total: -9n,
    average: -3n,
  });
  assert.deepEqual(of({ kind: "avg", signed: true }, words(0n, 0n)), {
    kind: "avg",
    count: 0n,
    total: 0n,
    average: 0n,
  });
  const buckets = Array.from({ length: histBuckets(0) }, (_, i) => (i === 0 || i === 65 ? 2n : 0n));
  const hist = of({ kind: "hist", bits: 0 }, words(...buckets), words(...buckets));
  assert.deepEqual(hist, {
    kind: "hist",
    bits: 0,
    buckets: new Map([
      [0, 4n],
      [65, 4n],
    ]),
  });
  const linear = { kind: "lhist", min: -5n, max: 6n, step: 3n } as const;
  assert.equal(lhistBuckets(linear), 5);
  assert.deepEqual(of(linear, words(0n, 1n, 0n, 0n, 9n)), {
    ...linear,
    buckets: new Map([
      [1, 1n],
      [4, 9n],
    ]),
  });
});

test("a stack's frames by the map that keeps them, or in the same record", () => {
  const type: Type = { kind: "stack", user: true, mode: "bpftrace", depth: 5 };
  const pidAndCount = 7n | (2n << 32n);
  assert.deepEqual(decode(type, words(5n, pidAndCount)), { ...stackOf, missing: "5 7 true 5 bpftrace" });
  assert.deepEqual(decode(type, words(-14n, pidAndCount)), { ...stackOf, missing: "-14 7 true 5 bpftrace" });
  const record = words(0n, -(1n << 63n) + 24n, pidAndCount, 0n, 11n, 12n, 13n);
  assert.deepEqual(decode(type, record, 8), { ...stackOf, missing: "7: 11,12" });
});

const stackOf = { kind: "stack", user: true, mode: "bpftrace", frames: [] } as const;
