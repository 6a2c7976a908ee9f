import assert from "node:assert/strict";
import { test } from "node:test";
import { FormatError } from "../base/errors.js";
import { parseIr } from "./parser.js";
import { printIr } from "./printer.js";
import { Random, randomProgram } from "./testing/random-ir.js";
import { verifyIr } from "./verify.js";

const everything = `subprogram "say \\"hi\\"" {
  s0 = 16 align 8 "a key"
b0():
  %0 = param 0
  %1 = const -9223372036854775808
  %2 = slot s0
  %3 = map "@x"
  %4 = mapvalue "data", 8
  %5 = funcref "callback"
  %6 = bin.ashr %0, %1
  %7 = ext.4.signed %6
  %8 = ext.1 %6
  %9 = bswap.8 %8
  %10 = cmp.sle %9, %7
  %11 = load.2.signed %4, -4
  store.8 %2, 8, %11
  atomic.add.8 %4, 0, %1
  %12 = atomic.xchg.4 %4, 0, %1
  zero %2, 0, 8
  copy %2, 0, %4, 8, 16
  %13 = call "map_update_elem", %3, %2, %4, %1
  call "get_current_comm", %2, %1
  %14 = callfunc "other", %0
  callkernel "bpf_task_release", 4711, %0
  branch.ult %13, %14, b1(%12, %0), b2() likely else
b1(%15, %16):
  jump b2()
b2():
  ret %0
}
`;

test("what is printed is read back", () => {
  const [fn] = parseIr(everything);
  assert.ok(fn !== undefined);
  verifyIr(fn, "parser");
  assert.equal(printIr(fn), everything);
  for (let seed = 1; seed < 40; seed++) {
    const text = printIr(randomProgram(seed, 30));
    const [again] = parseIr(text);
    assert.ok(again !== undefined);
    assert.equal(printIr(again), text);
  }
});

test("what the arguments of a function point to that is verified by itself", () => {
  const text = 'subprogram "sum" (512, 0) {\nb0():\n  %0 = param 0\n  %1 = load.8 %0, 504\n  ret %1\n}\n';
  const [fn] = parseIr(text);
  assert.deepEqual(fn?.pointsTo, [512, 0]);
  assert.equal(fn && printIr(fn), text);
});

test("several functions and comments are read", () => {
  const functions = parseIr(
    `# two of them\n${everything}\nprogram "p" {\nb0():\n  # nothing\n  %0 = const 0\n  ret %0\n}`,
  );
  assert.deepEqual(
    functions.map((fn) => fn.name),
    ['say "hi"', "p"],
  );
});

test("broken text is refused with a FormatError and its line", () => {
  assert.throws(() => parseIr('program "p" {\nb0():\n  %0 = cnst 1\n'), /line 3: no operation `cnst`/);
  assert.throws(() => parseIr('program "p" {\nb0():\n  ret %0'), FormatError);
  const random = new Random(7);
  for (let i = 0; i < 3000; i++) {
    const at = random.below(everything.length);
    const piece = random.pick(["", " ", "%", "b", "(", ")", '"', "\n", "99999999999999999999", "}", "=", "\\"]);
    const text = everything.slice(0, at) + piece + everything.slice(at + random.below(6));
    try {
      parseIr(text);
    } catch (error) {
      assert.ok(error instanceof FormatError, `${error}\n${text}`);
    }
  }
});
