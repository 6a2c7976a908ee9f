// Addresses, and structures and arrays that are read through them, run in the interpreter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";
import { valueText } from "../output/value-text.js";

/** What an action prints, without line ends. */
function printed(text: string, registers: Readonly<Record<string, bigint>> = {}): string {
  const { events } = new Simulation(text).fire({ registers });
  const shown = events.map((event) => {
    if (event.kind === "value" || event.kind === "entry") return valueText(event.value);
    return event.kind === "printf" ? event.text : event.kind;
  });
  return shown.join("");
}

const action = (body: string, registers: Readonly<Record<string, bigint>> = {}): string =>
  printed(`kprobe:vfs_read { ${body} }`, registers);

test("a variable's address shows what is assigned later, too", () => {
  assert.equal(
    action("$a = (uint64)arg0; $p = &$a; print(*$p); $a = 7; print(*$p); $a++; print(*$p);", { arg0: 3n }),
    "378",
  );
  assert.equal(action("$t = (1, (int32)2); $p = &$t; print(*$p);"), "(1, 2)");
  assert.equal(action('$s = "hello"; $p = &$s; print(*$p);'), "hello");
});

test("a variable whose address is taken works in loops", () => {
  assert.equal(action("$i = (int64)0; $p = &$i; while ($i < 3) { $i++; } print(*$p);"), "3");
  assert.equal(action("$n = (int64)0; for ($i : 0..4) { $n += $i; } $p = &$n; print(*$p);"), "6");
  assert.equal(action("$n = (int64)0; $p = &$n; for ($i : 0..40) { $n += 1; } print(*$p);"), "40");
});

test("a map's address is that of its value", () => {
  assert.equal(action("@x = 5; print(*(&@x)); @y[1] = 6; $p = &@y[1]; print(*$p);"), "56");
});

const bits = "struct B { unsigned int a:4, b:8, c:3; int d:5; unsigned long e:50; }";

test("bit fields of any width, signed ones by their sign", () => {
  // e does not fit behind d: it begins at the next word.
  const word = 0x9n | (0xabn << 4n) | (0x5n << 12n) | (0x1bn << 15n);
  const text = `${bits} kprobe:vfs_read { $w = (arg0, arg1); $b = (struct B *)&$w; print(($b.a, $b.b, $b.c, $b.d, $b.e)); print(*$b); }`;
  assert.equal(
    printed(text, { arg0: word, arg1: 0x3_ffff_ffff_ffffn }),
    "(9, 171, 5, -5, 1125899906842623){ .a = 9, .b = 171, .c = 5, .d = -5, .e = 1125899906842623 }",
  );
});

test("packed bit fields across eight and nine bytes", () => {
  const text = `struct __P { unsigned long a:5; long b:60; unsigned long c:40; unsigned char d; } __attribute__((packed));
    kprobe:vfs_read { $w = (arg0, arg1); $p = (struct __P *)&$w; print(($p.a, $p.b, $p.c, $p.d)); print(*$p); }`;
  const all = 0x11n | (BigInt.asUintN(60, -3n) << 5n) | (0xab_cdef_0123n << 65n) | (0x7fn << 112n);
  assert.equal(
    printed(text, { arg0: BigInt.asIntN(64, all), arg1: BigInt.asIntN(64, all >> 64n) }),
    "(17, -3, 737894400291, 127){ .a = 17, .b = -3, .c = 737894400291, .d = 127 }",
  );
});

test("an array of char that is full has all of its text", () => {
  const text = `struct S { char c[4]; char d[4]; } kprobe:vfs_read { $w = arg0; $s = (struct S *)&$w; print($s.c); $c = $s.c; print($c);
    print(*$s); @m[$s.c] = 1; print(@m["abcd"]); if ($s.c == "abcd") { print(2) } if ($c == "abc") { print(3) } print(sizeof(struct S));
    $v = *$s; print($v.c); @v = *$s; print(@v.d); print(($s.d, 1)); }`;
  assert.equal(printed(text, { arg0: 0x6867_6665_6463_6261n }), "abcdabcd{ .c = abcd, .d = efgh }128abcdefgh(efgh, 1)");
});

