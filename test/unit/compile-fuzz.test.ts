// Whatever is given as a script ends in diagnostics or in a program: no exception, no hang.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { randomNumbers } from "../fixtures/fuzz.js";
import { fixture } from "../fixtures/path.js";
import { compileText, complaints } from "../support/compile-script.js";
import { FixtureKernel } from "../support/fixture-kernel.js";

const golden = fixture("../golden");

/** Scripts that compile, between them using all of the language. */
const correct: readonly string[] = [
  'BEGIN { printf("%d %s %x %p\\n", pid, comm, 0x1F, 1_000); @x[tid, comm] = nsecs; exit(); } END { clear(@x); }',
  'kprobe:vfs_* /pid == 1 && comm != "sh"/ { @start[tid] = nsecs; @[func] = count(); }',
  "kretprobe:vfs_read { if (retval > 0) { @bytes = hist(retval); } else if (retval < -1) { @e[-retval]++ } else { @z = 1 } }",
  'tracepoint:syscalls:sys_enter_openat { printf("%s %s\\n", comm, str(args->filename)); @[str(args.filename, 16)] = count(); }',
  "tracepoint:sched:sched_switch { @[args.prev_comm, args.next_pid] = sum(args.prev_prio); @s = lhist(cpu, 0, 100, 10); }",
  "rawtracepoint:sched_switch { $t = (struct task_struct *)arg1; @[$t->comm, $t->parent->pid] = max($t->prio); }",
  "interval:s:1 { print(@x, 5, 10); clear(@x); zero(@y); delete(@y[1]); } BEGIN { @x[1] = count(); @y[1] = avg(5); }",
  'profile:hz:99 { @[kstack(perf, 10), ustack, comm] = count(); @r = reg("ip"); }',
  "uprobe:/fixture/tiny:* { @[probe, usym(arg0)] = stats(arg1); } software:cs:10 { @c++; }",
  "BEGIN { $i = 0; while ($i < 10) { if ($i == 5) { break; } $i++; continue; } unroll(3) { @a += $i } for ($j : 0..4) { @b = $j; } }",
  'BEGIN { $t = (1, "two", (3, comm)); print($t.2.1); $s = $t.1 == "two" ? 1 : 2; let $k: uint8 = 3; _ = $k; return; }',
  "config = { max_strlen = 100; max_map_keys = 10 } BEGIN { @[str($1), $2, $#] = sizeof(struct task_struct); @o = offsetof(struct task_struct, pid); }",
  'BEGIN { @x = -5; @x += 2; @x <<= 1; @y = (uint8)@x ^ ~3 | 4 & 5 % 7 / 2; @z = !@x || @y && 1; @w = ++@x + @y--; time("%H"); cat("/x"); join(0); }',
  'BEGIN { $a = { @n = 1; @n + 2 }; printf("%s %s %s", ntop(0x0100007f), ksym(1), strftime("%T", nsecs)); }',
  "struct In { int a:3; char b[4]; union { long c; void *d; }; } BEGIN { $p = (struct In *)0; print($p->b); @ = sizeof(struct In); }",
  "#define TWO 2\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\n#if TWO > 1\nenum E { A = TWO, B };\n#endif\nBEGIN { print(MAX(A, 5)); @e[B] = (enum E)2; }",
  "let @few = lruhash(10); macro add(@m, $v, x) { $v += x; @m[x] = $v; $v } BEGIN { $n = 1; print(add(@few, $n, 2)); }",
  'BEGIN { print(getopt("n", 5, "how many")); let $r: int64 = 3; if has_key(@k, 1) { print(@k[1]); } @k[1] = 2; }',
  'begin { for ($kv : @m) { print($kv.0); if ($kv.1 > 3) { break; } } @m[1] = 2; $r = (x=1, y="two"); print($r.y); }',
  'test:one { if (1 + 1 != 2) { return 1; } } bench:two { @ = count(); } self:signal:SIGUSR1 { print("signal"); }',
  `#include <a.h>\n#define N (2 + 1)\n#define MAX(a, b) ((a) > (b) ? (a) : (b))\n#if defined(N) && N > 2\nstruct in { short x, y; }\n#endif
   enum e { ONE = 1, TWO }; typedef unsigned long word; struct s { char c[4]; int b : 3, m[2][N]; union { word w; struct in in; };
   struct s *next; } __attribute__((packed)); uprobe:/fixture/tiny:twice { $s = (struct s *)arg0; @[$s.in, $s.c] = $s.m[1][arg1];
   $p = &$s; print(**$p); print($s.next->m); print((enum e)arg1); print(MAX(N, $s.b)); $v = arg2; print(*(struct in *)&$v);
   print((uint32)(uint8[4])(uint32)arg0); print(uptr($s).w + *kptr((int32 *)arg1 + 2)); print(sizeof(struct s) + offsetof(struct s, in.y)); }`,
];

