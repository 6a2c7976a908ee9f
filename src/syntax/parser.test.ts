import assert from "node:assert/strict";
import { test } from "node:test";
import { Diagnostics } from "../base/diagnostics.js";
import type { AstExpr, AstProgram, AstStatement, AstType } from "./ast.js";
import { parse, parseExpression } from "./parser.js";

function read(text: string): { readonly program: AstProgram; readonly errors: readonly string[] } {
  const diags = new Diagnostics();
  const program = parse({ name: "test", text }, diags);
  const errors = diags.list.map(({ span, message }) => `${message} @${span && text.slice(span.start, span.end)}`);
  return { program, errors };
}

/** An expression with every grouping spelled out. */
function show(e: AstExpr): string {
  switch (e.kind) {
    case "int":
      return `${e.value}`;
    case "string":
      return JSON.stringify(e.value);
    case "bool":
      return `${e.value}`;
    case "name":
    case "variable":
      return e.name;
    case "positional":
      return `$${e.index}`;
    case "positional-count":
      return "$#";
    case "map":
      return e.keys === undefined ? e.name : `${e.name}[${e.keys.map(show).join(", ")}]`;
    case "call":
      return `${e.name}(${e.args.map(show).join(", ")})`;
    case "unary":
      return `(${e.op}${show(e.operand)})`;
    case "step":
      return e.prefix ? `(${e.op}${show(e.target)})` : `(${show(e.target)}${e.op})`;
    case "binary":
      return `(${show(e.left)} ${e.op} ${show(e.right)})`;
    case "ternary":
      return `(${show(e.condition)} ? ${show(e.then)} : ${show(e.else)})`;
    case "cast":
      return `((${showType(e.type)})${show(e.operand)})`;
    case "member":
      return `${show(e.object)}${e.arrow ? "->" : "."}${e.name}`;
    case "item":
      return `${show(e.object)}.${e.index}`;
    case "index":
      return `${show(e.object)}[${show(e.index)}]`;
    case "tuple":
      return `(${e.items.map(show).join(", ")},)`;
    case "record":
      return `(${e.fields.map((field) => `${field.name}=${show(field.value)}`).join(", ")})`;
    case "type":
      return `typeof(${showType(e.type)})`;
    case "sizeof":
    case "typeinfo":
      return `${e.kind}(${e.type === undefined ? (e.operand === undefined ? "" : show(e.operand)) : `type ${showType(e.type)}`})`;
    case "offsetof":
      return `offsetof(${showType(e.type)}, ${e.path.join(".")})`;
    case "block":
      return `{ ${e.body.map(showStatement).join(" ")} ${e.value === undefined ? "" : show(e.value)} }`;
  }
}

const showType = (type: AstType): string =>
  `${type.typeOf === undefined ? type.name : `typeof(${show(type.typeOf)})`}${type.suffixes.map((s) => (s === "*" ? s : `[${s}]`)).join("")}`;

const block = (body: readonly AstStatement[]): string => `{ ${body.map(showStatement).join(" ")} }`;

function showStatement(s: AstStatement): string {
  switch (s.kind) {
    case "expression":
      return `${show(s.value)};`;
    case "assign":
      return `${show(s.target)} ${s.op} ${show(s.value)};`;
    case "discard":
      return `_ = ${show(s.value)};`;
    case "let":
      return `let ${s.variable.name}${s.type === undefined ? "" : `: ${showType(s.type)}`}${s.value === undefined ? "" : ` = ${show(s.value)}`};`;
    case "if":
      return `if ${show(s.condition)} ${block(s.then)}${s.else.length > 0 ? ` else ${block(s.else)}` : ""}`;
    case "unroll":
      return `unroll ${show(s.count)} ${block(s.body)}`;
    case "while":
      return `while ${show(s.condition)} ${block(s.body)}`;
    case "for-range":
      return `for ${s.variable.name} : ${show(s.from)}..${show(s.to)} ${block(s.body)}`;
    case "for-map":
      return `for ${s.variable.name} : ${s.map.name} ${block(s.body)}`;
    case "block-statement":
      return block(s.body);
    case "return":
      return `return${s.value === undefined ? "" : ` ${show(s.value)}`};`;
    case "break":
    case "continue":
      return `${s.kind};`;
  }
}