test("structures print as they are declared", () => {
  const text = `struct In { short x; short y; } struct S { struct In in; struct { char c; unsigned char u[3]; }; union { int i; char t[4]; }; float f; int z; }
    kprobe:vfs_read { $w = (arg0, arg1, arg2); print(*(struct S *)&$w); }`;
  assert.equal(
    printed(text, { arg0: 0x0403_02ff_fffe_0001n, arg1: 0x6261n, arg2: 9n }),
    "{ .in = { .x = 1, .y = -2 }, .c = -1, .u = [2,3,4], .i = 25185, .t = ab, .f = null, .z = 9 }",
  );
});

test("arrays: of arrays, of structures, by constant and computed index", () => {
  const text = `struct P { short x; short y; } struct A { short m[2][2]; struct P p[2]; }
    kprobe:vfs_read { $w = (arg0, arg1); $a = (struct A *)&$w; $i = arg2;
      print($a.m); print($a.m[1]); print($a.m[1][0]); print($a.m[$i][$i]); print($a.p[$i].y); print($a.p[0].x);
      $m = $a.m; print($m[$i][0]); $p = $a.p; print($p[$i].x); @m[$a.m[0]] = $a.p; print(@m[$a.m[0]][1].y); }`;
  assert.equal(
    printed(text, { arg0: 0x0004_0003_0002_0001n, arg1: 0x0008_0007_0006_0005n, arg2: 1n }),
    "[[1,2],[3,4]][3,4]348537" + "8",
  );
});

test("pointers: steps of the pointee's size, differences, pointers to pointers", () => {
  const text = `kprobe:vfs_read { $w = (arg0, arg1); $p = (uint16 *)&$w; print($p[1]); print(*($p + 2)); print((uint64)($p + 3) - (uint64)$p);
    $q = &$p; print(**$q); $s = (uint16 *)&$w; $s++; print(*$s); $s += 2; print(*$s); }`;
  assert.equal(printed(text, { arg0: 0x0004_0003_0002_0001n }), "2361" + "24");
});

test("an index beyond an array is told, and what follows goes on", () => {
  const events = new Simulation("kprobe:vfs_read { $a = (uint8[4])(uint32)arg0; print($a[arg1]); print(1); }").fire({
    registers: { arg0: 5n, arg1: 4n },
  }).events;
  assert.deepEqual(
    events.map((e) => e.kind),
    ["runtime-error", "value", "value"],
  );
});

test("casts between integers and arrays keep the bytes", () => {
  assert.equal(action("print((uint8[4])(uint32)arg0);", { arg0: 0x0403_0201n }), "[1,2,3,4]");
  assert.equal(action("print((uint16[2])(uint32)arg0);", { arg0: 0x0403_0201n }), "[513,1027]");
  assert.equal(action("print((uint64)(uint8[8])arg0);", { arg0: 99n }), "99");
  assert.equal(action('print((int8[])"ab");'), "[97,98,0]");
  assert.equal(action("print((bool[2])(uint16)arg0);", { arg0: 1n }), "[true,false]");
});

test("enumerators print by name, and what is computed from them as a number", () => {
  const text = `enum E { ONE = 1, TWO } kprobe:vfs_read { print(ONE); print((enum E)arg0); print(ONE + 1); $t = (ONE, TWO); print($t);
    printf("%d %s", TWO, TWO); @m[ONE] = TWO; print(@m[ONE]); }`;
  assert.equal(printed(text, { arg0: 2n }), "ONETWO2(ONE, TWO)2 TWOTWO");
  assert.equal(printed("enum E { ONE = 1 } kprobe:vfs_read { print((enum E)arg0); }", { arg0: 7n }), "7");
});

test("bit fields of enums and of bool print by name, and have the size of their type", () => {
  const text = `enum E { ONE = 1, TWO, THREE } struct S { enum E a:2, b:3; int c:5; }
    kprobe:vfs_read { $w = arg0; $s = (struct S *)&$w; print($s.b); print(*$s); print(sizeof($s.c)); print($s.b + 1); }`;
  assert.equal(printed(text, { arg0: 0b11101_010_11n }), "TWO{ .a = THREE, .b = TWO, .c = -3 }43");
});
