import assert from "node:assert/strict";
import { test } from "node:test";
import { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH } from "../abi/bpf.js";
import { FunctionBuilder } from "../ir/builder.js";
import type { IrFunction } from "../ir/ir.js";
import { parseIr } from "../ir/parser.js";
import { disassemble } from "./disassemble.js";
import { type EmitOptions, emitFunctions } from "./emit.js";
import { StackOverflowError } from "./frame.js";
import { Interpreter } from "./interpret.js";
import type { MapSpec } from "./object.js";

const v4: EmitOptions = { cpuV4: true, cookie: "helper" };
const v3: EmitOptions = { cpuV4: false, cookie: "helper" };

const parsed = (body: string): IrFunction[] => parseIr(`program "p" {\n${body}\n}`);

function lines(functions: readonly IrFunction[], options: EmitOptions = v4): string[] {
  const emitted = emitFunctions(functions, options);
  return disassemble(emitted.code, emitted).map((line) => line.replace(/^\d+: /, ""));
}

const array = (name: string, valueSize: number): MapSpec => ({
  name,
  type: BPF_MAP_TYPE_ARRAY,
  keySize: 4,
  valueSize,
  maxEntries: 1,
  flags: 0,
});

test("constants and offsets are folded into instructions", () => {
  const body = `b0():\n%0 = ctx\n%1 = const 8\n%2 = bin.add %0, %1\n%3 = load.8 %2, 8\n%4 = const 5\n%5 = bin.add %3, %4\nret %5`;
  assert.deepEqual(lines(parsed(body)), ["r0 = *(u64 *)(r1 +16)", "r0 += 5", "exit"]);
});

test("the attach cookie is a call or a constant for the loader", () => {
  const body = "b0():\n%0 = cookie\nret %0";
  assert.deepEqual(lines(parsed(body)), ["call get_attach_cookie#174", "exit"]);
  const emitted = emitFunctions(parsed(body), { ...v4, cookie: "constant" });
  assert.deepEqual(emitted.relocations, [{ insn: 0, kind: "cookie" }]);
  const machine = new Interpreter({ environment: { cookie: 77n } });
  assert.equal(machine.run(emitted), 77n);
});

test("maps and map values are relocated; neighbouring accesses share one address", () => {
  const body = `b0():\n%0 = mapvalue "data", 8\n%1 = mapvalue "data", 24\n%2 = load.8 %0, 0\nstore.8 %1, 0, %2\n%3 = map "other"
%4 = slot s0\n%5 = call "map_lookup_elem", %3, %4\nret %2`;
  const emitted = emitFunctions(parsed(`s0 = 8 align 8 "key"\n${body}`), v4);
  assert.deepEqual(emitted.relocations, [
    { insn: 0, kind: "mapvalue", map: "data", offset: 8 },
    { insn: 4, kind: "map", map: "other" },
  ]);
  assert.match(
    disassemble(emitted.code, emitted).join("\n"),
    /map_value\[data\] \+8[\s\S]*\*\(u64 \*\)\(r\d \+16\) = /,
  );
});

test("a mask that is only tested is one instruction, both ways round", () => {
  const body = (
    cmp: string,
  ): string => `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = const 4\n%3 = bin.and %1, %2\n%4 = const 0
branch.${cmp} %3, %4, b1(), b2()\nb1():\nret %2\nb2():\nret %4`;
  for (const cmp of ["ne", "eq"]) {
    const emitted = emitFunctions(parsed(body(cmp)), v4);
    assert.ok(disassemble(emitted.code).some((line) => /if r\d & 4 goto/.test(line)));
    for (const bits of [0, 4, 6, 8]) {
      const context = new Uint8Array(8);
      context[0] = bits;
      const set = (bits & 4) !== 0;
      assert.equal(new Interpreter().run(emitted, context), set === (cmp === "ne") ? 4n : 0n);
    }
  }
});

test("what lives across calls sits in preserved registers", () => {
  const body = `b0():\n%0 = ctx\n%1 = call "ktime_get_ns"\n%2 = call "ktime_get_ns"\n%3 = bin.sub %2, %1\nstore.8 %0, 0, %3\nret %3`;
  const code = lines(parsed(body));
  assert.ok(!code.some((line) => line.includes("r10")), code.join("\n"));
});

