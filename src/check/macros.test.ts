import assert from "node:assert/strict";
import { test } from "node:test";
import { compileWithErrors } from "../../test/support/compile-script.js";
import { Simulation } from "../../test/support/simulation.js";

/** What a script's BEGIN prints. */
function printed(script: string): readonly string[] {
  const simulation = new Simulation(script);
  simulation.fire();
  return simulation.said;
}

const results: readonly (readonly [string, readonly string[]])[] = [
  // Variables that are passed are the caller's; those of the body are nobody else's.
  ["macro inc($x) { $x += 1; $x } BEGIN { $a = 1; $b = inc($a); print(($a, $b)); }", ["(2,2)"]],
  ["macro next(x) { $y = x + 1; $y } BEGIN { $y = 2; $z = next(5); print(($y, $z)); }", ["(2,6)"]],
  ["macro set(@m, k) { @m[k] = 7; } BEGIN { @a[1] = 1; set(@a, 3); print(@a[3] + 1); }", ["8"]],
  // An expression is computed where it stands, as often as it stands there.
  ["macro twice(x) { x; x; } BEGIN { twice({ print(1) }); }", ["1", "1"]],
  ["macro one { 1 } macro two() { one + one() } BEGIN { print(two); print(two()); }", ["2", "2"]],
  ["macro three(x) { x + two(x) } macro two(x) { x * 2 } BEGIN { print(three(three(1))); }", ["9"]],
  ["macro a(p) { p } macro p() { 2 } BEGIN { print(a(1)); }", ["1"]],
  ["macro a(name) { name + 1 } BEGIN { print(a(1)); }", ["2"]],
  // By the kinds of the arguments; names of builtins are free for other numbers of arguments.
  [
    "macro k($x) { 1 } macro k(@x) { 2 } macro k(x) { 3 } BEGIN { $v = 1; @v = 1; print((k($v), k(@v), k(5))); }",
    ["(1,2,3)"],
  ],
  ["macro cpu(x) { x } macro pid() { 5 } BEGIN { print(cpu(4)); print(cpu()); print(pid); }", ["4", "0", "5"]],
  [
    "macro size(a, b) { sizeof(a[2]) + sizeof(b*) + sizeof(b) } BEGIN { print(size(typeof(uint64*), typeof(int16))); }",
    ["26"],
  ],
  ["macro cast(t, v) { (t)v } BEGIN { print(cast(typeof(uint8), 511)); }", ["255"]],
  [
    "macro sum(@m) { $s = 0; for ($kv : @m) { $s += $kv.1; } $s } BEGIN { @x[1] = 5; @x[2] = 10; print(sum(@x)); }",
    ["15"],
  ],
];

for (const [script, expected] of results) test(`macro: ${script}`, () => assert.deepEqual(printed(script), expected));

test("a map takes what a macro or a block counts", () => {
  const simulation = new Simulation(
    "macro c(n) { sum(n) } BEGIN { @ = c(3); @ = c(4); @b = { $n = 5; avg($n + 1) }; }",
  );
  simulation.fire();
  assert.deepEqual([simulation.scalar("@"), simulation.scalar("@b")], ["7", "6"]);
});

test("what is wrong in a macro's body leads to its calls", () => {
  const text = compileWithErrors("macro a(x) { x + $no } macro b(x) { a(x) } BEGIN { print(b(1)); }");
  const places = [...text.matchAll(/^test:1:([0-9-]+): ERROR: (.*)$/gm)].map((found) => `${found[1]} ${found[2]}`);
  assert.deepEqual(places, [
    "18-21 Undefined or undeclared variable: $no",
    "37-41 expanded from",
    "58-62 expanded from",
  ]);
});

const mistakes: readonly (readonly [string, RegExp])[] = [
  ["macro set() { @x[1] } BEGIN { @x[0] = 0; set(); }", /Unhygienic access to map: @x/],
  ["macro get() { $x } BEGIN { $x = 1; print(get()); }", /Undefined or undeclared variable: \$x$/m],
  ["macro a() { b() } macro b() { a() } BEGIN { a(); }", /Recursive macro call detected. Call chain: a > b > a/],
  [
    "macro add($x, y) { $x + y } BEGIN { add(1, 1); }",
    /Call to add\(\) has arguments that do not match any definition/,
  ],
  ["macro add($x) { $x } BEGIN { add; }", /Call to add\(\) has arguments/],
  ["macro m($x, $x) { } BEGIN { }", /has a parameter '\$x' already/],
  ["macro m(x) { } macro m($y) { } BEGIN { }", /Redefinition of macro: m/],
  ["macro m($x) { let $x = 1; } BEGIN { $a = 1; m($a); }", /shadows macro arg \$x/],
  ["macro m(pid) { } BEGIN { }", /builtin 'pid' can't be used as a macro argument/],
  [
    "macro s(t) { sizeof(struct t) } BEGIN { $x = 1; print(s($x)); }",
    /Invalid replacement for macro 's' type parameter 't'/,
  ],
  [
    `macro a0(x) { x + x } ${Array.from({ length: 20 }, (_, i) => `macro a${i + 1}(x) { a${i}(x) + a${i}(x) }`).join(" ")} BEGIN { print(a20(1)); }`,
    /expanded more than/,
  ],
];

for (const [script, expected] of mistakes)
  test(`macro mistake: ${script.slice(0, 100)}`, () => assert.match(compileWithErrors(script), expected));
