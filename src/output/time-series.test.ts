import assert from "node:assert/strict";
import { test } from "node:test";
import type { MapSnapshot, Value } from "../wire/value.js";
import { renderJson } from "./json.js";
import { mapText } from "./text.js";

const series = (points: readonly (readonly [bigint, bigint])[], signed = true): Value => ({
  kind: "tseries",
  interval: 100_000_000n,
  intervals: 4,
  signed,
  points: new Map(points),
});

const map = (entries: MapSnapshot["entries"], keyed: boolean): MapSnapshot => ({ name: "@a", keyed, entries });

/** Times of day depend on the time zone, their fractions do not. */
const lines = (snapshot: MapSnapshot): readonly string[] =>
  mapText(snapshot)
    .split("\n")
    .map((line) => line.replace(/^\d\d:\d\d:\d\d/, "TIME"));

test("a graph from the first interval with a value to the last of all, gaps shown", () => {
  const shown = lines(
    map(
      [
        {
          key: [],
          value: series([
            [10n, -5n],
            [11n, 5n],
            [13n, 0n],
          ]),
        },
      ],
      false,
    ),
  );
  const line = "_".repeat(51);
  assert.deepEqual(shown, [
    "@a:",
    `             -5                                                  5`,
    `hh:mm:ss.ms  |${line}|`,
    `TIME.000 *                         .                         | -5`,
    `TIME.100 |                         .                         * 5`,
    `TIME.200 |                         .                         | -`,
    `TIME.300 |                         *                         | 0`,
    `             v${line}v`,
    `             -5                                                  5`,
    "",
    "",
  ]);
});

test("one value has room on both sides, as far as its type goes; a series without values says so", () => {
  const scale = (value: Value): string => (lines(map([{ key: [], value }], false))[1] ?? "").trim().replace(/ +/, " ");
  assert.equal(scale(series([[10n, 7n]])), "6 8");
  assert.equal(scale(series([[10n, 0n]])), "-1 1");
  assert.equal(scale(series([[10n, 0n]], false)), "0 1");
  assert.equal(scale(series([])), "<no data>");
});

test("series of one map end at the same interval; JSON leaves intervals without a value out", () => {
  const key = (value: string): Value[] => [{ kind: "string", value }];
  const entries = [
    { key: key("one"), value: series([[10n, 1n]]) },
    {
      key: key("two"),
      value: series([
        [12n, 2n],
        [13n, 3n],
      ]),
    },
  ];
  const shown = lines(map(entries, true));
  assert.equal(shown.filter((text) => text.startsWith("TIME")).length, 4 + 2);
  const json = renderJson({ kind: "map", map: map(entries, true) }).text.replace(
    /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g,
    "TIME",
  );
  assert.equal(
    json,
    '{"type": "tseries", "data": {"@a": {"one": [{"interval_start":"TIME.000000000","value":1}], "two": [{"interval_start":"TIME.200000000","value":2},{"interval_start":"TIME.300000000","value":3}]}}}\n',
  );
});
