import assert from "node:assert/strict";
import { test } from "node:test";
import { fixtureBtf } from "../../test/support/fixture-kernel.js";
import type { BtfId } from "../base/branded.js";
import { recordFromBtf, typeFromBtf } from "./from-btf.js";
import type { Member, RecordType, Type } from "./type.js";

const btf = fixtureBtf();

function record(name: string): RecordType {
  const id = btf.find(name, "struct");
  assert.ok(id, name);
  return recordFromBtf(btf, id, "kernel");
}

function member(of: string, name: string): Member {
  const found = record(of)
    .members()
    .find((each) => each.name === name);
  assert.ok(found, `${of}.${name}`);
  return found;
}

test("integers, text, pointers, nested records", () => {
  const pid = member("task_struct", "pid").type;
  assert.deepEqual(pid, { kind: "int", size: 4, signed: true });
  assert.deepEqual(member("task_struct", "comm").type, { kind: "string", size: 16 });
  const parent = member("task_struct", "parent").type;
  assert.ok(parent.kind === "pointer" && parent.space === "kernel" && parent.to.kind === "record");
  assert.equal(parent.to.name, "struct task_struct");
  const info = member("task_struct", "thread_info").type;
  assert.ok(info.kind === "record" && info.name === "struct thread_info");
});

test("members of anonymous structures are found by name, bit fields have a width", () => {
  assert.equal(member("tcphdr", "doff").bitSize, 4);
  assert.equal(member("tcphdr", "source").bitSize, 0);
  const daddr = member("sock_common", "skc_daddr");
  assert.deepEqual([daddr.bitOffset, daddr.type.kind], [0, "int"]);
});

test("arrays that are no text stay arrays", () => {
  const bytes = member("sockaddr_in", "__pad").type;
  assert.deepEqual(bytes, { kind: "array", of: { kind: "int", size: 1, signed: false }, count: 8 });
});

test("members are made when they are asked for, once", () => {
  const task = record("task_struct");
  assert.equal(task.members(), task.members());
});

test("every type of the fixture has a counterpart", () => {
  const seen = new Map<Type["kind"], number>();
  for (let id = 0; id <= btf.count; id++) {
    const type = typeFromBtf(btf, id as BtfId, "kernel");
    seen.set(type.kind, (seen.get(type.kind) ?? 0) + 1);
    if (type.kind === "record")
      for (const each of type.members()) assert.ok(each.bitOffset >= 0 && each.type !== undefined);
  }
  for (const kind of ["int", "bool", "enum", "pointer", "record", "array", "string"] as const)
    assert.ok((seen.get(kind) ?? 0) > 0, kind);
});
