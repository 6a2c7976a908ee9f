import assert from "node:assert/strict";
import { test } from "node:test";
import {
  flameBoxes,
  groupedText,
  levelsOf,
  matchedWeight,
  matchingFrames,
  percentText,
  shortened,
  weightText,
} from "./flame-layout.js";
import { flameTree } from "./flame-tree.js";

const weights: Readonly<Record<string, bigint>> = { "a;x": 50n, "a;y": 25n, "b;n1": 1n, "b;n2": 2n, "b;w": 20n, c: 2n };
const tree = flameTree(
  Object.entries(weights).map(([path, value]) => ({
    frames: path.split(";").map((name) => ({ name, kind: "user" as const })),
    value,
  })),
);
const nodeOf = (name: string): number => tree.frame.findIndex((id) => tree.frames[id]?.name === name);
const shown = (zoomed: number, width: number, least: number): readonly string[] =>
  flameBoxes(tree, zoomed, width, least).map(
    ({ node, count, depth, x, width: wide, above }) =>
      `${depth} ${tree.frames[tree.frame[node] ?? 0]?.name}${count > 1 ? `*${count}` : ""} ${x}+${wide}${above ? " above" : ""}`,
  );

test("boxes are as wide as their weight", () => {
  assert.deepEqual(shown(0, 1000, 1), [
    "0 all 0+1000",
    "1 a 0+750",
    "2 x 0+500",
    "2 y 500+250",
    "1 b 750+230",
    "2 n1 750+10",
    "2 n2 760+20",
    "2 w 780+200",
    "1 c 980+20",
  ]);
});

test("narrow siblings are one box, or none where that is narrow, too", () => {
  assert.deepEqual(shown(0, 1000, 25).slice(4), ["1 b 750+230", "2 n1*2 750+30", "2 w 780+200"]);
  assert.deepEqual(shown(0, 1000, 31).slice(4), ["1 b 750+230", "2 w 780+200"]);
  assert.deepEqual(shown(0, 1000, 800), ["0 all 0+1000", "1 a*3 0+1000"]);
  assert.equal(levelsOf(flameBoxes(tree, 0, 1000, 800)), 2);
});

test("a frame fills the picture, with those that lead to it", () => {
  assert.deepEqual(shown(nodeOf("b"), 230, 1), [
    "0 all 0+230 above",
    "1 b 0+230",
    "2 n1 0+10",
    "2 n2 10+20",
    "2 w 30+200",
  ]);
  const empty = flameTree([]);
  assert.deepEqual(
    flameBoxes(empty, 0, 100, 1).map(({ width }) => width),
    [100],
  );
});

test("what stands on a match is counted once", () => {
  const matches = matchingFrames(tree, "/^[aX]$/")!;
  assert.equal(matchedWeight(tree, 0, matches), 75);
  assert.equal(matchedWeight(tree, nodeOf("x"), matches), 50);
  assert.equal(matchedWeight(tree, nodeOf("b"), matches), 0);
  assert.equal(matchedWeight(tree, 0, matchingFrames(tree, "N")!), 3);
  // The root is no function; `(` is one only as a regular expression that is wrong.
  assert.equal(matchedWeight(tree, 0, matchingFrames(tree, "all")!), 0);
  assert.ok(matchingFrames(tree, "operator(") !== undefined);
  assert.equal(matchingFrames(tree, "/(/"), undefined);
});

test("names in a frame's width", () => {
  assert.equal(shortened("vfs_read", 8), "vfs_read");
  assert.equal(shortened("vfs_read", 7), "vfs_re…");
  assert.equal(shortened("vfs_read", 3), "vf…");
  assert.equal(shortened("vfs_read", 2), "");
  assert.equal(shortened("日本語", 6), "日本語");
  assert.equal(shortened("日本語", 5), "日本…");
  assert.equal(shortened("a😀😀", 4), "a😀…");
});

test("numbers", () => {
  assert.deepEqual(
    [percentText(1, 3), percentText(1, 1), percentText(999_999, 1_000_000), percentText(1, 200), percentText(1, 1e6)],
    ["33.3%", "100%", ">99.9%", "0.50%", "<0.01%"],
  );
  assert.equal(percentText(0, 0), "0%");
  assert.deepEqual([weightText(1234567), groupedText(-1234n), groupedText(123n)], ["1,234,567", "-1,234", "123"]);
  assert.equal(weightText(2 ** 60), "≈ 1,152,921,504,606,846,976");
});
