import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { FormatError } from "../base/errors.js";
import { posixZone } from "./posix-zone.js";
import type { TimeZone } from "./time-zone.js";
import { parseTzif } from "./tzif.js";

interface Zone {
  readonly version: string;
  readonly changes: readonly (readonly [at: number, type: number])[];
  readonly leaps?: readonly (readonly [at: number, total: number])[];
  readonly footer?: string;
}

/** Names `LMT` (+0:20), `CET`, `CEST`. */
function block({ version, changes, leaps = [] }: Zone, timeSize: 4 | 8): Buffer {
  const names = Buffer.from("LMT\0CET\0CEST\0");
  const types = [
    [1200, 0, 0],
    [3600, 0, 4],
    [7200, 1, 8],
  ] as const;
  const header = Buffer.alloc(44);
  header.write(`TZif${version}`, "latin1");
  for (const [i, count] of [0, 0, leaps.length, changes.length, types.length, names.length].entries())
    header.writeUInt32BE(count, 20 + 4 * i);
  const time = (value: number): Buffer => {
    const bytes = Buffer.alloc(timeSize);
    if (timeSize === 4) bytes.writeInt32BE(value);
    else bytes.writeBigInt64BE(BigInt(value));
    return bytes;
  };
  const int = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  return Buffer.concat([
    header,
    ...changes.map(([at]) => time(at)),
    Buffer.from(changes.map(([, type]) => type)),
    ...types.map(([offset, summer, name]) => Buffer.concat([int(offset), Buffer.from([summer, name])])),
    names,
    ...leaps.map(([at, total]) => Buffer.concat([time(at), int(total)])),
  ]);
}

const file = (zone: Zone): Buffer =>
  zone.version === "\0"
    ? block(zone, 4)
    : Buffer.concat([block({ ...zone, changes: [] }, 4), block(zone, 8), Buffer.from(`\n${zone.footer ?? ""}\n`)]);

const paris: Zone = {
  version: "2",
  changes: [
    [-3_000_000_000, 1],
    [1_000_000, 2],
    [2_000_000, 1],
  ],
  footer: "CET-1CEST,M3.5.0,M10.5.0/3",
};

const nameAt = (zone: TimeZone, seconds: number): string => {
  const { name, offset } = zone.at(seconds);
  return `${name} ${offset}`;
};

test("the type between two changes, the first standard one before them, the rule behind them", () => {
  const zone = parseTzif(file(paris));
  assert.equal(nameAt(zone, -3_000_000_001), "LMT 1200");
  assert.equal(nameAt(zone, -3_000_000_000), "CET 3600");
  assert.equal(nameAt(zone, 999_999), "CET 3600");
  assert.equal(nameAt(zone, 1_000_000), "CEST 7200");
  assert.equal(nameAt(zone, 1_999_999), "CEST 7200");
  assert.equal(nameAt(zone, 2_000_000), "CET 3600");
  assert.equal(nameAt(zone, Date.UTC(2026, 6, 1) / 1000), "CEST 7200");
});

test("files without a footer, and of version 1", () => {
  for (const version of ["2", "3", "4"]) {
    const zone = parseTzif(file({ ...paris, version, footer: "" }));
    assert.equal(nameAt(zone, Date.UTC(2026, 6, 1) / 1000), "CET 3600");
  }
  const old = parseTzif(file({ version: "\0", changes: [[1_000_000, 2]] }));
  assert.equal(nameAt(old, 999_999), "LMT 1200");
  assert.equal(nameAt(old, 2_000_000_000), "CEST 7200");
});

test("a footer alone is the zone", () => {
  assert.equal(nameAt(parseTzif(file({ version: "2", changes: [], footer: "<+03>-3" })), 0), "+03 10800");
});

test("leap seconds are taken from the count, an inserted one is told", () => {
  const zone = parseTzif(
    file({
      ...paris,
      leaps: [
        [1000, 1],
        [2001, 2],
      ],
    }),
  );
  assert.equal(zone.at(999).leapSeconds, undefined);
  assert.deepEqual(zone.at(1000), { offset: 3600, name: "CET", leapSeconds: 1, inserted: 1 });
  assert.deepEqual(zone.at(1001), { offset: 3600, name: "CET", leapSeconds: 1 });
  assert.deepEqual(zone.at(2001), { offset: 3600, name: "CET", leapSeconds: 2, inserted: 1 });
});

test("what is no such file", () => {
  const refused: readonly Buffer[] = [
    Buffer.from(""),
    Buffer.from("no zone"),
    file(paris).subarray(0, 120),
    file({ ...paris, changes: [[1, 3]] }),
    file({
      ...paris,
      changes: [
        [2, 1],
        [2, 2],
      ],
    }),
  ];
  for (const bytes of refused) assert.throws(() => parseTzif(bytes), FormatError);
  // Counts far beyond the file's size are refused before anything is made for them.
  const huge = file({ version: "\0", changes: [] });
  huge.writeUInt32BE(0xffff_ffff, 32);
  assert.throws(() => parseTzif(huge), FormatError);
});

test("damaged files are zones or FormatErrors", () => {
  fuzz(file({ ...paris, leaps: [[1000, 1]] }), 5000, (bytes) => {
    const zone = parseTzif(bytes);
    for (const seconds of [-1e10, 0, 1e9, 1e10]) zone.at(seconds);
  });
});

test("rules that cannot be read", () => {
  assert.equal(nameAt(posixZone(""), 0), " 0");
  assert.equal(nameAt(posixZone("Somewhere"), 0), "Somewhere 0");
  assert.equal(nameAt(posixZone("A1"), 0), " 0");
  assert.equal(nameAt(posixZone("ABC3DEF,J0,J366"), 0), "ABC -10800");
  assert.equal(nameAt(posixZone("ABC3DEF,M13.1.0,M11.1.0"), 0), "ABC -10800");
});

test("damaged rules are zones", () => {
  fuzz(Buffer.from("<-02>2<-01>,M3.5.0/-1,J300/24:00:01"), 5000, (bytes) => {
    const zone = posixZone(bytes.toString("latin1"));
    for (const seconds of [-1e10, 0, 1e9, 1e10]) {
      const { offset } = zone.at(seconds);
      assert.ok(Math.abs(offset) <= 25 * 3600 + 3600);
    }
  });
});
