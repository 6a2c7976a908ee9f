import assert from "node:assert/strict";
import { test } from "node:test";
import { elements, parseXml, textOf, type XmlElement } from "../../test/support/xml.js";
import type { Frame, MapSnapshot, Value } from "../wire/value.js";
import { decodeTree, type EmbeddedFile } from "./flame-data.js";
import { flameGraph } from "./flame-graph.js";
import { flameSvg } from "./flame-svg.js";
import { stackSamples } from "./stack-samples.js";

const frame = (symbol: string | undefined, more: Partial<Frame> = {}): Frame => ({
  address: 1n,
  symbol,
  offset: 0n,
  module: undefined,
  ...more,
});
const stack = (user: boolean, ...frames: readonly Frame[]): Value => ({
  kind: "stack",
  user,
  mode: "bpftrace",
  frames,
});
const count = (value: bigint): Value => ({ kind: "count", value });

function graphOf(entries: MapSnapshot["entries"], notes: readonly string[] = [], name = "@") {
  const samples = stackSamples({ name, keyed: true, entries });
  assert.ok(samples !== undefined);
  return flameGraph(samples, notes);
}

const parse = (text: string): XmlElement => parseXml(text);
/** Of the frames in the picture, what their tooltips say. */
const titles = (svg: XmlElement): readonly string[] =>
  [...elements(svg, "g")]
    .filter((g) => g.attributes.get("id") === "frames")
    .flatMap((g) => [...elements(g, "title")].map(textOf));
const dataOf = (svg: XmlElement): EmbeddedFile =>
  JSON.parse(textOf([...elements(svg, "script")].find((each) => each.attributes.get("id") === "graphs")!));

const comm: Value = { kind: "string", value: "shop" };
const entries: MapSnapshot["entries"] = [
  { key: [stack(false, frame("vfs_read")), stack(true, frame("main")), comm], value: count(9_000n) },
  {
    key: [stack(false), stack(true, frame(undefined, { module: "/lib/libc.so", reason: "stripped" })), comm],
    value: count(990n),
  },
  { key: [stack(false), stack(true, frame("rare")), comm], value: count(5n) },
  { key: [stack(false), stack(true, frame("rarer")), comm], value: count(5n) },
];
const about = { title: "cpu.bt", generator: "beetrace test" };

test("a picture without a script: frames of 0.1 % and more, their colours, what is to be said", () => {
  const svg = parse(flameSvg([graphOf(entries, ["Lost 3 stacks: another stack has the same hash"])], about));
  assert.deepEqual(titles(svg), [
    "all: 10,000 samples (100%)",
    "shop: 10,000 samples (100%)",
    "[libc.so]: 990 samples (9.9%)",
    "main: 9,000 samples (90.0%)",
    "vfs_read: 9,000 samples (90.0%)",
    "2 narrow frames",
  ]);
  const text = [...elements(svg, "text")].map(textOf);
  assert.equal(text[0], "@ — cpu.bt");
  assert.ok(text.includes("10,000 samples in 4 different stacks"));
  assert.ok(text.includes("Lost 3 stacks: another stack has the same hash"));
  assert.ok(
    text.some((line) => line.startsWith("9.9% of it is in stacks with functions that have no name: the file has")),
  );
  for (const name of ["part of the key", "program", "kernel", "no name"]) assert.ok(text.includes(name), name);
  const widths = [...elements(svg, "rect")].map(({ attributes }) => Number(attributes.get("width")));
  assert.ok(widths.includes(1180 * 0.9 - 0.5));
  // All frames are there for the script.
  const tree = decodeTree(dataOf(svg).graphs[0]!.data);
  assert.deepEqual(tree.frames.map(({ name }) => name).sort(), [
    "[libc.so]",
    "all",
    "main",
    "rare",
    "rarer",
    "shop",
    "vfs_read",
  ]);
});

test("foreign names stay text", () => {
  const hostile = `</script><script>alert(1)</script>]]><!-- "' & \u2028 \u0000\u001b[31m \ud800 \ufffe \u202e`;
  const other = graphOf([{ key: [stack(true, frame("f"))], value: count(1n) }], [hostile], hostile);
  const graph = graphOf([{ key: [stack(true, frame(hostile)), { kind: "string", value: hostile }], value: count(1n) }]);
  const svg = parse(flameSvg([graph, other], { title: hostile, generator: hostile }));
  assert.equal([...elements(svg, "script")].length, 2);
  const seen = `</script><script>alert(1)</script>]]><!-- "' & \\u2028 \\x00\\x1b[31m \\ud800 \\ufffe \\u202e`;
  assert.equal(titles(svg)[2], `${seen}: 1 sample (100%)`);
  const data = dataOf(svg);
  assert.equal(data.title, seen);
  assert.deepEqual(
    decodeTree(data.graphs[0]!.data).frames.map(({ name }) => name),
    ["all", seen, seen],
  );
});

test("several maps: the first is the picture, which says so", () => {
  const second = graphOf(entries, [], "@second");
  const svg = parse(flameSvg([graphOf(entries), second], about));
  assert.match([...elements(svg, "text")].map(textOf).join("\n"), /Open this file in a browser to see @second, too\./);
  assert.deepEqual(
    dataOf(svg).graphs.map(({ name }) => name),
    ["@", "@second"],
  );
});

test("what the widths are", () => {
  const summary = (value: Value): readonly string[] => {
    const { summary: text, notes } = graphOf([{ key: [stack(true, frame("main"))], value }]);
    return [text, ...notes];
  };
  assert.deepEqual(summary(count(3n)), ["3 samples in 1 different stack"]);
  assert.deepEqual(summary({ kind: "sum", value: 4096n }), ["sum 4,096 in 1 different stack"]);
  assert.deepEqual(summary({ kind: "max", value: 7n }), [
    "sum 7 in 1 different stack",
    "Widths add up what max() kept of each stack.",
  ]);
  assert.deepEqual(summary({ kind: "avg", count: 2n, total: 10n, average: 5n }), [
    "total 10 in 1 different stack",
    "Widths are totals; -f text has the averages.",
  ]);
  const buckets = new Map([[1, 2n]]);
  assert.deepEqual(summary({ kind: "hist", bits: 0, buckets }), [
    "2 values in 1 different stack",
    "Widths are how many values each stack has; -f text has their histograms.",
  ]);
  assert.deepEqual(summary({ kind: "sum", value: -4n }), [
    "sum 0 in 0 different stacks",
    "1 stack has no number above 0 and cannot be drawn.",
  ]);
});

test("100,000 different stacks: the picture is small, the data has all", () => {
  const many = Array.from({ length: 100_000 }, (_, i) => ({
    key: [stack(true, frame(`leaf${i}`), frame(`middle${i % 300}`), frame("main"))],
    value: count(BigInt(1 + (i % 5))),
  }));
  const text = flameSvg([graphOf(many)], about);
  const svg = parse(text);
  // main, 300 in the middle of 0.33 % each, and their leaves together.
  assert.equal(titles(svg).length, 1 + 1 + 300 + 300);
  const tree = decodeTree(dataOf(svg).graphs[0]!.data);
  assert.equal(tree.frame.length, 1 + 1 + 300 + 100_000);
  assert.equal(tree.total[0], 300_000);
});
