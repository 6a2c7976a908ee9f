import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript, compileText, complaint, complaints } from "../../test/support/compile-script.js";
import { FixtureKernel } from "../../test/support/fixture-kernel.js";
import type { Headers } from "../c/preprocess.js";
import type { TypedExpr } from "../language/typed.js";

const files: Readonly<Record<string, string>> = {
  "my.h": "struct mine { int a; long b; };\n#define LIMIT (4 * sizeof(struct mine))\nenum color { RED, GREEN = 7 };\n",
  "linux/fs.h": "#error the kernel's types are known: nobody reads this\n",
};
const headers: Headers = {
  kernel: false,
  find: (name) => {
    const text = files[name];
    return text === undefined ? undefined : { name, text, root: "/" };
  },
};

/** The values that a script prints, as far as they are constants. */
function printed(text: string): readonly (bigint | string)[] {
  const { script } = compileScript(text, { headers });
  const body = script.programs[0]?.body ?? [];
  return body.flatMap((statement): (bigint | string)[] => {
    if (statement.kind !== "evaluate" || statement.value.kind !== "builtin") return [];
    const [arg] = statement.value.args;
    const value: TypedExpr | undefined = arg?.kind === "value" ? arg.value : undefined;
    return value?.kind === "const" ? [value.value] : [value?.kind ?? "nothing"];
  });
}

test("macros are expressions, calls of them too", () => {
  assert.deepEqual(printed("#define A (B + 3)\n#define B 4\nBEGIN { print(A); print(2 * A); }"), [7n, 14n]);
  assert.deepEqual(printed("#define F(x, y) (x) * (y)\nBEGIN { print(F(2 + 1, 3)); print(F(F(1, 2), 2)); }"), [9n, 4n]);
  assert.deepEqual(printed('#define S "a" "b"\nBEGIN { print(S); }'), ["text"]);
});

test("types, enumerators and macros of headers", () => {
  assert.deepEqual(
    printed('#include "my.h"\nBEGIN { print(sizeof(struct mine)); print(LIMIT); print(GREEN); print((enum color)7); }'),
    [16n, 64n, 7n, 7n],
  );
  assert.deepEqual(
    printed("BEGIN { print(sizeof(struct mine)); print(LIMIT); }".replace("BEGIN", "#include <my.h>\nBEGIN")),
    [16n, 64n],
  );
});

test("a script without C does not have the kernel's type information read", () => {
  const kernel = new FixtureKernel();
  const blind = Object.assign(Object.create(kernel) as FixtureKernel, {
    btf: () => assert.fail("nobody needs it"),
  });
  assert.deepEqual(
    complaints('BEGIN { $x = (uint64)pid; @[comm] = $x; printf("%d", (int32)$x); }', { kernel: blind }),
    [],
  );
});

test("--include stands in front of the script", () => {
  const { unit } = compileText("BEGIN { print(LIMIT); }", { headers, include: ["my.h"] });
  assert.ok(unit);
});

test("the script's types win over the kernel's", () => {
  assert.deepEqual(printed("struct task_struct { char c[3]; } BEGIN { print(sizeof(struct task_struct)); }"), [3n]);
});

test("a definition without a semicolon may be followed by anything", () => {
  const text =
    "struct A { int x }\n#define N 3\nstruct B { struct A a[N]; } struct C { struct B b; };\nenum { P = 1 }\n" +
    "BEGIN { print(sizeof(struct A)); print(sizeof(struct B)); print(sizeof(struct C)); print(P); } struct D { char d; }";
  assert.deepEqual(printed(text), [4n, 12n, 12n, 1n]);
});

test("a kernel header is not needed as long as the kernel's type information knows everything", () => {
  assert.deepEqual(
    complaints("#include <linux/fs.h>\n#include <linux/nothing.h>\nBEGIN { print(sizeof(struct task_struct)); }", {
      headers,
    }),
    [],
  );
});

