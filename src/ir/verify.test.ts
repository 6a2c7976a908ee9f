import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIr } from "./parser.js";
import { verifyIr } from "./verify.js";

function problem(body: string, kind = "program"): string {
  const [fn] = parseIr(`${kind} "p" {\n${body}\n}`);
  assert.ok(fn !== undefined);
  try {
    verifyIr(fn, "a-pass");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "";
}

test("the pass is named", () => {
  assert.match(
    problem("b0():\n ret %0"),
    /internal: IR of p is wrong after a-pass: %0 is used but not defined: ret %0/,
  );
});

test("each value is defined once, before its uses", () => {
  assert.match(problem("b0():\n %0 = const 1\n %0 = const 2\n ret %0"), /%0 is defined twice/);
  assert.match(problem("b0():\n %0 = bin.add %1, %1\n %1 = const 2\n ret %0"), /its definition does not reach/);
  const across =
    "b0():\n %0 = const 1\n branch.eq %0, %0, b1(), b2()\nb1():\n %1 = const 2\n jump b2()\nb2():\n ret %1";
  assert.match(problem(across), /%1 is used where its definition does not reach: ret %1/);
});

test("edges lead to blocks and give each parameter an argument", () => {
  assert.match(problem("b0():\n jump b7()"), /b0 jumps to b7, which is missing/);
  assert.match(problem("b0():\n jump b1()\nb1(%0):\n ret %0"), /b0 gives b1 0 arguments for 1 parameters/);
  assert.match(problem("b0():\n jump b0()"), /jumps to the entry block/);
});

test("operands lie in their ranges", () => {
  assert.match(problem("b0():\n %0 = slot s1\n ret %0"), /no such slot/);
  assert.match(problem("b0():\n %0 = ext.8 %1\n ret %0"), /no such width/);
  assert.match(problem('b0():\n %0 = call "nothing"\n ret %0'), /no helper nothing/);
  assert.match(problem("b0():\n %0 = param 0\n ret %0"), /only a subprogram has parameters/);
  assert.match(problem("b0():\n %0 = ctx\n ret %0", "subprogram"), /only a program has a context/);
});
