import assert from "node:assert/strict";
import { test } from "node:test";
import { bindProbe } from "../../../test/support/bind-probe.js";
import { FixtureKernel } from "../../../test/support/fixture-kernel.js";
import { iter } from "./iter.js";

test("a type of objects, and where to pin", () => {
  const { candidates, messages } = bindProbe("iter:task", { pid: 7 });
  assert.deepEqual(messages, []);
  const [candidate] = candidates;
  assert.deepEqual(candidate?.place, { kind: "iterator", iterator: { type: "task", pid: 7, pin: undefined } });
  assert.deepEqual(candidate?.variant.attachBtf, { name: "bpf_iter_task", kind: "func" });
  assert.deepEqual(candidate?.variant.context, { kind: "iterator", pinned: false });
  const pinOf = (text: string): unknown => {
    const place = bindProbe(text).candidates[0]?.place;
    return place?.kind === "iterator" ? place.iterator.pin : undefined;
  };
  assert.equal(pinOf("it:task_file:files"), "/sys/fs/bpf/files");
  assert.equal(pinOf("it:task_file:/tmp/x/files"), "/tmp/x/files");
});

test("members of the context, where they are", () => {
  const args = bindProbe("iter:task_file").candidates[0]?.variant.args ?? [];
  // include/linux/bpf.h: each member of struct bpf_iter__TYPE takes 8 bytes.
  assert.deepEqual(
    args.map(({ name, type, source }) => [name, type.kind, source]),
    [
      ["meta", "pointer", { kind: "context", offset: 0, endsIfNull: true }],
      ["task", "pointer", { kind: "context", offset: 8, endsIfNull: true }],
      ["fd", "int", { kind: "context", offset: 16, endsIfNull: false }],
      ["file", "pointer", { kind: "context", offset: 24, endsIfNull: true }],
    ],
  );
});

test("what is no iterator is said", () => {
  const said = (text: string, options = {}): string => bindProbe(text, options).messages.join("; ");
  assert.match(said("iter:tsk"), /no iterator over 'tsk'/);
  assert.match(said("iter:task*"), /no wildcards/);
  assert.match(said("iter"), /does not say/);
  assert.match(said("iter:task:"), /does not say/);
  assert.match(said("iter:task:a:b"), /does not say/);
  assert.match(said("iter:task", { withoutBtf: "none" }), /BTF: none/);
  assert.match(said("iter:task", { features: { iter: "no" } }), /no BPF iterators/);
});

test("the kernel's iterators and their members are listed", () => {
  const kernel = new FixtureKernel();
  assert.deepEqual([...(iter.list?.(kernel, [], undefined) ?? [])], ["iter:task", "iter:task_file", "iter:task_vma"]);
  assert.deepEqual(iter.describe?.("iter:task_file", kernel), [
    "struct task_struct * task",
    "u32 fd",
    "struct file * file",
  ]);
  assert.deepEqual(iter.describe?.("iter:task_vma", kernel), [
    "struct task_struct * task",
    "struct vm_area_struct * vma",
  ]);
});
