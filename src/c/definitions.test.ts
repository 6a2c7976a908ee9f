import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { type RecordType, type Type, u32 } from "../types/type.js";
import { CDefinitions, type CSurroundings } from "./definitions.js";
import { noHeaders } from "./preprocess.js";

const around: CSurroundings = {
  arch: "x86_64",
  headers: noHeaders,
  btf: true,
  external: (name, space) =>
    name === "u32"
      ? u32
      : name === "struct outside"
        ? {
            kind: "record",
            name,
            size: 8,
            btfId: undefined,
            members: () => [{ name: "p", type: { kind: "pointer", to: u32, space }, bitOffset: 0, bitSize: 0 }],
          }
        : undefined,
};
const define = (text: string): CDefinitions => new CDefinitions([{ name: "test", text }], around);
const problems = (text: string): readonly string[] =>
  define(text)
    .ownProblems()
    .map((p) => p.message);

function record(text: string, name: string): RecordType {
  const type = define(text).type(name, "user");
  assert.ok(type !== undefined && "kind" in type && type.kind === "record", JSON.stringify(type));
  return type;
}

const places = (type: RecordType): string =>
  type
    .members()
    .map((m) => `${m.name}@${m.bitOffset}`)
    .join(" ");

function typeOf(text: string, member: string): Type | undefined {
  return record(`struct T { ${text} };`, "struct T")
    .members()
    .find((m) => m.name === member)?.type;
}

test("sizes and offsets are those of gcc 14 on x86-64", () => {
  const lines = readFileSync(fixture("c/layouts.txt"), "utf8").trim().split("\n");
  const all = define(lines.filter((_, i) => i % 2 === 0).join("\n"));
  for (let i = 1; i < lines.length; i += 2) {
    const line = lines[i] ?? "";
    const name = line.split(" ", 2).join(" ");
    const type = all.type(name, "user");
    assert.ok(type !== undefined && "kind" in type && type.kind === "record", name);
    assert.equal(`${name} ${type.size} ${places(type)}`, line, lines[i - 1]);
  }
});

test("members of every kind", () => {
  const i32 = { kind: "int", size: 4, signed: true };
  assert.deepEqual(typeOf("int a, *b, c[3];", "c"), { kind: "array", of: i32, count: 3 });
  assert.deepEqual(typeOf("int *b;", "b"), { kind: "pointer", to: i32, space: "user" });
  assert.deepEqual(typeOf("int m[2][3];", "m"), { kind: "array", of: { kind: "array", of: i32, count: 3 }, count: 2 });
  assert.deepEqual(typeOf("int *p[2];", "p"), {
    kind: "array",
    of: { kind: "pointer", to: i32, space: "user" },
    count: 2,
  });
  assert.deepEqual(typeOf("int (*p)[2];", "p"), {
    kind: "pointer",
    to: { kind: "array", of: i32, count: 2 },
    space: "user",
  });
  assert.deepEqual(typeOf("int (*f)(struct x *, int (*)(void));", "f"), {
    kind: "pointer",
    to: { kind: "none" },
    space: "user",
  });
  assert.deepEqual(typeOf("unsigned long long int x;", "x"), { kind: "int", size: 8, signed: false });
  assert.deepEqual(typeOf("const volatile unsigned char x;", "x"), { kind: "int", size: 1, signed: false });
  assert.deepEqual(typeOf("float f;", "f"), { kind: "none" });
  assert.deepEqual(typeOf("_Bool b;", "b"), { kind: "int", size: 1, signed: false });
  assert.deepEqual(typeOf("u32 x;", "x"), u32);
  assert.equal(typeOf("char name[10];", "name")?.kind, "string");
  assert.equal(typeOf("signed char name[10];", "name")?.kind, "array");
});

test("__user points into processes whatever holds the pointer", () => {
  const type = define("struct T { char __user *a; char *b; };").type("struct T", "kernel");
  assert.ok(type !== undefined && "kind" in type && type.kind === "record");
  assert.deepEqual(
    type.members().map((m) => m.type.kind === "pointer" && m.type.space),
    ["user", "kernel"],
  );
});

test("records in records, with and without names, and themselves behind pointers", () => {
  const text =
    "struct T { struct { int a; union { int b; char c; }; }; struct In { int x; } in; struct T *next; struct Later *l; };" +
    "struct Later { int y; };";
  const type = record(text, "struct T");
  assert.equal(places(type), "a@0 b@32 c@32 in@64 next@128 l@192");
  const later = type.members().at(-1)?.type;
  assert.ok(later?.kind === "pointer" && later.to.kind === "record");
  assert.equal(places(later.to), "y@0");
  assert.equal(record(text, "struct In").size, 4);
  assert.equal(record(text, "Later").name, "struct Later");
});

test("what the text does not define comes from outside", () => {
  const type = record("struct T { char c; struct outside o; struct outside *p; };", "struct T");
  assert.equal(places(type), "c@0 o@64 p@128");
  assert.equal(type.size, 24);
});

test("typedefs, typeof, constant lengths, alignment", () => {
  assert.equal(record("typedef struct { int x; } foo_t, *foo_p;", "foo_t").size, 4);
  assert.equal(places(record("typedef int a4[4]; struct T { a4 x; typeof(long) y; };", "struct T")), "x@0 y@128");
  assert.equal(record("enum { N = 3 }; struct T { int x[N * sizeof(long) + (char)257]; };", "struct T").size, 100);
  assert.equal(
    record("struct A { char c; int i; }; struct T { char x[__builtin_offsetof(struct A, i)]; };", "struct T").size,
    4,
  );
  assert.equal(record("struct T { _Alignas(16) char c; };", "struct T").size, 16);
  assert.equal(record("typedef int al __attribute__((aligned(32))); struct T { char c; al x; };", "struct T").size, 64);
  assert.equal(record("#pragma pack(push, 1)\nstruct T { char c; int i; };\n#pragma pack(pop)", "struct T").size, 5);
  assert.equal(places(record("struct T { int n; char data[]; };", "struct T")), "n@0 data@32");
});