test("a header that is missing is a warning, and named where something is missed", () => {
  assert.deepEqual(complaints("#include <no/such.h>\nBEGIN { print(1); }", { headers }), [
    "warning missing-header 'include'",
  ]);
  const { diagnostics } = compileText("#include <linux/such.h>\nBEGIN { print(SUCH); }", { headers });
  assert.deepEqual(
    diagnostics.map((d) => `${d.message} | ${d.hint}`),
    [
      "nothing is called 'SUCH' | perhaps it is in the header 'linux/such.h', which was not found: -I adds a directory to search",
    ],
  );
  const { diagnostics: types } = compileText("#include <linux/such.h>\nBEGIN { print(sizeof(struct such)); }", {
    headers,
  });
  assert.match(types[0]?.hint ?? "", /'linux\/such\.h'/);
});

test("what is wrong in the script's own C is said where it stands", () => {
  const cases: Readonly<Record<string, string>> = {
    "struct A { int 5; };": "error bad-declaration '5'",
    "struct A { int x; }; struct A { int y; };": "error bad-declaration 'A'",
    "#if 1 +\n#endif": "error preprocessor '1'",
    "#error stop here": "error preprocessor 'error'",
    "#define": "error preprocessor 'define'",
  };
  for (const [text, expected] of Object.entries(cases)) {
    const found = complaint(`${text}\nBEGIN { }`);
    assert.equal(`${found.severity} ${found.code} '${found.at}'`, expected, text);
  }
});

test("a structure that cannot be laid out is told where it is used, with the reason", () => {
  const found = complaint("struct A { foo_t x; }; BEGIN { print(sizeof(struct A)); }");
  assert.equal(found.code, "incomplete-type");
  assert.match(found.message, /the type 'foo_t' is unknown/);
  assert.equal(found.at, "struct A");
});

test("a macro that is no expression is told where it is used", () => {
  const found = complaint("#define A do { } while (0)\nBEGIN { print(A); }");
  assert.deepEqual([found.code, found.at], ["bad-macro", "A"]);
});

test("enumerators of the kernel are known by name", () => {
  assert.deepEqual(printed("BEGIN { print(MQ_RQ_COMPLETE); }"), [2n]);
  assert.equal(complaint("BEGIN { print((enum color)3); } enum color { RED }").code, "bad-cast");
});

test("casts between integers and arrays", () => {
  const ok = [
    "print((int8[8])12345)",
    "print((uint64)(uint8[8])12345)",
    "print((int8[4])1)",
    '$x = (int8[])"hello"; print($x[1])',
    "print((bool[2])(uint16)1)",
    "print(((uint16[2])(uint32)5)[1])",
  ];
  for (const text of ok) assert.deepEqual(complaints(`BEGIN { ${text}; }`), [], text);
  const bad = [
    "(int32[3])12345",
    "(uint32)(uint8[8])1",
    '(int16[])"ab"',
    "(struct task_struct[1])1",
    "(uint8[4])(uint64)pid",
  ];
  for (const text of bad) assert.equal(complaint(`BEGIN { print(${text}); }`).code, "bad-cast", text);
});

test("a cast to the type that a value has is told, text may be pointed at", () => {
  const found = complaint("BEGIN { $x = (uint64)pid; print((uint64)$x); }");
  assert.deepEqual([found.severity, found.code, found.at], ["warning", "needless-cast", "(uint64)"]);
  assert.deepEqual(complaints('BEGIN { print(*(int32 *)"abc"); }'), []);
  assert.deepEqual(printed("struct F { int y; int x; } BEGIN { let $a: struct F *; print(offsetof(*$a, x)); }"), [4n]);
});

test("arrays in tuples are compared if they are of one type", () => {
  assert.equal(
    complaint("BEGIN { $a = (1, (int8[2])(int16)1); $b = (1, (int16[1])(int16)1); print($a == $b); }").code,
    "type-mismatch",
  );
  assert.deepEqual(
    complaints("BEGIN { $a = (1, (int8[2])(int16)1); $b = (2, (int8[2])(int16)pid); print($a == $b); }"),
    [],
  );
});
