import assert from "node:assert/strict";
import { test } from "node:test";
import { FunctionBuilder } from "./builder.js";
import type { Value } from "./ir.js";
import { printIr } from "./printer.js";
import { evaluateIr } from "./testing/evaluate.js";
import { verifyIr } from "./verify.js";

const world = { context: new Uint8Array(8), maps: new Map<string, Uint8Array>(), call: () => 0n };

function ifElse(): FunctionBuilder {
  const b = new FunctionBuilder("f", "program");
  const x = b.newVariable();
  b.write(x, b.const(1));
  const yes = b.newBlock();
  const no = b.newBlock();
  const after = b.newBlock();
  b.branch("eq", b.load(8, false, b.ctx(), 0), b.const(0), yes, no);
  b.seal(yes);
  b.seal(no);
  b.setBlock(yes);
  b.write(x, b.const(2));
  b.jump(after);
  b.setBlock(no);
  b.jump(after);
  b.seal(after);
  b.setBlock(after);
  b.ret(b.read(x));
  return b;
}

test("where two ways meet a variable becomes a block parameter", () => {
  const fn = ifElse().finish();
  verifyIr(fn, "builder");
  assert.equal(fn.blocks[3]?.params.length, 1);
  assert.equal(evaluateIr(fn, world), 2n);
  assert.equal(evaluateIr(fn, { ...world, context: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) }), 1n);
});

test("a variable that a loop does not write needs no parameter, one that it writes does", () => {
  const b = new FunctionBuilder("f", "program");
  const [i, kept] = [b.newVariable(), b.newVariable()];
  b.write(i, b.const(0));
  b.write(kept, b.const(40));
  const [head, body, after] = [b.newBlock(), b.newBlock(), b.newBlock()];
  b.jump(head);
  b.setBlock(head);
  b.branch("ult", b.read(i), b.const(3), body, after);
  b.seal(body);
  b.seal(after);
  b.setBlock(body);
  b.write(i, b.bin("add", b.read(i), b.const(1)));
  b.read(kept);
  b.jump(head);
  b.seal(head);
  b.setBlock(after);
  b.ret(b.bin("add", b.read(kept), b.read(i)));
  const fn = b.finish();
  verifyIr(fn, "builder");
  assert.deepEqual(
    fn.blocks.map((block) => block.params.length),
    [0, 1, 0, 0],
  );
  assert.equal(evaluateIr(fn, world), 43n);
});

test("a variable that was never written is 0", () => {
  const b = new FunctionBuilder("f", "program");
  b.ret(b.read(b.newVariable()));
  const fn = b.finish();
  verifyIr(fn, "builder");
  assert.equal(evaluateIr(fn, world), 0n);
});

test("code behind a return is dropped and leaves no parameters behind", () => {
  const b = new FunctionBuilder("f", "program");
  const x = b.newVariable();
  b.write(x, b.const(7));
  const after = b.newBlock();
  b.jump(after);
  assert.equal(b.terminated, true);
  b.write(x, b.const(8));
  const [yes, no] = [b.newBlock(), b.newBlock()];
  b.branch("eq", b.read(x), b.const(8), yes, no);
  b.seal(yes);
  b.seal(no);
  b.setBlock(yes);
  b.write(x, b.const(9));
  b.jump(after);
  b.setBlock(no);
  b.jump(after);
  b.seal(after);
  b.setBlock(after);
  b.ret(b.read(x));
  const fn = b.finish();
  verifyIr(fn, "builder");
  assert.equal(fn.blocks.length, 2);
  assert.equal(fn.blocks[1]?.params.length, 0);
  assert.equal(evaluateIr(fn, world), 7n);
});

test("a variable is read behind a loop that nothing leads to", () => {
  const b = new FunctionBuilder("f", "program");
  const x = b.newVariable();
  b.write(x, b.const(1));
  b.ret(b.read(x));
  const [head, body, after] = [b.newBlock(), b.newBlock(), b.newBlock()];
  b.setBlock(head);
  b.branch("ult", b.const(0), b.const(3), body, after);
  b.seal(body);
  b.setBlock(body);
  b.jump(head);
  b.seal(head);
  b.seal(after);
  b.setBlock(after);
  b.ret(b.read(x));
  const fn = b.finish();
  verifyIr(fn, "builder");
  assert.equal(fn.blocks.length, 1);
  assert.equal(evaluateIr(fn, world), 1n);
});

