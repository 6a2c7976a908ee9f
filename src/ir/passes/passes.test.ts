import assert from "node:assert/strict";
import { test } from "node:test";
import type { IrFunction } from "../ir.js";
import { parseIr } from "../parser.js";
import { printIr } from "../printer.js";
import { verifyIr } from "../verify.js";
import { foldConstants } from "./fold-constants.js";
import { forwardStores } from "./forward-stores.js";
import { mergeEqual } from "./merge-equal.js";
import { optimize, passes } from "./optimize.js";
import { removeDeadCode } from "./remove-dead-code.js";
import { removeDeadStores } from "./remove-dead-stores.js";
import { simplifyControlFlow } from "./simplify-control-flow.js";

const clean = (text: string): string =>
  text
    .trim()
    .split("\n")
    .map((line) => line.trim())
    .join("\n");

/** Runs passes over the body of a program and gives back the body. */
function run(body: string, ...list: ((fn: IrFunction) => IrFunction)[]): string {
  const [fn] = parseIr(`program "p" {\n${body}\n}`);
  assert.ok(fn !== undefined);
  verifyIr(fn, "test");
  let result = fn;
  for (const pass of list) {
    result = pass(result);
    verifyIr(result, pass.name);
  }
  return clean(printIr(result).split("\n").slice(1, -2).join("\n"));
}

/** What `%9 = ...` of a loaded %1 (and %2) becomes, after dead code has gone. */
function folded(expression: string): string {
  const body = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = load.4 %0, 8\n${expression}\nret %9`;
  return run(body, foldConstants, removeDeadCode).replace(
    /^b0\(\):\n(%0 = ctx\n)?(%1 = load.8 %0, 0\n)?(%2 = load.4 %0, 8\n)?/,
    "",
  );
}

test("fold-constants computes constants", () => {
  assert.match(folded("%3 = const 6\n%4 = const 7\n%9 = bin.mul %3, %4"), /^%10 = const 42\nret %10$/);
  assert.match(folded("%3 = const 6\n%4 = const 0\n%9 = bin.sdiv %3, %4"), /const 0\n/);
  assert.match(folded("%3 = const 200\n%9 = ext.1.signed %3"), /const -56\n/);
  assert.match(folded("%3 = const 258\n%9 = bswap.2 %3"), /const 513\n/);
  assert.match(folded("%3 = const -1\n%4 = const 1\n%9 = cmp.ult %3, %4"), /const 0\n/);
});

test("fold-constants drops what has no effect", () => {
  for (const op of ["add 0", "sub 0", "or 0", "xor 0", "shl 64", "mul 1", "udiv 1", "sdiv 1", "and -1", "umod 0"]) {
    const [name, by] = op.split(" ");
    assert.equal(folded(`%3 = const ${by}\n%9 = bin.${name} %1, %3`), "ret %1", op);
  }
  assert.equal(folded("%9 = ext.4 %2"), "ret %2");
  assert.equal(folded("%3 = const 4294967295\n%9 = bin.and %2, %3"), "ret %2");
  assert.equal(folded("%9 = bin.and %1, %1"), "ret %1");
  assert.match(folded("%9 = bin.sub %1, %1"), /const 0\n/);
});

test("fold-constants makes divisions by powers of two shifts and masks", () => {
  assert.match(folded("%3 = const 8\n%9 = bin.mul %1, %3"), /const 3\n.* = bin.shl %1, /);
  assert.match(folded("%3 = const 8\n%9 = bin.udiv %1, %3"), /const 3\n.* = bin.lshr %1, /);
  assert.match(folded("%3 = const 8\n%9 = bin.umod %1, %3"), /const 7\n.* = bin.and %1, /);
  assert.doesNotMatch(folded("%3 = const 8\n%9 = bin.sdiv %1, %3"), /div/);
  assert.doesNotMatch(folded("%3 = const 8\n%9 = bin.smod %1, %3"), /mod/);
});

test("fold-constants merges additions, but takes nothing apart that is compared", () => {
  const sum = "%3 = const 1\n%4 = bin.add %1, %3\n%5 = const 2\n%9 = bin.add %4, %5";
  assert.match(folded(sum), /const 3\n.*bin.add %1, /);
  const compared = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%3 = const 1\n%4 = bin.add %1, %3\n%5 = const 2
branch.ult %4, %5, b1(), b2()\nb1():\n%9 = bin.add %4, %5\nret %9\nb2():\nret %3`;
  assert.match(run(compared, foldConstants), /bin.add %4, %5/);
});

