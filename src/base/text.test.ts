import assert from "node:assert/strict";
import { test } from "node:test";
import { Diagnostics, renderDiagnostic } from "./diagnostics.js";
import { compileGlob, hasWildcard } from "./glob.js";
import { nearest } from "./nearest.js";
import { cover, positionOf } from "./span.js";

test("glob: runs, single characters, sets, and everything else as it is", () => {
  const cases: readonly (readonly [pattern: string, matches: readonly string[], others: readonly string[]])[] = [
    ["vfs_*", ["vfs_", "vfs_read"], ["vf", "xvfs_read"]],
    ["*read", ["read", "vfs_read"], ["reads"]],
    ["*", ["", "anything\n"], []],
    ["a?c", ["abc", "a*c"], ["ac", "abbc"]],
    ["a[bc]d", ["abd", "acd"], ["ad", "aed", "abcd"]],
    ["a[x-z]*", ["ax", "azz"], ["a-", "aw"]],
    ["a*b*c", ["abc", "aXbYc", "abcbc"], ["acb", "ab"]],
    ["**a**", ["a", "bab"], ["b"]],
    ["a.b+(c)", ["a.b+(c)"], ["aXb+(c)"]],
    ["std::*<int>[", ["std::x<int>["], ["std::x<int>"]],
    ["*a*a*a*a*b", ["aaaab", "xaxaxaxab"], ["aaaa", `${"a".repeat(40)}c`]],
  ];
  for (const [pattern, matches, others] of cases) {
    const glob = compileGlob(pattern);
    for (const text of matches) assert.ok(glob(text), `${pattern} matches ${text}`);
    for (const text of others) assert.ok(!glob(text), `${pattern} does not match ${text}`);
  }
  assert.deepEqual(["a", "a*", "a?", "a[b]", ""].map(hasWildcard), [false, true, true, true, false]);
});

test("nearest: slips of the keyboard, not other words", () => {
  const names = ["printf", "print", "pid", "tid", "comm", "nsecs", "kstack", "ustack"];
  const cases: Readonly<Record<string, string | undefined>> = {
    prinft: "printf",
    pritn: "print",
    pdi: "pid",
    PID: "pid",
    com: "comm",
    nsec: "nsecs",
    kstak: "kstack",
    elephant: undefined,
    x: undefined,
  };
  for (const [written, meant] of Object.entries(cases)) assert.equal(nearest(written, names), meant, written);
  assert.equal(nearest("a", []), undefined);
});

const source = { name: "script.bt", text: "BEGIN {\n\t$x = foo(1);\n}\n" };
const at = (text: string): { source: typeof source; start: number; end: number } => {
  const start = source.text.indexOf(text);
  return { source, start, end: start + text.length };
};

test("positions are lines and columns from 1", () => {
  assert.deepEqual(positionOf(source, 0), { line: 1, column: 1, lineText: "BEGIN {" });
  assert.deepEqual(positionOf(source, at("foo").start), { line: 2, column: 7, lineText: "\t$x = foo(1);" });
  assert.deepEqual(positionOf(source, 1000), { line: 4, column: 1, lineText: "" });
  assert.deepEqual(cover(at("foo"), at("$x")), { source, start: at("$x").start, end: at("foo").end });
});

test("a diagnostic as text: place, line, marks, notes, hint", () => {
  const diags = new Diagnostics();
  const notes = [{ message: "it is used here", span: at("$x") }, { message: "just so" }];
  diags.error("code", at("foo"), "there is no function 'foo'", { hint: "did you mean 'for'?", notes });
  diags.warning("whole", undefined, "no place");
  diags.error("long", at("{\n\t$x = foo(1);\n}"), "over lines");
  assert.deepEqual(diags.list.map(renderDiagnostic), [
    [
      "script.bt:2:7-10: ERROR: there is no function 'foo'",
      " $x = foo(1);",
      "      ~~~",
      "script.bt:2:2-4: NOTE: it is used here",
      " $x = foo(1);",
      " ~~",
      "NOTE: just so",
      "HINT: did you mean 'for'?",
    ].join("\n"),
    "WARNING: no place",
    "script.bt:1-3: ERROR: over lines\nBEGIN {\n      ~",
  ]);
});

test("what a terminal would obey is left out of the line", () => {
  const text = "\x1b[2J\tx\x9b1m";
  const diags = new Diagnostics();
  diags.error("c", { source: { name: "x", text }, start: 5, end: 6 }, "m");
  assert.equal(renderDiagnostic(diags.list[0]!), "x:1:6-7: ERROR: m\n [2J x 1m\n     ~");
});

test("a very long line is cut around the place", () => {
  const text = `${"a".repeat(1000)}HERE${"b".repeat(1000)}`;
  const span = { source: { name: "x", text }, start: 1000, end: 1004 };
  const diags = new Diagnostics();
  diags.error("c", span, "m");
  const [, line = "", marks = ""] = renderDiagnostic(diags.list[0]!).split("\n");
  assert.ok(line.length <= 160);
  assert.equal(line.slice(marks.indexOf("~"), marks.lastIndexOf("~") + 1), "HERE");
});

test("the same thing is told once, and after twenty errors the rest is counted", () => {
  const diags = new Diagnostics();
  for (let i = 0; i < 3; i++) diags.error("same", at("foo"), "message");
  assert.equal(diags.list.length, 1);
  for (let i = 0; i < 30; i++) diags.error("other", undefined, `message ${i}`);
  assert.deepEqual([diags.list.length, diags.suppressed, diags.failed], [20, 11, true]);
  const warned = new Diagnostics();
  warned.warning("w", undefined, "only a warning");
  assert.equal(warned.failed, false);
});
