import assert from "node:assert/strict";
import { test } from "node:test";
import type { BtfId } from "../base/branded.js";
import { Btf } from "./btf.js";
import { functionsBtf } from "./btf-writer.js";

test("our own reader finds the functions that were written", () => {
  const { bytes, ids } = functionsBtf([
    { name: "main_0", params: 1 },
    { name: "main_0_loop1", params: 2 },
    { name: "1s_2", params: 2 },
  ]);
  const btf = Btf.parse(bytes);
  assert.deepEqual(
    ["main_0", "main_0_loop1", "_1s_2"].map((name) => btf.find(name, "func") as number | undefined),
    [...ids],
  );
});

test("a global function has types that say what its arguments point to", () => {
  const { bytes, ids } = functionsBtf([
    { name: "main_0", params: 1 },
    { name: "sum", params: 3, pointsTo: [512, 0, 512] },
  ]);
  const btf = Btf.parse(bytes);
  const [main, sum] = ids.map((id) => btf.type(id as BtfId));
  assert.ok(main?.kind === "func" && sum?.kind === "func");
  assert.deepEqual([main.linkage, sum.linkage], [0, 1]);
  const prototype = btf.type(sum.proto);
  assert.ok(prototype.kind === "func-proto");
  const pointees = prototype.params.map(({ type }) => {
    const found = btf.type(type);
    return found.kind === "pointer" ? btf.sizeOf(found.to) : found.kind;
  });
  assert.deepEqual(pointees, [512, "int", 512]);
});