test("fold-constants decides branches and compares what a flag was computed from", () => {
  const known = "b0():\n%0 = const 1\nbranch.eq %0, %0, b1(), b2()\nb1():\nret %0\nb2():\nret %0";
  assert.match(run(known, foldConstants), /b0\(\):\n%0 = const 1\njump b1\(\)/);
  const flag = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = const 5\n%3 = cmp.ult %1, %2\n%4 = const 0
branch.eq %3, %4, b1(), b2()\nb1():\nret %2\nb2():\nret %4`;
  assert.match(run(flag, foldConstants), /branch.uge %1, %2, b1\(\), b2\(\)/);
});

test("merge-equal computes once what dominates, and asks constant helpers once", () => {
  const body = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = bin.add %1, %0\n%3 = call "get_current_pid_tgid"
branch.eq %1, %2, b1(), b2()\nb1():\n%4 = bin.add %0, %1\n%5 = call "get_current_pid_tgid"\n%6 = bin.add %4, %5\nret %6
b2():\n%7 = call "ktime_get_ns"\n%8 = call "ktime_get_ns"\n%9 = bin.sub %7, %8\nret %9`;
  const out = run(body, mergeEqual);
  assert.match(out, /b1\(\):\n%6 = bin.add %2, %3\nret %6/);
  assert.equal(out.match(/ktime_get_ns/g)?.length, 2);
});

test("merge-equal leaves alone what one way alone computes, and every load", () => {
  const body = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = load.8 %0, 0\nbranch.eq %1, %2, b1(), b2()
b1():\n%3 = bin.add %1, %2\nret %3\nb2():\n%4 = bin.add %1, %2\nret %4`;
  assert.equal(run(body, mergeEqual), clean(body));
});

test("forward-stores hands on what was stored, unless something may have changed it", () => {
  const start = 's0 = 16 align 8 "x"\nb0():\n%0 = slot s0\n%1 = ctx\n%2 = load.8 %1, 0\nstore.8 %0, 0, %2\n';
  assert.match(run(`${start}%3 = load.8 %0, 0\nret %3`, forwardStores), /ret %2$/);
  assert.match(run(`${start}%3 = load.2.signed %0, 0\nret %3`, forwardStores), /%3 = ext.2.signed %2\nret %3$/);
  assert.match(run(`${start}%3 = load.2 %0, 2\nret %3`, forwardStores), /%3 = load/);
  assert.match(run(`${start}store.1 %0, 7, %1\n%3 = load.8 %0, 0\nret %3`, forwardStores), /%3 = load/);
  assert.match(run(`${start}store.8 %0, 8, %1\n%3 = load.8 %0, 0\nret %3`, forwardStores), /ret %2$/);
  assert.match(run(`${start}zero %0, 0, 16\n%3 = load.4 %0, 12\nret %3`, forwardStores), /%3 = const 0\nret %3$/);
  const call = `${start}%4 = const 16\ncall "get_current_comm", %0, %4\n%3 = load.8 %0, 0\nret %3`;
  assert.match(run(call, forwardStores), /%3 = load/);
  const reads = `${start}%4 = map "m"\n%5 = call "map_lookup_elem", %4, %0\n%3 = load.8 %0, 0\nret %3`;
  assert.match(run(reads, forwardStores), /ret %2$/);
  const escaped = `${start}store.8 %0, 8, %0\n%3 = load.8 %0, 0\nret %3`;
  assert.match(run(escaped, forwardStores), /%3 = load/);
});

test("remove-dead-stores drops what nothing reads and cuts zeroes", () => {
  const never = 's0 = 8 align 8 "x"\nb0():\n%0 = slot s0\n%1 = const 1\nstore.8 %0, 0, %1\nret %1';
  assert.doesNotMatch(run(never, removeDeadStores), /store/);
  const key = `s0 = 24 align 8 "key"\nb0():\n%0 = slot s0\n%1 = const 1\nzero %0, 0, 24\nstore.8 %0, 8, %1
%2 = map "m"\n%3 = call "map_lookup_elem", %2, %0\nret %1`;
  const out = run(key, removeDeadStores);
  assert.match(out, /zero %0, 0, 8\nzero %0, 16, 8\nstore.8 %0, 8, %1/);
  const text = `s0 = 24 align 8 "text"\nb0():\n%0 = slot s0\n%1 = const 24\nzero %0, 0, 24
call "probe_read_kernel_str", %0, %1, %1\n%2 = map "m"\n%3 = call "map_lookup_elem", %2, %0\nret %1`;
  assert.match(run(text, removeDeadStores), /zero %0, 0, 24/);
});

test("remove-dead-code drops unused values and parameters, not effects", () => {
  const body = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = call "ktime_get_ns"\n%3 = call "send_signal", %0\njump b1(%1, %2)
b1(%4, %5):\n%6 = bin.add %5, %5\nret %4`;
  const out = run(body, removeDeadCode);
  assert.doesNotMatch(out, /ktime/);
  assert.match(out, /call "send_signal", %0\njump b1\(%1\)\nb1\(%4\):\nret %4/);
});

