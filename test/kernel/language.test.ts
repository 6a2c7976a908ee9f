// Constructs of the language whose meaning the kernel has a part in, with known answers.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { lines, run, sameEverywhere } from "../support/run.js";

const e = (script: string, ...rest: string[]): string[] => ["-e", script, ...rest];

test("loops of any length, over numbers and over maps, and out of them", async () => {
  const script = `BEGIN { $sum = 0; for ($i : 0..100000) { $sum += $i; } print($sum);
    for ($i : 0..1000) { @m[$i] = $i * 2; } $n = 0; $total = 0; for ($kv : @m) { $n++; $total += $kv.1 - $kv.0; }
    print(($n, $total)); for ($i : 1..50) { for ($j : 0..$i) { if ($j == 30) { break; } @inner++; } if ($i == 40) { break; } }
    for ($kv : @m) { if ($kv.0 >= 10) { delete(@m, $kv.0); } } $left = 0; for ($kv : @m) { $left++; } print($left);
    clear(@m); exit(); }`;
  const { out } = await run(...e(script));
  // 1 + 2 + ... + 30, then 30 ten times.
  assert.deepEqual(lines(out), ["4999950000", "(1000, 499500)", "10", "@inner: 765"]);
});

test("aggregates in loops are sums over all processors", async () => {
  const script = `i:ms:10 { @c["a"] = count(); @s["a"] = sum(3); @n++; if (@n >= 20) { for ($kv : @c) { print($kv.1); }
    for ($kv : @s) { print($kv); } clear(@c); clear(@s); exit(); } }`;
  const { out } = await run(...e(script));
  assert.deepEqual(lines(out), ["20", "(a, 60)", "@n: 20"]);
});

test("a full lruhash drops keys without a loss, a full hash counts what it lost", async () => {
  const fill = "BEGIN { for ($i : 0..500) { @a[$i] = 1; } print(len(@a)); clear(@a); exit(); }";
  const lru = await run(...e(`let @a = lruhash(100); ${fill}`));
  assert.ok(Number(lines(lru.out)[0]) <= 100, lru.out);
  assert.doesNotMatch(lru.err, /Map full/);
  const hash = await run(...e(`let @a = hash(100); ${fill}`));
  assert.equal(lines(hash.out)[0], "100");
  assert.match(hash.err, /Map full; can't update element: lost 400 updates of @a/);
});

test("a division by zero is reported with its place, in JSON too", { skip: sameEverywhere }, async () => {
  const script = "BEGIN { @zero = 0; print(7 / @zero); @seven = 7; @seven %= @zero; exit(); }";
  const { out, err } = await run(...e(script));
  assert.deepEqual(lines(out), ["1", "@seven: 1", "@zero: 0"]);
  assert.match(err, /^stdin:1:26-35: WARNING: Divide or modulo by 0 detected/m);
  const json = await run("-f", "json", ...e(script));
  assert.match(json.out + json.err, /Divide or modulo by 0/);
});

test("scripts import others, from files beside them that not everybody may write to", {
  skip: sameEverywhere,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-import-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "lib", "a.bt"), 'macro twice(x) { x * 2 }\nBEGIN { print("first"); }\n');
  writeFileSync(join(folder, "lib", "pair.h"), "struct pair { int left; int right; };\n");
  writeFileSync(join(folder, "main.bt"), 'import "lib";\nBEGIN { print(twice(sizeof(struct pair))); exit(); }\n');
  const { out } = await run(join(folder, "main.bt"));
  assert.deepEqual(lines(out), ["first", "16"]);
  chmodSync(join(folder, "lib"), 0o777);
  const refused = await run(join(folder, "main.bt"));
  assert.match(refused.err, /everybody may write to the directory/);
});

test("parameters of the script", { skip: sameEverywhere }, async () => {
  const script = 'BEGIN { print((getopt("n", 5, "how many"), getopt("v"), $1, $#)); exit(); }';
  assert.deepEqual(lines((await run(...e(script, "x", "--", "--n=7", "--v"))).out), ["(7, true, x, 1)"]);
  assert.match((await run(...e(script, "--", "--m=7"))).err, /unexpected program command line options: --m/);
  assert.match((await run(...e(script, "--", "--help"))).out, /^--n: how many$[\s\S]*^Defaults: --n=5 --v=false$/m);
});

test("--fmt prints the script and runs nothing", { skip: sameEverywhere }, async () => {
  const { out } = await run("--fmt", ...e("BEGIN{print(1);if(1){exit()}}"));
  assert.equal(out, "BEGIN\n{\n  print(1);\n  if (1) {\n    exit()\n  }\n}\n");
});

test("the name of an attach point is text: searched, compared with another's, kept and empty before", async () => {
  const script = `BEGIN { print((@kept == "", strlen(@kept), @other[1] == "begin")); $p = probe; print($p == "begin"); }
    t:syscalls:sys_enter_getppid { @kept = probe; }
    t:syscalls:sys_*_getppid { if (strcontains(probe, "enter")) { @enter++; } else { @exit[strlen(probe)]++; } }
    t:syscalls:sys_exit_getppid /@kept == "tracepoint:syscalls:sys_enter_getppid" && @kept != probe/ { @ok++; exit(); }
    t:syscalls:sys_exit_getppid /@kept == "tracepoint:syscalls:sys_exit_getppid"/ { @wrong++; }
    t:syscalls:sys_exit_getppid /0/ { @other[1] = probe; }`;
  const { out, err } = await run("-q", ...e(script), "-c", `${process.execPath} -e process.ppid`);
  const printed = lines(out);
  assert.deepEqual(printed.slice(0, 2), ["(true, 0, false)", "true"], err);
  assert.ok(printed.includes("@kept: tracepoint:syscalls:sys_enter_getppid"), out);
  assert.ok(printed.includes("@ok: 1"), out);
  assert.ok(!out.includes("@wrong"), out);
  assert.match(out, /@exit\[36\]: 1/);
  assert.match(out, /@enter: 1/);
});