test("a block that is reachable must be sealed and ended", () => {
  const unsealed = new FunctionBuilder("f", "program");
  const block = unsealed.newBlock();
  unsealed.jump(block);
  unsealed.setBlock(block);
  unsealed.ret(unsealed.const(0));
  assert.throws(() => unsealed.finish(), /internal: f: b1 is not sealed/);
  const open = new FunctionBuilder("f", "program");
  assert.throws(() => open.finish(), /internal: f: b0 has no end/);
});

test("instructions carry the span that was set", () => {
  const b = new FunctionBuilder("f", "program");
  const span = { source: { name: "stdin", text: "exit()" }, start: 0, end: 6 };
  b.span = span;
  const zero = b.const(0);
  b.span = undefined;
  b.ret(zero);
  const fn = b.finish();
  assert.equal(fn.blocks[0]?.instrs[0]?.span, span);
  assert.equal(fn.blocks[0]?.end.span, undefined);
});

test("constants are kept as signed 64-bit numbers", () => {
  const b = new FunctionBuilder("f", "program");
  b.ret(b.const(0xffff_ffff_ffff_ffffn));
  assert.match(printIr(b.finish()), /const -1\n/);
});

test("ten thousand conditions one after the other neither overflow the stack nor take long", () => {
  const b = new FunctionBuilder("f", "program");
  const x = b.newVariable();
  const early = b.newVariable();
  b.write(early, b.const(5));
  for (let i = 0; i < 10_000; i++) {
    const [yes, after] = [b.newBlock(), b.newBlock()];
    b.branch("ne", b.read(x), b.const(i), yes, after);
    b.seal(yes);
    b.setBlock(yes);
    if (i % 2 === 0) b.write(x, b.bin("add", b.read(x), b.const(1)));
    b.jump(after);
    b.seal(after);
    b.setBlock(after);
  }
  b.ret(b.read(early));
  const fn = b.finish();
  verifyIr(fn, "builder");
  assert.equal(evaluateIr(fn, world), 5n);
});

test("select is the value of one of two ways, require leaves, loop counts and is left early", () => {
  const run = (emit: (b: FunctionBuilder, input: Value) => Value, first: number): bigint => {
    const b = new FunctionBuilder("f", "program");
    b.ret(emit(b, b.load(1, false, b.ctx(), 0)));
    const fn = b.finish();
    verifyIr(fn, "builder");
    return evaluateIr(fn, { ...world, context: Uint8Array.of(first, 0, 0, 0, 0, 0, 0, 0) }) ?? -1n;
  };
  const selected = (b: FunctionBuilder, x: Value): Value =>
    b.select(
      "ult",
      x,
      b.const(5),
      () => b.bin("add", x, b.const(100)),
      () => b.const(7),
    );
  assert.deepEqual([run(selected, 4), run(selected, 5)], [104n, 7n]);
  const required = (b: FunctionBuilder, x: Value): Value => {
    b.require("eq", x, b.const(3), () => b.ret(b.const(1)));
    return b.const(2);
  };
  assert.deepEqual([run(required, 3), run(required, 4)], [2n, 1n]);
  // The sum of the even numbers below 10, until one is the input.
  const summed = (b: FunctionBuilder, x: Value): Value => {
    const sum = b.newVariable();
    b.write(sum, b.const(0));
    b.loop(
      10,
      (i, { next, leave }) => {
        b.require("ne", i, x, leave);
        b.write(sum, b.bin("add", b.read(sum), i));
        next();
      },
      2,
    );
    return b.read(sum);
  };
  assert.deepEqual([run(summed, 99), run(summed, 6), run(summed, 0)], [20n, 6n, 0n]);
});
