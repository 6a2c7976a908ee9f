import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript } from "../../test/support/compile-script.js";
import { FixtureKernel, type FixtureOptions } from "../../test/support/fixture-kernel.js";
import type { Btf } from "../formats/btf.js";

/** Its BTF has the function that a session asks, under the number of another. */
class KernelWithSessions extends FixtureKernel {
  override btf(): Btf {
    const btf = super.btf();
    if ("missing" in btf) throw new Error(btf.missing);
    const find: Btf["find"] = (name, ...more) =>
      btf.find(name === "bpf_session_is_return" ? "vfs_read" : name, ...more);
    return Object.create(btf, { find: { value: find } }) as Btf;
  }
}

/** The programs of an object: name, attach type, and which functions there are beside the first. */
function programs(script: string, options: FixtureOptions = {}) {
  const kernel = new KernelWithSessions(options);
  return compileScript(script, { kernel, unsafe: true }).object.programs.map(
    ({ expectedAttachType, functions }) => `${expectedAttachType} ${functions.length}`,
  );
}

const session = "56 3";

test("entries and returns of the same functions are one program", () => {
  assert.deepEqual(programs("kprobe:vfs_read { @a = count(); } kretprobe:vfs_read { @b = count(); }"), [session]);
  assert.deepEqual(programs("kretprobe:vfs_* { @b[probe] = count(); } kprobe:vfs_* { @a = count(); }"), [session]);
  const two =
    "kprobe:vfs_read { @a++ } kretprobe:vfs_read { @b++ } kprobe:vfs_open { @c++ } kretprobe:vfs_open { @d++ }";
  assert.deepEqual(programs(two), [session, session]);
});

test("other pairs stay two programs", () => {
  const alone: readonly (readonly [script: string, options?: FixtureOptions])[] = [
    ["kprobe:vfs_read { @a++ } kretprobe:vfs_write { @b++ }"],
    ["kprobe:vfs_* { @a++ } kretprobe:vfs_read { @b++ }"],
    ["kprobe:vfs_read+4 { @a++ } kretprobe:vfs_read { @b++ }"],
    // A third action at the place would not run in its turn.
    ["kprobe:vfs_read { @a++ } kretprobe:vfs_read { @b++ } kretprobe:vfs_* { @c++ }"],
    ["kprobe:vfs_read { @a++ } kprobe:vfs_read { @b++ } kretprobe:vfs_read { @c++ }"],
    // Entry and return in other orders: what is to be added to an id would differ.
    ["kprobe:vfs_read, kprobe:vfs_write { @a++ } kretprobe:vfs_write, kretprobe:vfs_read { @b++ }"],
    ["kprobe:vfs_read { override(1); } kretprobe:vfs_read { @b++ }"],
    ["kprobe:vfs_read { @a++ } kretprobe:vfs_read { @b++ }", { features: { kprobeSession: "no" } }],
  ];
  for (const [script, options] of alone) {
    const made = programs(script, options);
    assert.ok(made.length >= 2 && !made.some((program) => program.startsWith("56 ")), `${script}: ${made.join(", ")}`);
  }
});