test("stack slots that are never needed at the same time share bytes", () => {
  const use = (slot: number, v: number): string =>
    `%${v} = slot s${slot}\ncall "get_current_comm", %${v}, %1\n%${v + 1} = call "map_lookup_elem", %0, %${v}\n`;
  const apart = `s0 = 64 align 8 "a"\ns1 = 64 align 8 "b"\nb0():\n%0 = map "m"\n%1 = const 64\n${use(0, 2)}${use(1, 4)}ret %1`;
  assert.equal(emitFunctions(parsed(apart), v4).stackSize, 64);
  const together = apart.replace("ret %1", `%6 = call "map_lookup_elem", %0, %2\nret %1`);
  assert.equal(emitFunctions(parsed(together), v4).stackSize, 128);
});

test("too much stack is an error that names the largest slots with their place", () => {
  const b = new FunctionBuilder("kprobe:f", "program");
  const source = { name: "stdin", text: "str(arg0)" };
  b.span = { source, start: 0, end: 9 };
  const big = b.slotAddr(b.slot(480, 8, "str"));
  const small = b.slotAddr(b.slot(64, 8, "key"));
  for (const [slot, size] of [
    [big, 480],
    [small, 64],
  ] as const) {
    b.call("get_current_comm", [slot, b.const(size)]);
  }
  b.call("map_update_elem", [b.map("m"), small, big, b.const(0)]);
  b.ret(b.const(0));
  assert.throws(
    () => emitFunctions([b.finish()], v4),
    (error) => {
      assert.ok(error instanceof StackOverflowError);
      assert.equal(error.functionName, "kprobe:f");
      assert.equal(error.size, 544);
      assert.deepEqual(error.slots[0], { name: "str", size: 480, span: { source, start: 0, end: 9 } });
      return true;
    },
  );
});

test("subprograms are called and given as callbacks", () => {
  const text = `program "p" {\ns0 = 8 align 8 "sum"\nb0():\n%0 = slot s0\n%1 = const 0\nstore.8 %0, 0, %1\n%2 = const 5
%3 = funcref "each"\n%4 = call "loop", %2, %3, %0, %1\n%5 = load.8 %0, 0\n%6 = callfunc "twice", %5\nret %6\n}
subprogram "each" {\nb0():\n%0 = param 0\n%1 = param 1\n%2 = load.8 %1, 0\n%3 = bin.add %2, %0\nstore.8 %1, 0, %3\n%4 = const 0\nret %4\n}
subprogram "twice" {\nb0():\n%0 = param 0\n%1 = bin.add %0, %0\nret %1\n}`;
  const emitted = emitFunctions(parseIr(text), v4);
  assert.equal(new Interpreter().run(emitted), 20n);
  assert.deepEqual(
    emitted.functions.map((fn) => fn.name),
    ["p", "each", "twice"],
  );
  assert.equal(emitted.stackSize, 64, "a frame of 8 and one of nothing, each rounded up");
  assert.throws(() => emitFunctions(parseIr(text).slice(0, 2), v4), /no function twice/);
});

test("functions of the kernel are called by their BTF id", () => {
  const text = 'program "p" {\nb0():\n%0 = const 7\n%1 = callkernel "bpf_task_from_pid", 65889, %0\nret %1\n}';
  const { code } = emitFunctions(parseIr(text), v4);
  assert.deepEqual(disassemble(code), ["0: r1 = 7", "1: call kernel-function#65889", "2: exit"]);
  assert.throws(
    () => new Interpreter().run({ code, relocations: [] }),
    /function 65889 of the kernel is not simulated/,
  );
});

test("a subprogram that nothing calls is left out", () => {
  const text = `program "p" {\nb0():\n%0 = const 7\n%1 = callfunc "used", %0\nret %1\n}
subprogram "unused" {\nb0():\n%0 = param 0\n%1 = callfunc "used", %0\nret %1\n}
subprogram "used" {\nb0():\n%0 = param 0\n%1 = bin.add %0, %0\nret %1\n}`;
  const emitted = emitFunctions(parseIr(text), v4);
  assert.equal(new Interpreter().run(emitted), 14n);
  assert.deepEqual(
    emitted.functions.map((fn) => fn.name),
    ["p", "used"],
  );
});

test("a function that calls itself is refused", () => {
  const text = 'program "p" {\nb0():\n%0 = callfunc "p"\nret %0\n}';
  assert.throws(() => emitFunctions(parseIr(text), v4), /p calls itself/);
});