/** The statements of an action, with nothing to complain of. */
function statements(body: string): string {
  const { program, errors } = read(`BEGIN { ${body} }`);
  assert.deepEqual(errors, [], body);
  return (program.probes[0]?.body ?? []).map(showStatement).join(" ");
}

const expression = (text: string): string => statements(`$x = ${text};`).replace(/^\$x = (.*);$/, "$1");

test("operators bind as in C", () => {
  const cases: Readonly<Record<string, string>> = {
    "1 + 2 * 3": "(1 + (2 * 3))",
    "1 - 2 - 3": "((1 - 2) - 3)",
    "1 << 2 + 3": "(1 << (2 + 3))",
    "1 < 2 == 3 > 4": "((1 < 2) == (3 > 4))",
    "1 & 2 == 3": "(1 & (2 == 3))",
    "1 | 2 ^ 3 & 4": "(1 | (2 ^ (3 & 4)))",
    "1 || 2 && 3": "(1 || (2 && 3))",
    "1 ? 2 : 3 ? 4 : 5": "(1 ? 2 : (3 ? 4 : 5))",
    "1 ? 2 ? 3 : 4 : 5": "(1 ? (2 ? 3 : 4) : 5)",
    "!1 == 2": "((!1) == 2)",
    "-1 * ~2": "((-1) * (~2))",
    "- -1": "(-(-1))",
    "*$p.x": "(*$p.x)",
    "(*$p).x": "(*$p).x",
    "&$p->x[1]": "(&$p->x[1])",
    "1 + $i++ - ++$i": "((1 + ($i++)) - (++$i))",
    "10 / 5 % 3": "((10 / 5) % 3)",
  };
  for (const [text, grouped] of Object.entries(cases)) assert.equal(expression(text), grouped, text);
});

test("primary and postfix expressions", () => {
  const cases: Readonly<Record<string, string>> = {
    '"a" "b"': '"ab"',
    "@m[1, comm]": "@m[1, comm]",
    "@m[(1, 2)]": "@m[(1, 2,)]",
    "@": "@",
    "args.x": "args.x",
    "args->x.y[2]": "args->x.y[2]",
    "$t.1.2": "$t.1.2",
    "(1, 2, 3)": "(1, 2, 3,)",
    "(1,)": "(1,)",
    "()": "(,)",
    "(1)": "1",
    "str($1, 5)": "str($1, 5)",
    "nsecs()": "nsecs()",
    "$# + $0": "($# + $0)",
    "true && !false": "(true && (!false))",
    "{ $y = 1; $y + 2 }": "{ $y = 1; ($y + 2) }",
  };
  for (const [text, shown] of Object.entries(cases)) assert.equal(expression(text), shown, text);
});

test("casts, and parentheses that are none", () => {
  const cases: Readonly<Record<string, string>> = {
    "(uint8)$x + 1": "(((uint8)$x) + 1)",
    "(struct task_struct *)arg0": "((struct task_struct*)arg0)",
    "((struct sock *)arg0)->sk_family": "((struct sock*)arg0)->sk_family",
    "(unsigned long)5": "((unsigned long)5)",
    "(const char *)arg1": "((char*)arg1)",
    "(sock *)arg0": "((sock*)arg0)",
    "(uint8[4])$x": "((uint8[4])$x)",
    "($x) - 1": "($x - 1)",
    "(pid) - 1": "(pid - 1)",
    "(pid) * 2": "(pid * 2)",
    "sizeof(struct file)": "sizeof(type struct file)",
    "sizeof(uint32 *)": "sizeof(type uint32*)",
    "sizeof($x)": "sizeof($x)",
    "offsetof(struct file, f_path.dentry)": "offsetof(struct file, f_path.dentry)",
  };
  for (const [text, shown] of Object.entries(cases)) assert.equal(expression(text), shown, text);
});

