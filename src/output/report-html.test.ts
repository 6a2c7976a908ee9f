import assert from "node:assert/strict";
import { test } from "node:test";
import { utc } from "../formats/time-zone.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { axisTicks, compactText } from "./report-charts.js";
import { type Report, reportHtml } from "./report-html.js";

const text = (value: string): Value => ({ kind: "string", value });
const int = (value: bigint): Value => ({ kind: "int", value });
const count = (value: bigint): Value => ({ kind: "count", value });
const stack: Value = {
  kind: "stack",
  user: false,
  mode: "bpftrace",
  frames: [{ address: 1n, symbol: "vfs_read", offset: 0n, module: undefined }],
};

const report = (maps: readonly (MapSnapshot | readonly MapSnapshot[])[], more: Partial<Report> = {}): string =>
  reportHtml({
    zone: utc,
    title: "x.bt",
    script: "begin { exit(); }",
    generator: "beetrace test",
    about: "today",
    maps: maps.map((map) => ({ prints: "name" in map ? [map] : map, forgotten: 0 })),
    text: "",
    notices: [],
    ...more,
  });
const keyed = (name: string, ...entries: readonly (readonly [Value | readonly Value[], Value])[]): MapSnapshot => ({
  name,
  keyed: true,
  entries: entries.map(([key, value]) => ({ key: "kind" in key ? [key] : key, value })),
});
/** What a reader sees of the markup that `start` begins. */
const seen = (html: string, start: string): string => {
  const from = html.indexOf(start);
  assert.ok(from >= 0, start);
  const part = html.slice(from, html.indexOf("</section>", from));
  return part
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
};

test("histograms as rows with bars, in the order of their size", () => {
  const hist = (...counts: readonly bigint[]): Value => ({
    kind: "hist",
    bits: 0,
    buckets: new Map(counts.map((n, i) => [i + 1, n])),
  });
  const html = report([keyed("@us", [text("few"), hist(1n)], [text("many"), hist(3n, 0n, 1n)])]);
  assert.equal(
    seen(html, "<h2>@us</h2>"),
    "@us [many] 4 values [0] 3 75.0% [1] 0 [2, 4) 1 25.0% [few] 1 value [0] 1 100%",
  );
  assert.match(html, /<i style="width:33\.33%"><\/i>/);
  const linear: Value = {
    kind: "lhist",
    min: 0n,
    max: 10n,
    step: 5n,
    buckets: new Map([
      [0, 2n],
      [3, 2n],
    ]),
  };
  const scalar = report([{ name: "@l", keyed: false, entries: [{ key: [], value: linear }] }]);
  assert.match(seen(scalar, "<h2>@l</h2>"), /^@l 4 values \(\.\.\., 0\) 2 50\.0% .* \[10, \.\.\.\) 2 50\.0%$/);
});

test("time series as lines with gaps, and their numbers", () => {
  const second = 1_000_000_000n;
  const series = (...points: readonly (readonly [bigint, bigint])[]): Value => ({
    kind: "tseries",
    interval: second,
    intervals: 10,
    signed: true,
    points: new Map(points),
  });
  const html = report([
    keyed("@t", [text("a"), series([100n, 1n], [101n, 4n], [103n, 2n])], [text("b"), series([103n, 50n])]),
  ]);
  const [path = ""] = /<path d="([^"]*)"/.exec(html.slice(html.indexOf('class="lines"') + 1))?.slice(1) ?? [];
  // The one with the largest values is the first: one point.
  assert.equal(path.match(/M/g)?.length, 1);
  const paths = [...html.matchAll(/<path d="([^"]*)"/g)].map((match) => match[1] ?? "");
  assert.deepEqual(
    paths.map((each) => each.replaceAll(/[-\d. ]+/g, "")),
    ["M", "MLM"],
  );
  assert.match(seen(html, "Numbers</summary>"), / – 1 \S+ – 4 \S+ – – \S+ 50 2$/);
});

test("tables: keys in columns, the largest value first, exact numbers to sort by", () => {
  const html = report([
    keyed("@n", [[text("sh"), int(7n)], count(12n)], [[text("node"), int(8n)], count(1n << 60n)]),
    keyed("@s", [text("x"), { kind: "stats", count: 2n, total: 10n, average: 5n }]),
    { name: "@one", keyed: false, entries: [{ key: [], value: int(5n) }] },
    { name: "@two", keyed: false, entries: [{ key: [], value: text("<i>") }] },
  ]);
  assert.equal(seen(html, "<h2>@n</h2>"), "@n key 1 key 2 count node 8 1,152,921,504,606,846,976 sh 7 12");
  assert.match(html, /data-value="1152921504606846976"/);
  assert.equal(seen(html, "<h2>@s</h2>"), "@s key count average total x 2 5 10");
  assert.equal(seen(html, "<h2>Values</h2>"), "Values map value @one 5 @two &lt;i&gt;");
  const many = keyed("@many", ...Array.from({ length: 1203 }, (_, i) => [int(BigInt(i)), count(1n)] as const));
  assert.match(report([many]), />203 more entries are not shown here; -f text or -f json has them all\.</);
});

