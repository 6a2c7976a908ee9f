import assert from "node:assert/strict";
import { test } from "node:test";
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
