import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeTree, encodeTree } from "./flame-data.js";
import { type FlameTree, flameTree, presentKinds, type WeightedStack } from "./flame-tree.js";

/** Stacks written as folded ones: `a;b 3`. */
const stacks = (...lines: readonly string[]): readonly WeightedStack[] =>
  lines.map((line) => {
    const [path = "", value = ""] = line.split(" ");
    const names = path === "" ? [] : path.split(";");
    return { frames: names.map((name) => ({ name, kind: "user" as const })), value: BigInt(value) };
  });

/** A line for each node: `depth name start+total (self)`. */
const shown = ({ frames, frame, depth, start, total, self }: FlameTree): readonly string[] =>
  Array.from(frame, (id, node) => `${depth[node]} ${frames[id]?.name} ${start[node]}+${total[node]} (${self[node]})`);

test("stacks are put on one another: siblings by name, what ends in a frame on its right", () => {
  const tree = flameTree(stacks("main;b;x 4", "main;a 1", "main 2", "main;b;x 5", "main;b 3", "idle 10", "main;a;x 6"));
  assert.deepEqual(shown(tree), [
    "0 all 0+31 (0)",
    "1 idle 0+10 (10)",
    "1 main 10+21 (2)",
    "2 a 10+7 (1)",
    "3 x 10+6 (6)",
    "2 b 17+12 (3)",
    "3 x 17+9 (9)",
  ]);
  assert.deepEqual([...tree.parent], [0, 0, 0, 2, 3, 2, 5]);
  assert.deepEqual([...tree.end], [7, 2, 7, 5, 5, 7, 7]);
});

test("the order of the stacks does not matter, and a stack without frames is the root's own", () => {
  const lines = ["c;a 1", " 5", "a;b;c 2", "a;b 3", "a 4", "b 7", "c;a;a 9"];
  const tree = shown(flameTree(stacks(...lines)));
  assert.deepEqual(shown(flameTree(stacks(...lines.toReversed()))), tree);
  assert.equal(tree[0], "0 all 0+31 (5)");
  assert.deepEqual(shown(flameTree([])), ["0 all 0+0 (0)"]);
});

test("a node weighs what all stacks weigh that go through it", () => {
  // xorshift32, so that a failure can be repeated.
  let state = 2463534242;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  for (let round = 0; round < 50; round++) {
    const lines = Array.from({ length: 1 + random(40) }, () => {
      const path = Array.from({ length: 1 + random(6) }, () => "abc"[random(3)]);
      return `${path.join(";")} ${1 + random(1000)}`;
    });
    const through = new Map<string, number>();
    for (const line of lines) {
      const [path = "", value] = line.split(" ");
      const names = path.split(";");
      for (let i = 1; i <= names.length; i++) {
        const prefix = names.slice(0, i).join(";");
        through.set(prefix, (through.get(prefix) ?? 0) + Number(value));
      }
    }
    const tree = flameTree(stacks(...lines));
    const pathOf = (node: number): readonly string[] =>
      node === 0 ? [] : [...pathOf(tree.parent[node] ?? 0), tree.frames[tree.frame[node] ?? 0]?.name ?? ""];
    const weights = Array.from(tree.frame, (_, node) => [pathOf(node).join(";"), tree.total[node]] as const);
    assert.deepEqual(
      new Map(weights.slice(1)),
      new Map([...through].sort(([a], [b]) => (a < b ? -1 : 1))),
      lines.join("\n"),
    );
    assert.equal(weights.length - 1, through.size);
  }
});

test("functions of one name are one by kind and module, wherever in them the address was", () => {
  const frame = (more: Partial<WeightedStack["frames"][number]>): WeightedStack => ({
    frames: [{ name: "init", kind: "user", ...more }],
    value: 1n,
  });
  const { frames, total } = flameTree([
    frame({ module: "/a", file: "x.c", line: 3 }),
    frame({ module: "/a", file: "x.c", line: 4 }),
    frame({ module: "/b", file: "x.c" }),
    frame({ module: "/b", file: "y.h" }),
    frame({ kind: "kernel" }),
  ]);
  assert.deepEqual(frames.slice(1), [
    { name: "init", kind: "kernel" },
    { name: "init", kind: "user", module: "/a", file: "x.c" },
    { name: "init", kind: "user", module: "/b" },
  ]);
  assert.deepEqual([...total], [5, 1, 2, 2]);
});

test("data in a page is the same tree again", () => {
  const tree = flameTree([
    ...stacks("main;b;x 4", "main;a 1", "idle 9007199254740991", "main;b 300"),
    {
      frames: [{ name: "</script>\u2028", kind: "jit", module: "[jit]", file: "a.js" }],
      value: 1n << 60n,
    },
    { frames: [{ name: "[unknown]", kind: "unknown", reason: "stripped" }], value: 128n },
  ]);
  const again = decodeTree(JSON.parse(JSON.stringify(encodeTree(tree))));
  assert.deepEqual(shown(again), shown(tree));
  const described = ({ frames, frame }: FlameTree): unknown => Array.from(frame, (id) => frames[id]);
  assert.deepEqual(described(again), described(tree));
  assert.deepEqual(presentKinds(tree), ["user", "jit", "unknown"]);
});

test("100,000 different stacks", () => {
  const many = Array.from({ length: 100_000 }, (_, i) => ({
    frames: ["main", `middle${i % 300}`, `leaf${i}`].map((name) => ({ name, kind: "user" as const })),
    value: BigInt(i + 1),
  }));
  const tree = flameTree(many);
  assert.equal(tree.frame.length, 1 + 1 + 300 + 100_000);
  assert.equal(tree.total[0], (100_000 * 100_001) / 2);
  const again = decodeTree(encodeTree(tree));
  assert.deepEqual(again.total, tree.total);
  assert.deepEqual(again.start, tree.start);
  // The weights of stacks 7, 307, 607 ...
  const middle7 = tree.frame.findIndex((id) => tree.frames[id]?.name === "middle7");
  assert.equal(
    tree.total[middle7],
    many.reduce((sum, { value }, i) => (i % 300 === 7 ? sum + Number(value) : sum), 0),
  );
  // A deep one: no recursion anywhere.
  const deep = Array.from({ length: 50_000 }, (_, i) => ({ name: `f${i % 7}`, kind: "user" as const }));
  assert.equal(
    flameTree([
      { frames: deep, value: 1n },
      { frames: deep.slice(0, -1), value: 2n },
    ]).total[1],
    3,
  );
});
