import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { type Headers, noHeaders, type Preprocessed, preprocess } from "./preprocess.js";
import { parseCharacter, parseInteger, spell } from "./tokens.js";

const nothing = { name: "<predefined>", text: "" };

function run(text: string, files: Readonly<Record<string, string>> = {}): Preprocessed {
  const headers: Headers = {
    kernel: false,
    find: (name) => {
      const found = files[name];
      return found === undefined ? undefined : { name, text: found, root: "/" };
    },
  };
  return preprocess([{ name: "test", text }], headers, nothing);
}

const text = (source: string, files?: Readonly<Record<string, string>>): string =>
  run(source, files)
    .tokens.map((t) => t.text)
    .join(" ");
const problems = (source: string, files?: Readonly<Record<string, string>>): readonly string[] =>
  run(source, files).problems.map((p) => p.message);

test("macros without and with parameters", () => {
  assert.equal(text("#define A 1\nA B A"), "1 B 1");
  assert.equal(text("#define A B\n#define B C\nA"), "C");
  assert.equal(text("#define F(x, y) (x - y)\nF(1, (2, 3)) F"), "( 1 - ( 2 , 3 ) ) F");
  assert.equal(text("#define F() 7\nF() F( ) F"), "7 7 F");
  assert.equal(text("#define A (x)\n#define F(y) [y]\nF A F\n(2)"), "F ( x ) [ 2 ]");
  assert.equal(text("#define A 1 \\\n + 2\nA\n#undef A\nA"), "1 + 2 A");
});

test("a macro is not expanded inside of itself (C11 6.10.3.4)", () => {
  assert.equal(text("#define A A + 1\nA"), "A + 1");
  assert.equal(text("#define A B\n#define B A\nA B"), "A B");
});

test("# makes text, ## glues, the dots take the rest", () => {
  assert.equal(text('#define S(x) #x\nS(a  + "b\\n")'), '"a + \\"b\\\\n\\""');
  assert.equal(text("#define X(a, b) a##b\nX(foo, 1) X(, 2) X(3,)"), "foo1 2 3");
  assert.equal(text("#define N 4\n#define C(a, b) a##b\n#define D(a, b) C(a, b)\nC(v, N) D(v, N)"), "vN v4");
  assert.equal(text("#define P(f, ...) p(f, ## __VA_ARGS__)\nP(1) P(1, 2, 3)"), "p ( 1 ) p ( 1 , 2 , 3 )");
  assert.equal(text("#define P(args...) [args]\nP(1, 2) P()"), "[ 1 , 2 ] [ ]");
});

test("conditions", () => {
  assert.equal(text("#if 0\na\n#elif 1\nb\n#elif 1\nc\n#else\nd\n#endif\ne"), "b e");
  assert.equal(text("#ifdef X\na\n#else\nb\n#endif\n#ifndef X\nc\n#endif"), "b c");
  assert.equal(text("#if 0\n#if 1\na\n#else\nb\n#endif\n#error no\n#endif\nc"), "c");
  assert.equal(text("#define X 3\n#if defined X && !defined(Y) && X > 2\na\n#endif"), "a");
  assert.equal(text("#if __has_include(<x.h>) && !__has_include(<y.h>)\na\n#endif", { "x.h": "" }), "a");
  assert.deepEqual(problems("#endif"), ["#endif without an #if before it"]);
  assert.deepEqual(problems("#if 1 +\n#endif"), ["'#if 1 +' is no integer expression"]);
});

test("arithmetic of #if", () => {
  const holds: readonly string[] = [
    "1 ? 2 : 0",
    "-1 < 0",
    "-1 > 0u",
    "~0 == -1",
    "(1 << 4 | 3) == 0x13",
    "7 / 2 * 2 == 6 && 7 % 4 == 3",
    "0 || 5",
    "'a' == 97 && '\\n' == 10 && '\\x41' == 0101",
    "0xffffffffffffffff > 0",
    "1 || 1 / 0",
    "0 ? 1 / 0 : 1",
    "undefined_name == 0",
    "-8 >> 1 == -4",
  ];
  for (const condition of holds) assert.equal(text(`#if ${condition}\nyes\n#endif`), "yes", condition);
  assert.deepEqual(problems("#if 1 / 0\n#endif").length, 1);
});