test("jumps farther than 16 bits reach their target, with and without cpu v4", () => {
  // A loop around a body of some 40,000 instructions, with a way out in the middle.
  const b = new FunctionBuilder("p", "program");
  const [i, sum] = [b.newVariable(), b.newVariable()];
  b.write(i, b.const(0));
  b.write(sum, b.const(0));
  const [head, body, out] = [b.newBlock(), b.newBlock(), b.newBlock()];
  b.jump(head);
  b.setBlock(head);
  b.branch("ult", b.read(i), b.const(3), body, out);
  b.seal(body);
  b.setBlock(body);
  const data = b.mapValue("data", 0);
  for (let n = 0; n < 40; n++) {
    for (let k = 0; k < 334; k++) b.store(8, data, 8 * (k % 8), b.bin("add", b.read(i), b.const(n * 1000 + k)));
    const next = b.newBlock();
    b.branch("eq", b.load(8, false, b.ctx(), 0), b.const(n + 100), out, next);
    b.seal(next);
    b.setBlock(next);
    b.write(sum, b.bin("add", b.read(sum), b.const(n)));
  }
  b.write(i, b.bin("add", b.read(i), b.const(1)));
  b.jump(head);
  b.seal(head);
  b.seal(out);
  b.setBlock(out);
  b.ret(b.read(sum));
  const fn = b.finish();
  for (const options of [v4, v3]) {
    const emitted = emitFunctions([fn], options);
    assert.ok(emitted.code.length / 8 > 40_000);
    assert.equal(
      disassemble(emitted.code).some((line) => line.includes("gotol")),
      options.cpuV4,
    );
    for (const [leave, expected] of [
      [0, 2340n],
      [120, 190n],
    ] as const) {
      const context = new Uint8Array(8);
      context[0] = leave;
      assert.equal(new Interpreter({ maps: [array("data", 64)] }).run(emitted, context), expected);
    }
  }
});

test("every instruction has a place for its span", () => {
  const b = new FunctionBuilder("p", "program");
  const span = { source: { name: "stdin", text: "x" }, start: 0, end: 1 };
  b.span = span;
  b.ret(b.const(1n << 40n));
  const { code, spans } = emitFunctions([b.finish()], v4);
  assert.equal(spans.length, code.length / 8);
  assert.ok(spans.every((s) => s === span));
});

test("copies and zeroes use the widest stores that are aligned", () => {
  const body = (instr: string): string =>
    `s0 = 32 align 8 "a"\nb0():\n%0 = slot s0\n%1 = mapvalue "data", 0\n${instr}\n%2 = const 0\nret %2`;
  const widths = (instr: string): string[] =>
    lines(parsed(body(instr))).flatMap((line) => /^\*\((u\d+) \*\)/.exec(line)?.[1] ?? []);
  assert.deepEqual(widths("zero %0, 0, 13"), ["u64", "u32", "u8"]);
  assert.deepEqual(widths("zero %0, 3, 13"), ["u8", "u32", "u64"]);
  assert.deepEqual(widths("copy %0, 0, %1, 0, 16"), ["u64", "u64"]);
  assert.deepEqual(widths("copy %0, 0, %1, 2, 6"), ["u16", "u16", "u16"]);
  const long = emitFunctions(parsed(body("copy %1, 0, %1, 200, 136")), v4);
  assert.match(disassemble(long.code).join("\n"), /call probe_read_kernel/);
});

test("a program counts in a hash map of the interpreter", () => {
  const b = new FunctionBuilder("p", "program");
  const key = b.slotAddr(b.slot(8, 8, "key"));
  const value = b.slotAddr(b.slot(8, 8, "value"));
  b.store(8, key, 0, b.bin("lshr", b.call("get_current_pid_tgid", []), b.const(32)));
  const found = b.call("map_lookup_elem", [b.map("@"), key]);
  const [hit, miss, done] = [b.newBlock(), b.newBlock(), b.newBlock()];
  b.branch("ne", found, b.const(0), hit, miss, "then");
  b.seal(hit);
  b.seal(miss);
  b.setBlock(hit);
  b.atomic("add", 8, found, 0, b.const(1));
  b.jump(done);
  b.setBlock(miss);
  b.store(8, value, 0, b.const(1));
  b.call("map_update_elem", [b.map("@"), key, value, b.const(0)]);
  b.jump(done);
  b.seal(done);
  b.setBlock(done);
  b.ret(b.const(0));
  const emitted = emitFunctions([b.finish()], v4);
  const spec: MapSpec = { name: "@", type: BPF_MAP_TYPE_HASH, keySize: 8, valueSize: 8, maxEntries: 16, flags: 0 };
  const machine = new Interpreter({ maps: [spec] });
  for (let i = 0; i < 3; i++) machine.run(emitted);
  machine.environment.pidTgid = 7n << 32n;
  machine.run(emitted);
  const counts = machine
    .map("@")
    .entries()
    .map(({ key: k, values }) => [k[0], values[0]?.[0]]);
  assert.deepEqual(counts, [
    [1000 % 256, 3],
    [7, 1],
  ]);
});
