import assert from "node:assert/strict";
import { test } from "node:test";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import { defaultConfig } from "./config.js";
import { chooseUserStacks, type FramePointers } from "./user-stacks.js";

const asked: string[] = [];
const lacking = (): FramePointers => {
  asked.push("files");
  return { kept: false, why: "libc.so.6 keeps none" };
};
const keeping = (): FramePointers => ({ kept: true, why: "all keep them" });

const choose = (
  framePointers: (() => FramePointers) | undefined,
  ustack_by: "auto" | "frame_pointers" | "tables" = "auto",
  kernel = new FixtureKernel(),
): string => {
  const { by, why } = chooseUserStacks({ ...defaultConfig, ustack_by }, kernel, framePointers);
  return `${by}: ${why}`;
};

test("auto: what the processes keep", () => {
  assert.equal(choose(lacking), "tables: libc.so.6 keeps none");
  assert.equal(choose(keeping), "frame pointers: all keep them");
  assert.equal(choose(undefined), "frame pointers: no program was looked at");
});

test("the user's choice counts, and no file is read for it", () => {
  asked.length = 0;
  assert.equal(choose(lacking, "frame_pointers"), "frame pointers: ustack_by says so");
  assert.equal(choose(keeping, "tables"), "tables: ustack_by says so");
  assert.equal(choose(undefined, "tables"), "tables: ustack_by says so");
  assert.deepEqual(asked, []);
});

test("a kernel that cannot unwind decides before files are read", () => {
  asked.length = 0;
  const kernel = new FixtureKernel({ features: { bpfLoop: "no" } });
  for (const by of ["auto", "tables"] as const)
    assert.match(choose(lacking, by, kernel), /^frame pointers: unwinding by tables needs the helpers bpf_loop/);
  assert.match(choose(lacking, "auto", new FixtureKernel({ arch: "arm64" })), /tables of x86-64 only, not of arm64$/);
  assert.deepEqual(asked, []);
});
