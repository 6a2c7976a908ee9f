import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_STACK_TRACE,
} from "../abi/bpf.js";
import { helperName, helpers } from "../abi/helpers.js";
import { FunctionBuilder } from "../ir/builder.js";
import { emitFunctions } from "./emit.js";
import { Interpreter, type RunnableProgram } from "./interpret.js";
import type { MapSpec } from "./object.js";

const spec = (name: string, type: number, valueSize = 8, maxEntries = 4): MapSpec => ({
  name,
  type,
  keySize: type === BPF_MAP_TYPE_RINGBUF ? 0 : 4,
  valueSize,
  maxEntries,
  flags: 0,
});

function program(build: (b: FunctionBuilder) => void): RunnableProgram {
  const b = new FunctionBuilder("p", "program");
  build(b);
  if (!b.terminated) b.ret(b.const(0));
  return emitFunctions([b.finish()], { cpuV4: true, cookie: "helper" });
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const asSigned = (v: bigint): bigint => BigInt.asIntN(64, v);

/** Stores `value` under `key` and answers what the helper said. */
const update = (map: string, key: number, value: number, flags = 0): RunnableProgram =>
  program((b) => {
    const [k, v] = [b.slotAddr(b.slot(4, 4, "key")), b.slotAddr(b.slot(8, 8, "value"))];
    b.store(4, k, 0, b.const(key));
    b.store(8, v, 0, b.const(value));
    b.ret(b.call("map_update_elem", [b.map(map), k, v, b.const(flags)]));
  });

test("hash maps fill up, refuse and forget; LRU maps drop the oldest", () => {
  const machine = new Interpreter({
    maps: [spec("hash", BPF_MAP_TYPE_HASH, 8, 2), spec("lru", BPF_MAP_TYPE_LRU_HASH, 8, 2)],
  });
  assert.equal(machine.run(update("hash", 1, 10)), 0n);
  assert.equal(machine.run(update("hash", 2, 20)), 0n);
  assert.equal(asSigned(machine.run(update("hash", 3, 30))), -7n);
  assert.equal(asSigned(machine.run(update("hash", 1, 11, 1))), -17n);
  assert.equal(asSigned(machine.run(update("hash", 9, 11, 2))), -2n);
  for (const key of [1, 2, 3]) assert.equal(machine.run(update("lru", key, key)), 0n);
  assert.deepEqual(
    machine
      .map("lru")
      .entries()
      .map((entry) => entry.key[0]),
    [2, 3],
  );
  assert.equal(asSigned(machine.map("hash").delete(Uint8Array.of(1, 0, 0, 0))), 0n);
  assert.equal(machine.map("hash").entries().length, 1);
});

test("per-CPU maps keep a value for each CPU", () => {
  for (const type of [BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY]) {
    const machine = new Interpreter({ maps: [spec("m", type)], cpus: 3 });
    machine.run(update("m", 1, 5));
    machine.environment.cpu = 2;
    machine.run(update("m", 1, 7));
    const entry = machine
      .map("m")
      .entries()
      .find(({ key }) => key[0] === 1);
    assert.deepEqual(
      entry?.values.map((value) => value[0]),
      [5, 0, 7],
    );
  }
});

test("ring records arrive in order; a full ring gives none", () => {
  const machine = new Interpreter({ maps: [spec("ring", BPF_MAP_TYPE_RINGBUF, 0, 64)] });
  const emit = program((b) => {
    const record = b.call("ringbuf_reserve", [b.map("ring"), b.const(16), b.const(0)]);
    const [full, got] = [b.newBlock(), b.newBlock()];
    b.branch("eq", record, b.const(0), full, got);
    b.seal(full);
    b.seal(got);
    b.setBlock(full);
    b.ret(b.const(1));
    b.setBlock(got);
    b.store(8, record, 0, b.call("ktime_get_ns", []));
    b.store(8, record, 8, b.cookie());
    b.call("ringbuf_submit", [record, b.const(0)]);
  });
  let now = 0n;
  machine.environment.ktime = () => ++now;
  machine.environment.cookie = 9n;
  assert.deepEqual([machine.run(emit), machine.run(emit), machine.run(emit)], [0n, 0n, 1n]);
  const records = machine.takeRecords("ring");
  assert.deepEqual(
    records.map(({ bytes }) => [bytes[0], bytes[8]]),
    [
      [1, 9],
      [2, 9],
    ],
  );
  assert.equal(machine.run(emit), 0n);
});

test("memory is read by the helper of its space only; a fault zeroes what it should have filled", () => {
  const machine = new Interpreter({ maps: [spec("out", BPF_MAP_TYPE_ARRAY, 32, 1)] });
  const kernel = machine.memory.map("task", "kernel", ascii("kernel\0text"));
  const user = machine.memory.map("heap", "user", ascii("user text with no end"));
  const read = (helper: string, size: number, address: bigint): RunnableProgram =>
    program((b) => b.ret(b.call(helper, [b.mapValue("out", 0), b.const(size), b.const(address)])));
  const out = (): string => {
    const [value] = machine.map("out").entries()[0]?.values ?? [];
    return new TextDecoder().decode(value).replaceAll("\0", ".");
  };
  assert.equal(machine.run(read("probe_read_kernel", 9, kernel.start)), 0n);
  assert.match(out(), /^kernel\.te\.\./);
  assert.equal(machine.run(read("probe_read_kernel_str", 32, kernel.start)), 7n);
  assert.match(out(), /^kernel\.te/);
  assert.equal(machine.run(read("probe_read_user_str", 8, user.start)), 8n);
  assert.match(out(), /^user te\.e/);
  assert.equal(asSigned(machine.run(read("probe_read_kernel", 8, user.start))), -14n);
  assert.match(out(), /^\.{8}e/);
  const direct = program((b) => b.ret(b.load(8, false, b.const(user.start), 0)));
  assert.throws(() => machine.run(direct), /read of 8 bytes in heap/);
});

test("stacks get ids; another stack in the same place is refused", () => {
  const machine = new Interpreter({ maps: [spec("stacks", BPF_MAP_TYPE_STACK_TRACE, 32, 1)] });
  const ask = program((b) => b.ret(b.call("get_stackid", [b.ctx(), b.map("stacks"), b.const(0)])));
  assert.equal(asSigned(machine.run(ask)), -14n);
  machine.environment.stack = () => [1n, 2n];
  assert.equal(machine.run(ask), 0n);
  machine.environment.stack = () => [3n];
  assert.equal(asSigned(machine.run(ask)), -17n);
});

test("a callback visits each element of a map", () => {
  const main = new FunctionBuilder("p", "program");
  const sum = main.slotAddr(main.slot(8, 8, "sum"));
  main.store(8, sum, 0, main.const(0));
  main.call("for_each_map_elem", [main.map("hash"), main.funcRef("each"), sum, main.const(0)]);
  main.ret(main.load(8, false, sum, 0));
  const each = new FunctionBuilder("each", "subprogram");
  const [key, value, context] = [each.param(1), each.param(2), each.param(3)];
  const product = each.bin("mul", each.load(4, false, key, 0), each.load(8, false, value, 0));
  each.store(8, context, 0, each.bin("add", each.load(8, false, context, 0), product));
  each.ret(each.const(0));
  const machine = new Interpreter({ maps: [spec("hash", BPF_MAP_TYPE_HASH)] });
  for (const key of [2, 3]) machine.run(update("hash", key, 10 * key));
  assert.equal(machine.run(emitFunctions([main.finish(), each.finish()], { cpuV4: false, cookie: "helper" })), 130n);
});

test("what the interpreter knows of a map or helper is asked for by name", () => {
  const machine = new Interpreter({ maps: [spec("m", BPF_MAP_TYPE_HASH)] });
  assert.throws(() => machine.map("other"), /no map other/);
  assert.throws(() => machine.takeRecords("m"), /m is no ring buffer/);
  const unknown = program((b) => b.call("d_path", [b.const(0), b.const(0), b.const(0)]));
  assert.throws(() => machine.run(unknown), /helper d_path is not simulated/);
  const own = new Interpreter({ helpers: { d_path: (_, args) => (args[0] ?? 0n) + 5n } });
  assert.equal(own.run(program((b) => b.ret(b.call("d_path", [b.const(2), b.const(0), b.const(0)])))), 7n);
});

test("helper names and ids belong together", () => {
  for (const [name, id] of [
    ["map_lookup_elem", 1],
    ["get_stackid", 27],
    ["probe_read_kernel", 113],
    ["ringbuf_reserve", 131],
    ["get_attach_cookie", 174],
    ["loop", 181],
    ["cgrp_storage_delete", 211],
  ] as const) {
    assert.equal(helpers.get(name)?.id, id);
    assert.equal(helperName(id), name);
  }
  assert.equal(helpers.size, 212);
});
