import assert from "node:assert/strict";
import { test } from "node:test";
import { listedFunctions } from "../../test/support/listed-functions.js";
import { KernelFunctions } from "./kernel-functions.js";

const fn = (name: string, module = "vmlinux", address?: bigint) => ({ name, module, address });

test("functions are found by name, however many share it", () => {
  const functions = new KernelFunctions(listedFunctions([fn("b"), fn("a"), fn("b", "m"), fn("b", "vmlinux", 5n)]));
  assert.deepEqual(functions.names, ["a", "b"]);
  assert.deepEqual(functions.find("b"), [fn("b"), fn("b", "m"), fn("b", "vmlinux", 5n)]);
  assert.deepEqual(functions.find("a"), [fn("a")]);
  assert.deepEqual(functions.find("c"), []);
  assert.deepEqual(
    functions.matching((name) => name === "b"),
    functions.find("b"),
  );
});

test("what must not be traced is not there, and is counted with its reason", () => {
  const functions = new KernelFunctions(
    listedFunctions([fn("a"), fn("rcu_read"), fn("default_idle"), fn("kprobe_x")]),
    new Set(["kprobe_x"]),
  );
  assert.deepEqual(functions.names, ["a"]);
  assert.match(functions.refusal("rcu_read") ?? "", /RCU/);
  assert.match(functions.refusal("kprobe_x") ?? "", /blacklist/);
  assert.equal(functions.refusal("a"), undefined);
  assert.equal(
    functions.countRefused(() => true),
    3,
  );
  assert.equal(
    functions.countRefused((name) => name.startsWith("rcu")),
    1,
  );
});