test("statements", () => {
  assert.equal(
    statements("if (1) { $a = 1 } else if ($a) { } else { $b = 2; }"),
    "if 1 { $a = 1; } else { if $a {  } else { $b = 2; } }",
  );
  assert.equal(
    statements("unroll (3) { @++ } while ($i < 3) { break; continue }"),
    "unroll 3 { (@++); } while ($i < 3) { break; continue; }",
  );
  assert.equal(
    statements("for ($i : 0..10) { } for $k : @m { print($k) }"),
    "for $i : 0..10 {  } for $k : @m { print($k); }",
  );
  assert.equal(statements("let $a; let $b: uint8 = 3; let $c = comm;"), "let $a; let $b: uint8 = 3; let $c = comm;");
  assert.equal(
    statements("@x += 1; @y[1] <<= 2; $z ^= 3; _ = pid; return; { @q = 1; };;"),
    "@x += 1; @y[1] <<= 2; $z ^= 3; _ = pid; return; { @q = 1; }",
  );
  assert.equal(statements("@x = count(); clear(@x); exit()"), "@x = count(); clear(@x); exit();");
});

test("probes: several attach points, predicates with and without spaces", () => {
  const shown = (text: string): string[] => {
    const { program, errors } = read(text);
    assert.deepEqual(errors, [], text);
    return program.probes.map(({ attachPoints, predicate, body }) => {
      const points = attachPoints.map(({ provider, parts }) => [provider, ...parts].join("|")).join(" , ");
      return `${points}${predicate === undefined ? "" : ` / ${show(predicate)} /`} ${block(body)}`;
    });
  };
  const cases: Readonly<Record<string, readonly string[]>> = {
    "kprobe:vfs_read{exit()}": ["kprobe|vfs_read { exit(); }"],
    "kprobe:a, kprobe:b ,kprobe:c\n{ }": ["kprobe|a , kprobe|b , kprobe|c {  }"],
    "kprobe:a, { }": ["kprobe|a {  }"],
    "kprobe:vfs_read/pid==1/{ }": ["kprobe|vfs_read / (pid == 1) / {  }"],
    "kprobe:vfs_read / pid / 2 == 1 / { }": ["kprobe|vfs_read / ((pid / 2) == 1) / {  }"],
    "kprobe:vfs_*/@a[pid]/{ } END{}": ["kprobe|vfs_* / @a[pid] / {  }", "END {  }"],
    "uprobe:/bin/bash:readline { }": ["uprobe|/bin/bash|readline {  }"],
    "uprobe:/bin/bash:readline/pid/{ }": ["uprobe|/bin/bash|readline / pid / {  }"],
    'uprobe:"/my dir/a,b{":f { }': ["uprobe|/my dir/a,b{|f {  }"],
    'kprobe:"a b" { }': ["kprobe|a b {  }"],
    "u:./lib.so:_Z3foov+0x10 {}": ["u|./lib.so|_Z3foov+0x10 {  }"],
    "tracepoint:syscalls:sys_enter_* // comment\n{ }": ["tracepoint|syscalls|sys_enter_* {  }"],
    "t:a:b/* comment */{ }": ["t|a|b {  }"],
    "uprobe:/bin/*:main,usdt:./lib*/*.so:a:b { }": ["uprobe|/bin/*|main , usdt|./lib*/*.so|a|b {  }"],
    "profile:hz:99,interval:s:1 { }": ["profile|hz|99 , interval|s|1 {  }"],
    "i:1s {} p:100ms {}": ["i|1s {  }", "p|100ms {  }"],
    "hardware:cache-misses: { }": ["hardware|cache-misses| {  }"],
    "iter:task:/sys/fs/bpf/list /pid/ { } it:task/pid/{ }": [
      "iter|task|/sys/fs/bpf/list / pid / {  }",
      "it|task / pid / {  }",
    ],
    "kprobe:a[bc]?d { }": ["kprobe|a[bc]?d {  }"],
  };
  for (const [text, probes] of Object.entries(cases)) assert.deepEqual(shown(text), probes, text);
});