test("constant expressions as the kernel's headers have them", () => {
  const values = `enum { A = (__typeof__((32)))(8) - 1, B = __builtin_constant_p(5) ? 63 - __builtin_clzll(32) : f(5),
    C = __builtin_choose_expr(0, 1, 2), D = __builtin_ffs(8), E = sizeof(1 + 2), F = sizeof(1UL << 40),
    G = 1 ? 4 : (sizeof(x) <= 4) ? g(1) : h(2), H = __builtin_ctz(8) + __builtin_popcount(255), I = sizeof("a\\n\\x41") };`;
  const all = define(values);
  assert.deepEqual(
    all.ownProblems().map((p) => p.message),
    [],
  );
  assert.deepEqual(
    [..."ABCDEFGHI"].map((name) => all.enumerator(name)?.value),
    [7n, 5n, 2n, 4n, 4n, 8n, 4n, 11n, 4n],
  );
});

test("enumerators count up, know their enum, and may be negative or wide", () => {
  const all = define("enum E { A, B = 5, C, D = B << 2 }; enum { M = -1 }; enum W { BIG = 1ULL << 40 };");
  assert.deepEqual(
    ["A", "B", "C", "D", "M"].map((name) => all.enumerator(name)?.value),
    [0n, 5n, 6n, 20n, -1n],
  );
  const type = all.enumerator("B")?.type;
  assert.ok(type?.kind === "enum" && type.name === "enum E" && type.size === 4 && !type.signed);
  assert.equal(all.type("enum E", "user"), type);
  const wide = all.type("enum W", "user");
  assert.ok(wide !== undefined && "kind" in wide && wide.kind === "enum" && wide.size === 8);
});

test("macros are given as they unfold", () => {
  const all = define("#define A (B | 2)\n#define B 1\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\n");
  assert.equal(all.macro("A"), "(1 | 2)");
  assert.equal(all.macro("MAX"), undefined);
  assert.equal(all.macroCall("MAX", ["$x", "A"]), "(($x) > ((1 | 2)) ? ($x) : ((1 | 2)))");
  assert.equal(all.macro("nothing"), undefined);
});

test("functions, variables, assertions and assembler of headers are read over", () => {
  const text =
    "extern int printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));\n" +
    "static inline int f(int x) { if (x) { return ({ int y = x; y; }); } return 0; }\n" +
    'int array[] = { 1, 2 }, other; _Static_assert(sizeof(int) == 4, "int"); asm("nop");\n' +
    "int (*handler(int sig, void (*h)(int)))(int);\n" +
    "struct T { int x; };";
  assert.deepEqual(problems(text), []);
  assert.equal(record(text, "struct T").size, 4);
});

test("a declaration that is none is skipped, told, and the next is read", () => {
  const text = "struct A { int x };\nint 5 x;\nstruct { + } b;\nstruct B { int y; };";
  assert.deepEqual(problems(text), ["expected ';' after a declaration, found '5'", "expected a type, found '+'"]);
  assert.equal(record(text, "struct B").size, 4);
  assert.deepEqual(problems("struct A { int x; }; struct A { int y; };"), ["redefinition of 'struct A'"]);
  assert.deepEqual(problems("struct A { int x : 40; };"), ["the width of 'x', '40', does not fit its type"]);
});

test("a structure with a member of unknown type says which", () => {
  const type = define("struct A { foo_t x; };").type("struct A", "user");
  assert.deepEqual(type, { problem: "the type 'foo_t' is unknown (member 'x' of struct A)" });
  const self = define("struct A { struct A a; };").type("struct A", "user");
  assert.ok(self !== undefined && "problem" in self);
});

test("any text ends in definitions and problems", () => {
  const seed =
    "typedef unsigned long size_t; enum E { A = 1, B = A + sizeof(size_t) } e; struct S { int a : 3, b; union { char c[B]; };\n" +
    "struct S *next; int (*f[2])(int); } __attribute__((packed, aligned(4))); static int g(void) { return 1; }\n" +
    '_Static_assert(1, "x"); extern struct T t[2][3]; union U { struct S s; long l; };';
  const random = randomNumbers(11);
  const pieces = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    "*",
    ":",
    ",",
    "struct ",
    "enum ",
    "=",
    "typedef ",
    "S",
    "9",
    "#if ",
  ];
  for (let round = 0; round < 1500; round++) {
    let damaged = seed;
    for (let i = random(5); i >= 0; i--) {
      const at = random(damaged.length + 1);
      damaged = damaged.slice(0, at) + pieces[random(pieces.length)] + damaged.slice(at + random(5));
    }
    const all = define(damaged);
    for (const name of all.typeNames()) {
      const type = all.type(name, "user");
      if (type !== undefined && "kind" in type && type.kind === "record") assert.ok(type.members().length >= 0);
    }
    all.ownProblems();
  }
  for (const deep of ["(", "struct S {", "[", "*", "(*"]) define(`int ${deep.repeat(20_000)}`).ownProblems();
  define(`enum { A = ${"(".repeat(20_000)} };`).ownProblems();
  define(`enum { A = ${"- ".repeat(20_000)} 1 };`).ownProblems();
});
