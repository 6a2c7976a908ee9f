import assert from "node:assert/strict";
import { test } from "node:test";
import { bindProbe } from "../../../test/support/bind-probe.js";
import { compileScript, compileText } from "../../../test/support/compile-script.js";
import { FixtureKernel } from "../../../test/support/fixture-kernel.js";
import { placeAs } from "../attach-place.js";
import { fentry, fexit } from "./fentry.js";

const bound = (text: string, options = {}) => {
  const { candidates, messages } = bindProbe(text, options);
  assert.deepEqual(messages, []);
  return candidates;
};

test("functions by name, with and without their module", () => {
  for (const text of ["fentry:vfs_read", "kfunc:vfs_read", "f:vmlinux:vfs_read", "fentry:vmlinu*:vfs_rea[d]"]) {
    const [found, ...more] = bound(text);
    assert.deepEqual([found?.name, found?.func, more], ["fentry:vmlinux:vfs_read", "vfs_read", []], text);
  }
  assert.equal(bound("fr:vfs_read")[0]?.name, "fexit:vmlinux:vfs_read");
});

test("functions share a program that looks at no arguments; otherwise those of one signature do", () => {
  const programs = (script: string): number => compileScript(script).script.programs.length;
  assert.equal(programs("fentry:vfs_* { @ = count(); }"), 1);
  assert.equal(programs("fentry:vfs_read, fentry:vfs_write { @ = args.count; }"), 2, "their buffers have other types");
  assert.equal(programs("fexit:vfs_read, fexit:vfs_fsync { @ = retval; }"), 2);
});

test("each function is a program for the kernel: max_bpf_progs", () => {
  const { diagnostics } = compileText("fentry:vfs_* { }", { settings: { max_bpf_progs: "3" } });
  assert.match(
    diagnostics[0]?.message ?? "",
    /generate more than 6 BPF programs, which exceeds the current limit of 3/,
  );
});

test("arguments lie in slots; what fexit returns follows them", () => {
  const { variant } = bound("fexit:vfs_read")[0] ?? assert.fail();
  assert.deepEqual(variant.args, [], "nobody asks for them");
  const [program] = compileScript("fexit:vfs_read { @[args] = retval; }").script.programs;
  assert.deepEqual(
    program?.variant.args?.map(({ name, source }) => [name, source]),
    [
      ["file", { kind: "trampoline-argument", slot: 0, holds: "structure" }],
      ["buf", { kind: "trampoline-argument", slot: 1, holds: "number" }],
      ["count", { kind: "trampoline-argument", slot: 2, holds: "number" }],
      ["pos", { kind: "trampoline-argument", slot: 3, holds: "number" }],
      ["$retval", { kind: "trampoline-result", slot: 4, holds: "number" }],
    ],
  );
});

test("functions of BPF programs, by name and number", () => {
  assert.deepEqual(
    bound("fentry:bpf:fixture_*").map(({ name, place }) => [name, placeAs(place, "trampoline").fn]),
    [
      ["fentry:bpf:42:fixture_prog", { kind: "bpf", program: 42, name: "fixture_prog", typeId: 3 }],
      ["fentry:bpf:42:fixture_sub", { kind: "bpf", program: 42, name: "fixture_sub", typeId: 4 }],
    ],
  );
  assert.equal(bound("fexit:bpf:42:fixture_sub").length, 1);
  const said = (text: string): string => bindProbe(text).messages.join("; ");
  assert.match(said("fentry:bpf:43:fixture_sub"), /no BPF program .* number 43/);
  assert.match(said("fentry:bpf:nope"), /No matches for fentry bpf:nope/);
  assert.match(said("fentry:bpf:x:y"), /'x' is no number/);
});

test("what cannot be traced is explained", () => {
  const said = (text: string, options = {}): string => bindProbe(text, options).messages.join("; ");
  assert.match(said("fentry:vfs_raed"), /No matches for fentry vfs_raed\.; there is no function 'vfs_raed'/);
  assert.match(said("fentry:rcu_fixture"), /RCU/);
  assert.match(said("fentry:fixture_forbidden"), /forbids/);
  assert.match(said("fentry:rcu_*"), /1 function that matches is left out/);
  assert.match(said("fentry:fixture:fixture_open"), /fixture has no type information/);
  assert.match(said("fentry:vmlinux:fixture_open"), /fixture_open is in fixture, not in vmlinux/);
  assert.match(said("fentry:nope:vfs_read"), /specified module nope in probe fentry:nope:vfs_read is not loaded/);
  assert.match(said("fentry"), /names no function/);
  assert.match(said("fentry:a:b:c"), /names no function/);
  assert.match(said("fentry:vfs_read", { features: { fentry: "no" } }), /no trampolines/);
  assert.match(said("fentry:vfs_read", { withoutBtf: "none" }), /type information: none/);
  assert.match(said("fentry:vfs_read", { withoutFunctions: "locked" }), /cannot be listed: locked/);
});

test("lists with types", () => {
  const kernel = new FixtureKernel();
  assert.deepEqual([...(fentry.list?.(kernel, ["vfs_re*"], undefined) ?? [])], ["fentry:vmlinux:vfs_read"]);
  assert.deepEqual(fentry.describe?.("fentry:vmlinux:vfs_fsync", kernel), ["struct file * file", "int datasync"]);
  assert.deepEqual(fexit.describe?.("fexit:vmlinux:vfs_fsync", kernel), [
    "struct file * file",
    "int datasync",
    "int retval",
  ]);
  assert.deepEqual(
    [...(fentry.list?.(kernel, ["bpf", "*"], undefined) ?? [])],
    ["fentry:bpf:42:fixture_prog", "fentry:bpf:42:fixture_sub"],
  );
});