test("headers: guards, #pragma once, computed names, missing ones", () => {
  const files = {
    "guard.h": "#ifndef G\n#define G\nguarded\n#endif",
    "once.h": "#pragma once\nonce",
    "next.h": '#include "once.h"\nnext',
  };
  assert.equal(text('#include "guard.h"\n#include <guard.h>', files), "guarded");
  assert.equal(text("#include <once.h>\n#include <next.h>", files), "once next");
  assert.equal(text("#define H <once.h>\n#include H", files), "once");
  assert.deepEqual(problems("#include <no/such.h>"), ["'no/such.h' file not found"]);
  assert.deepEqual(problems("#include"), ['#include needs <name> or "name"']);
});

test("directives among the arguments of a macro", () => {
  assert.equal(text("#define G(x...) { x }\nG(a\n#ifdef NO\nb\n#else\nc\n#endif\n) d"), "{ a c } d");
});

test("a guarded header is read once, whatever stands beside the guard matters", () => {
  const files = {
    "a.h": "#ifndef A\n#define A\n#if 1\nx\n#endif\n#endif\n",
    "b.h": "#ifndef B\n#define B\n#else\nagain\n#endif\n",
    "c.h": "#ifndef C\n#define C\n#endif\ny",
  };
  assert.equal(text('#include "a.h"\n#include "a.h"\n#undef A\n#include "a.h"', files), "x x");
  assert.equal(text('#include "b.h"\n#include "b.h"', files), "again");
  assert.equal(text('#include "c.h"\n#include "c.h"', files), "y y");
});

test("headers and macros without end are given up", () => {
  assert.match(problems('#include "a.h"', { "a.h": '#include "a.h"' }).join(), /without end/);
  assert.match(
    problems('#include "a.h"', { "a.h": '#include "b.h"\n#include "b.h"', "b.h": '#include "a.h"\n' }).join(),
    /without end/,
  );
  let doubling = "#define M0 x x\n";
  for (let i = 1; i < 60; i++) doubling += `#define M${i} M${i - 1} M${i - 1}\n`;
  assert.match(problems(`${doubling}M59`).join(), /unfold/);
  const nested = `#define F(x) x\n${"F(".repeat(50_000)}`;
  assert.match(problems(nested).join(), /nested too deeply|unfold/);
});

test("comments and continued lines", () => {
  assert.equal(text("a/**/b // c\n/* d\n#define e */ f"), "a b f");
  assert.equal(text("#def\\\nine A 1\nA"), "1");
  assert.equal(text("#define A /* over\nlines */ 1\nA"), "1");
  assert.equal(text("x /* no end"), "x");
});

test("a problem knows where it is", () => {
  const { problems: list } = run("a\n#include <x.h>\n");
  assert.equal(list[0]?.token?.at, 3);
  assert.equal(list[0]?.token?.source.name, "test");
});

test("constants", () => {
  assert.deepEqual(parseInteger("0x10UL"), { value: 16n, unsigned: true });
  assert.deepEqual(parseInteger("017"), { value: 15n, unsigned: false });
  assert.deepEqual(parseInteger("0b101ll"), { value: 5n, unsigned: false });
  for (const none of ["08", "1.5", "1f", "99999999999999999999", "0x"])
    assert.equal(parseInteger(none), undefined, none);
  assert.equal(parseCharacter("'\\xff'"), -1n);
  assert.equal(parseCharacter("''"), undefined);
});

test("any text ends in tokens and problems", () => {
  const seed =
    '#include "a.h"\n#define F(x, ...) x ## __VA_ARGS__ #x F(x)\n#if defined(F) && (1 ? 2 : 3) << 2\nF(1, F(2))\n' +
    "#elif __has_include(<a.h>)\n/* c */ 'a' \"b\" 0x1 ... \\\n#else\n#undef F\n#endif\n#pragma once\n#error e\n";
  const random = randomNumbers(7);
  const pieces = [
    "#",
    "##",
    "(",
    ")",
    "\n",
    "\\\n",
    '"',
    "'",
    "F",
    "/*",
    "*/",
    "#if ",
    "#endif\n",
    ",",
    "...",
    "\u00e9",
  ];
  for (let round = 0; round < 1500; round++) {
    let damaged = seed;
    for (let i = random(6); i >= 0; i--) {
      const at = random(damaged.length + 1);
      damaged = damaged.slice(0, at) + pieces[random(pieces.length)] + damaged.slice(at + random(4));
    }
    const { tokens, problems: list } = preprocess([{ name: "t", text: damaged }], noHeaders, nothing);
    assert.ok(spell(tokens).length >= 0 && list.length <= 200);
  }
});