/** What once ended in an exception. */
const fixed: readonly string[] = [
  "BEGIN { print(print(1)); }",
  "macro none() {} BEGIN { print(none()); }",
  "tracepoint:sched:sched_switch { @[args] = hist(args.prev_prio); }",
  'BEGIN { print(ksym("text")); print(is_err("text")); join("text"); }',
];

const seeds: readonly string[] = [
  ...correct,
  ...readdirSync(golden).map((name) => readFileSync(`${golden}/${name}`, "utf8").split("\n--- ", 1)[0] ?? ""),
];

const kernel = new FixtureKernel();
const options = { kernel, positional: ["word", "7"], unsafe: true, childPid: 7 };

/** Compiles, with all dumps on, and holds the result against what every caller relies on. */
function survive(text: string, what: string): void {
  try {
    const { unit, diagnostics } = compileText(text, { ...options, dump: () => {} });
    const failed = diagnostics.some((d) => d.severity === "error");
    assert.equal(unit === undefined, failed, "either a program or errors");
    for (const { span } of diagnostics) {
      if (span !== undefined) assert.ok(span.start >= 0 && span.start <= span.end && span.end <= text.length, "span");
    }
  } catch (error) {
    const shown = text.length > 2000 ? `${text.slice(0, 200)}... (${text.length} characters)` : text;
    throw new Error(`${what}: ${error instanceof Error ? error.stack : error}\n${shown}`);
  }
}

test("the seeds themselves compile", () => {
  for (const seed of correct)
    assert.deepEqual(
      complaints(seed, options).filter((c) => c.startsWith("error")),
      [],
      seed,
    );
});

test("what once ended in an exception ends in diagnostics", () => {
  for (const text of fixed) {
    survive(text, "fixed");
    assert.notDeepEqual(complaints(text, options), [], text);
  }
});