test("what stands above the probes", () => {
  const { program, errors } = read(
    '#!/usr/bin/bpftrace\n#include <linux/fs.h>\n#include "my.h"\nconfig = { max_strlen = 64; stack_mode = perf; x = "text" }\nBEGIN { }',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(
    program.preamble.map(({ source, start, end }) => source.text.slice(start, end)),
    ["#include <linux/fs.h>", '#include "my.h"'],
  );
  assert.deepEqual(
    program.config.map(({ key, value }) => `${key}=${value}`),
    ["max_strlen=64", "stack_mode=perf", "x=text"],
  );
});

test("syntax errors say where and what was expected", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "": ["this script has no probe @"],
    BEGIN: ["expected '{' to open a block, found the end of the script @"],
    "BEGIN {": ["this block has no end @{"],
    "BEGIN { $x = ; }": ["expected an expression, found ';' @;"],
    "BEGIN { 5 = 6; }": ["only a variable ($x) or a map (@x) can be assigned to @5"],
    "BEGIN { $x = 1 $y = 2 }": ["expected ';' or '}' after this statement, found '$y' @$y"],
    "BEGIN { if { } }": ["expected a condition after if, found '{' @{"],
    "BEGIN { @x[] = 1; }": ["a map key is missing between the brackets @="],
    "BEGIN { $x = (1; }": ["expected ')' to close the parenthesis, found ';' @;"],
    "BEGIN { ++5; }": ["++ needs a variable or a map @5"],
    "BEGIN { $x = { $y = 1; }; }": ["this block has no value @{ $y = 1; }"],
    "BEGIN { print(1, ; }": ["expected an expression, found ';' @;"],
    "BEGIN { $x.+; }": ["expected the name of a member, found '+' @+"],
    "BEGIN { for ($i : 5) { } }": ["a for loop runs over a map (@m) or a range (0..10) @5"],
    "BEGIN /1 { }": ["expected '/' to end the predicate, found '{' @{"],
    "{ }": ["expected a probe, e.g. kprobe:vfs_read @{"],
    'uprobe:"/bin/x { }': [
      'this attach point has an open quote @uprobe:"/bin/x { }',
      'this string has no end @"/bin/x { }',
    ],
    "config = { x 5 } BEGIN { }": ["expected '=' after the name of the setting, found '5' @5"],
  };
  for (const [text, expected] of Object.entries(cases)) assert.deepEqual(read(text).errors, expected, text);
});

test("several errors in one script, each reported once, and what is right is still read", () => {
  const { program, errors } = read("BEGIN { $a = ; $b = 2; $c = ]; $d = 4 } kprobe:x { foo( } END { $e = 5 }");
  assert.deepEqual(errors.length, 3);
  const [begin, , end] = program.probes;
  assert.equal(begin && block(begin.body), "{ $b = 2; $d = 4; }");
  assert.equal(end && block(end.body), "{ $e = 5; }");
});

test("C stands above the probes, as it is written", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    "struct A { int x[2]; } BEGIN { }": ["struct A { int x[2]; }"],
    "union A { char c; }; BEGIN { }": ["union A { char c; };"],
    "enum { A, B = '}', };\nenum E { C };BEGIN { }": ["enum { A, B = '}', };", "enum E { C };"],
    "struct A; typedef struct { int x; } a_t, *a_p; BEGIN { }": ["struct A;", "typedef struct { int x; } a_t, *a_p;"],
    "struct A { int x; } /* } */ __attribute__ /**/ ((packed)) __attribute__((aligned(1))); BEGIN { }": [
      "struct A { int x; } /* } */ __attribute__ /**/ ((packed)) __attribute__((aligned(1)));",
    ],
    "struct A { int x; } // ;\nBEGIN { }": ["struct A { int x; }"],
    "#define A 1 + \\\n 2\n#define B 3 /* over\n lines */\nBEGIN { }": [
      "#define A 1 + \\\n 2",
      "#define B 3 /* over\n lines */",
    ],
    'BEGIN { }\n#define S "a\\"b" // c\n': ['#define S "a\\"b" // c'],
  };
  for (const [text, parts] of Object.entries(cases)) {
    const { program, errors } = read(text);
    assert.deepEqual(errors, [], text);
    const preamble = program.preamble.map(({ source, start, end }) => source.text.slice(start, end));
    assert.deepEqual(preamble, parts, text);
    assert.equal(program.probes.length, 1, text);
  }
  assert.deepEqual(read("struct A { int x;").errors, ["this struct has no end @struct"]);
});

test("an expression that stands alone", () => {
  const diags = new Diagnostics();
  const parsed = parseExpression({ name: "test", text: "(1 + 2) * $x" }, diags);
  assert.equal(parsed === undefined ? "" : show(parsed), "((1 + 2) * $x)");
  for (const text of ["", "1 +", "1 2", ")"]) assert.equal(parseExpression({ name: "test", text }, diags), undefined);
});