test("simplify-control-flow threads jumps, merges lines and drops what cannot be reached", () => {
  const body = `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = const 1\n%3 = const 0\nbranch.eq %1, %3, b1(), b2()
b1():\njump b3(%2)\nb2():\njump b3(%3)\nb3(%4):\nbranch.ne %4, %3, b4(), b5()\nb4():\nret %2\nb5():\nret %3\nb6():\njump b3(%2)`;
  // b3's 0 is made outside it, so both ways know where they end.
  assert.equal(
    run(body, simplifyControlFlow),
    clean(`b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = const 1\n%3 = const 0\nbranch.eq %1, %3, b4(), b5()
b4():\nret %2\nb5():\nret %3`),
  );
});

test("simplify-control-flow survives an empty endless loop", () => {
  const body = "b0():\n%0 = const 0\nbranch.eq %0, %0, b1(), b2()\nb1():\njump b1()\nb2():\nret %0";
  assert.match(run(body, simplifyControlFlow), /jump b1\(\)/);
});

test("each pass runs after those that it names, and can be left out", () => {
  const seen = new Set<string>();
  for (const pass of passes) {
    for (const { pass: before } of pass.after) assert.ok(seen.has(before), `${pass.name} after ${before}`);
    assert.ok(!seen.has(pass.name), pass.name);
    seen.add(pass.name);
  }
  const [fn] = parseIr('program "p" {\nb0():\n%0 = const 1\n%1 = const 2\n%2 = bin.add %0, %1\nret %2\n}');
  assert.ok(fn !== undefined);
  const ran: string[] = [];
  const out = optimize(fn, { dump: (pass) => ran.push(pass), disable: ["sweep"] });
  assert.deepEqual(
    ran,
    passes.map((pass) => pass.name).filter((name) => name !== "sweep"),
  );
  assert.equal(out.blocks[0]?.instrs.length, 1);
});

test("simplify-control-flow asks once what a way in has answered, also where the answer is used further down", () => {
  const body = `b0():\n%0 = map "m"\n%1 = call "map_lookup_elem", %0, %0\n%2 = const 0\nbranch.eq %1, %2, b1(), b2(%1) likely else
b1():\n%3 = call "map_lookup_elem", %0, %0\njump b2(%3)\nb2(%4):\n%5 = const 0\nbranch.ne %4, %5, b3(), b4()
b3():\n%6 = const 1\natomic.add.8 %4, 0, %6\njump b4()\nb4():\nret %2`;
  const out = run(body, simplifyControlFlow);
  assert.match(out, /branch.eq %1, %2, b1\(\), b3\(%1\) likely else/);
  assert.match(out, /branch.ne %3, %5, b3\(%3\), b4\(\)/);
  assert.match(out, /b3\(%(\d+)\):\n(%.*\n)*atomic.add.8 %\1, 0/);
});

test("merge-equal computes again what lies behind a comparison for size", () => {
  const body = (cmp: string): string => `b0():\n%0 = ctx\n%1 = load.8 %0, 0\n%2 = bin.shl %1, %1\n%3 = bin.shl %2, %2
branch.${cmp} %1, %0, b1(), b2()\nb1():\n%4 = bin.shl %1, %1\n%5 = bin.shl %4, %4\nret %5\nb2():\nret %3`;
  assert.match(run(body("ult"), mergeEqual), /%4 = bin.shl %1, %1\n%5 = bin.shl %4, %4\nret %5/);
  assert.match(run(body("eq"), mergeEqual), /b1\(\):\nret %3/);
});