test("a map that was printed several times", () => {
  const at = (n: bigint): MapSnapshot => keyed("@c", [text("k"), count(n)]);
  const html = report([[at(1n), at(2n), at(3n)]]);
  assert.match(seen(html, "<h2>@c</h2>"), /It was printed 3 times; this is what it was the last time\. key count k 3$/);
  assert.match(html, /Printed 2 times before/);
  assert.match(seen(html, "Print 2<"), /k 2$/);
  const scalar = [5n, 8n].map((n) => ({ name: "@n", keyed: false, entries: [{ key: [], value: count(n) }] }));
  assert.equal(seen(report([scalar]), "<h2>@n</h2>"), "@n print count 1 5 2 8");
});

test("what was lost stands in front, and that nothing was", () => {
  assert.match(report([]), /Nothing was lost, and there were no warnings\./);
  assert.match(report([]), /The script printed nothing/);
  const html = report([], { notices: [{ severity: "lost", text: "Lost 3 events" }] });
  assert.doesNotMatch(html, /Nothing was lost/);
  assert.ok(html.indexOf("Lost 3 events") < html.indexOf("<script>"));
});

test("foreign text stays text, wherever it stands", () => {
  const hostile = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'&\u0000\u2028\u202e]]>`;
  const named: Value = {
    kind: "stack",
    user: true,
    mode: "bpftrace",
    frames: [{ address: 1n, symbol: hostile, offset: 0n, module: hostile }],
  };
  const hist: Value = { kind: "hist", bits: 0, buckets: new Map([[1, 1n]]) };
  const series: Value = {
    kind: "tseries",
    interval: 1_000_000_000n,
    intervals: 5,
    signed: true,
    points: new Map([[1n, 1n]]),
  };
  const html = report(
    [
      keyed("@f", [[named, text(hostile)], count(1n)]),
      keyed("@h", [text(hostile), hist]),
      keyed("@t", [text(hostile), series]),
      keyed("@n", [text(hostile), text(hostile)]),
      { name: "@v", keyed: false, entries: [{ key: [], value: text(hostile) }] },
    ],
    {
      title: hostile,
      script: hostile,
      text: hostile,
      about: hostile,
      generator: hostile,
      notices: [{ severity: "error", text: hostile }],
    },
  );
  // Ours: the data of one graph, and the script of the page.
  assert.equal(html.match(/<script/gi)?.length, 2);
  assert.equal(html.match(/<\/script/gi)?.length, 2);
  assert.doesNotMatch(html, /<img/i);
  for (const bad of ["\u0000", "\u2028", "\u202e"]) assert.ok(!html.includes(bad));
  assert.doesNotMatch(html, /="[^"]*onerror[^"]*'/);
  assert.ok(html.match(/&lt;\/script&gt;/g)!.length > 10);
});

test("bytes that are no UTF-8 can be seen, and different keys are different", () => {
  const named = (name: string): readonly [Value[], Value] => [[text(name)], count(1n)];
  const html = report([keyed("@n", named("\udcff"), named("\udcfe"), named("\\xff"))], { text: "said \udcff" });
  for (const shown of ["<td>\\xff</td>", "<td>\\xfe</td>", "<td>\\x5cxff</td>", "said \\xff"])
    assert.ok(html.includes(shown), shown);
  assert.ok(html.isWellFormed());
});

test("a page needs nothing from elsewhere", () => {
  const html = report([keyed("@", [stack, count(1n)])]);
  const addresses = [...html.matchAll(/https?:\/\/[^"'\s)]*/g)].map(([address]) => address);
  assert.deepEqual([...new Set(addresses)].sort(), ["http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"]);
  assert.match(html, /default-src 'none'/);
});

test("axes begin at 0 and have round numbers", () => {
  assert.deepEqual(axisTicks(0, 97), [0, 50, 100]);
  assert.deepEqual(axisTicks(0, 0), [0, 1]);
  assert.deepEqual(axisTicks(-3, 9), [-5, 0, 5, 10]);
  assert.deepEqual(axisTicks(0, 3), [0, 1, 2, 3]);
  assert.deepEqual(
    [compactText(0), compactText(1500), compactText(-2_000_000), compactText(12)],
    ["0", "1.5 K", "−2 M", "12"],
  );
});