const tokens = [...new Set(seeds.join(" ").match(/[A-Za-z_]\w*|[@$]\w*|\d+|"[^"\n]*"|[^\s\w]/g) ?? [])];
const nasty = [
  "0x",
  "1e",
  "9".repeat(40),
  "1e19",
  '"',
  "/*",
  "//",
  "\\",
  "\0",
  "\u{1F600}",
  "\n",
  "é",
  "$",
  "@",
  "#",
  "::",
];

function mutate(text: string, random: (below: number) => number): string {
  const pieces = text.match(/\s+|[A-Za-z_]\w*|[@$]\w*|\d+|"[^"\n]*"|[\s\S]/g) ?? [];
  for (let i = random(4); i >= 0; i--) {
    const at = random(pieces.length);
    const from = random(pieces.length);
    const any = tokens[random(tokens.length)] ?? "";
    switch (random(8)) {
      case 0:
        pieces.splice(at, 1 + random(3));
        break;
      case 1:
        pieces.splice(at, 0, ...pieces.slice(from, from + 1 + random(20)));
        break;
      case 2:
        pieces[at] = any;
        break;
      case 3:
        pieces.splice(at, 0, any);
        break;
      case 4:
        pieces[at] = nasty[random(nasty.length)] ?? "";
        break;
      case 5: {
        const open = ["(", "{", "[", "-", "!", "*", "&", "@x[", "str("][random(9)] ?? "";
        pieces[at] = `${open.repeat(1 + random(300))}${pieces[at]}`;
        break;
      }
      case 6:
        [pieces[at], pieces[from]] = [pieces[from] ?? "", pieces[at] ?? ""];
        break;
      default:
        pieces.length = Math.max(1, at);
    }
  }
  return pieces.join("");
}

test("damaged scripts end in diagnostics or in a program", () => {
  const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 1500);
  const first = Number(process.env["FUZZ_SEED"] ?? 1);
  for (let round = first; round < first + rounds; round++) {
    const random = randomNumbers(round * 7919);
    random(2);
    survive(mutate(seeds[random(seeds.length)] ?? "", random), `round ${round}`);
  }
});

test("bytes that are no script at all", () => {
  const random = randomNumbers(5);
  for (let round = 0; round < 300; round++) {
    survive(String.fromCharCode(...Array.from({ length: random(60) }, () => random(256))), `bytes ${round}`);
  }
});

const many = 100_000;
const towers: Readonly<Record<string, string>> = {
  parentheses: `BEGIN { $x = ${"(".repeat(many)}1${")".repeat(many)}; }`,
  nots: `BEGIN { $x = ${"!".repeat(many)}1; }`,
  casts: `BEGIN { $x = ${"(int8)".repeat(many)}1; }`,
  blocks: `BEGIN { ${"{".repeat(many)}${"}".repeat(many)} }`,
  "open blocks": `BEGIN ${"{".repeat(many)}`,
  sums: `BEGIN { $a = 1; $x = ${"$a+".repeat(many)}$a; }`,
  "constant sums": `BEGIN { $x = ${"1+".repeat(many)}1; }`,
  ands: `BEGIN { $a = 1; if (${"$a&&".repeat(many)}$a) { $a = 2 } }`,
  members: `BEGIN { $x = curtask${"->parent".repeat(many)}->pid; }`,
  indexes: `BEGIN { @x${"[1]".repeat(many)}; }`,
  "else ifs": `BEGIN { $a = 1; if ($a) {} ${"else if ($a) {} ".repeat(many)} }`,
  ternaries: `BEGIN { $a = 1; $x = ${"$a ? 1 : ".repeat(many)}2; }`,
  tuples: `BEGIN { $x = ${"(1,".repeat(many)}2${")".repeat(many)}; }`,
  calls: `BEGIN { $x = ${"str(".repeat(many)}2${")".repeat(many)}; }`,
  predicate: `BEGIN /${"1/".repeat(many)} {}`,
  "bad characters": "\u0001".repeat(many),
  "attach points": `${"kprobe:vfs_read,".repeat(many)} { @x++ }`,
  errors: `BEGIN { ${"foo(1); ".repeat(10_000)} }`,
  "long text": `BEGIN { $x = "${"x".repeat(1_000_000)}"; }`,
  "long format": `BEGIN { printf("${"x".repeat(1_000_000)}"); }`,
  "long number": `BEGIN { $x = ${"9".repeat(1_000_000)}; }`,
  "long name": `BEGIN { ${"x".repeat(1_000_000)}(1); }`,
  "long comment": `/*${"x".repeat(1_000_000)}`,
  structures: `${"struct a { ".repeat(many)} int x; ${"} y; ".repeat(many)} BEGIN { }`,
  "pointers to pointers": `struct a { int ${"*".repeat(many)}x; } BEGIN { }`,
  "macros of C": `${Array.from({ length: 20_000 }, (_, i) => `#define M${i} M${i + 1} + M${i + 1}`).join("\n")}\nBEGIN { print(M0); }`,
  "macros within macros": `${Array.from({ length: 200 }, (_, i) => `macro m${i}(x) { m${i + 1}(x) + m${i + 1}(x) }`).join(" ")} BEGIN { print(m0(1)); }`,
  conditions: `${"#if 1\n".repeat(many)}BEGIN { }`,
  wildcard: `kprobe:${"a*".repeat(20_000)}b { }`,
  unrolled: "BEGIN { unroll (100) { unroll (100) { unroll (100) { @x++ } } } }",
  "huge array": "BEGIN { $x = sizeof(int8[99999999999999999999]); $y = ((int8[4000000000] *)1)->x; }",
};

for (const [name, text] of Object.entries(towers)) {
  test(`a tower of ${name}`, () => survive(text, name));
}

test("what is just deep enough passes all stages", () => {
  const deep = 990;
  for (const text of [
    `BEGIN { $a = nsecs; $x = ${"$a+".repeat(deep)}$a; @ = $x }`,
    `BEGIN { $a = nsecs; if (${"$a&&".repeat(deep)}$a) { @ = 2 } }`,
    `BEGIN { $a = nsecs; if (${"$a||".repeat(deep)}$a) { @ = 2 } }`,
    `BEGIN { @ = curtask${"->parent".repeat(deep - 2)}->pid; }`,
    `BEGIN { $a = nsecs; @ = ${"$a ? 1 : ".repeat(120)}2; }`,
    `BEGIN { $a = nsecs; @ = ${"(1,".repeat(120)}$a${")".repeat(120)}; }`,
    `BEGIN { $a = nsecs; @ = ${"-(".repeat(120)}$a${")".repeat(120)}; }`,
    `BEGIN { $a = nsecs; ${"if ($a) {".repeat(120)} @ = 1 ${"}".repeat(120)} }`,
  ]) {
    const { unit, diagnostics } = compileText(text, { kernel, dump: () => {} });
    assert.ok(unit, `${text.slice(0, 60)}: ${diagnostics[0]?.message}`);
  }
});

test("a thousand statements take about ten times what a hundred take", () => {
  const script = (n: number): string => `BEGIN { ${'$a = nsecs; @[$a] = count(); printf("%d\\n", pid); '.repeat(n)} }`;
  const size = (n: number): number => compileText(script(n), { kernel }).unit?.object.programs[0]?.code.length ?? 0;
  // Instructions rather than milliseconds: what is emitted must not grow faster than what is written.
  const [small, large] = [size(100), size(1000)];
  assert.ok(large > 9 * small && large < 11 * small, `${small} and ${large} bytes`);
});

test("compiling twice gives the same bytes", () => {
  for (const seed of seeds) {
    const [one, two] = [1, 2].map(() => compileText(seed, { ...options, kernel: new FixtureKernel() }).unit?.object);
    assert.deepEqual(one, two);
  }
});
