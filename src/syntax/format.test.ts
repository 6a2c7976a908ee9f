import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { Diagnostics } from "../base/diagnostics.js";
import { formatScript } from "./format.js";
import { Lexer } from "./lexer.js";
import { parse } from "./parser.js";

function format(text: string): string {
  const diags = new Diagnostics();
  const source = { name: "test", text };
  const program = parse(source, diags);
  assert.equal(diags.failed, false, `${text}\n${diags.list.map((d) => d.message).join("\n")}`);
  return formatScript(source, program);
}

/** Tokens and comments, which formatting must leave alone. */
function essence(text: string): string {
  return text.replace(/\s+/g, "");
}

test("a script is laid out, its comments and blank lines stay", () => {
  const text = `#!/usr/bin/env beetrace
// above
#include <linux/fs.h>
struct Foo { int a; };
config={max_map_keys=5;stack_mode=raw}
let @a=hash(10);
macro add(x,$y){x+$y}
/* block
 * comment */
tracepoint:syscalls:sys_enter_read,kprobe:vfs_read/pid==1&&comm=="x"/{ $x=1;$y  =  -2; // behind
if($x==1){print(1)}else if ($x>2) {print(2);} else{ $y++; }

@[comm,pid]=count();for($kv:@){print($kv.0);}for $i:0..10{ @x[$i]=(a=1,b=-2); }
$w=*(uint8*)arg0;$q=((struct task_struct*)curtask)->pid;let $t:uint8=5;$b={let $c=1;$c};$v=!$x?~1:2*3;
@=(uint8)$x; print(sizeof(uint8*[2])); return;
}
END{}
`;
  assert.equal(
    format(text),
    `#!/usr/bin/env beetrace
// above
#include <linux/fs.h>
struct Foo { int a; };
config = {
  max_map_keys = 5;
  stack_mode = raw
}
let @a = hash(10);
macro add(x, $y)
{
  x + $y
}
/* block
 * comment */
tracepoint:syscalls:sys_enter_read,
kprobe:vfs_read
/pid == 1 && comm == "x"/
{
  $x = 1;
  $y = -2; // behind
  if ($x == 1) {
    print(1)
  } else if ($x > 2) {
    print(2);
  } else {
    $y++;
  }

  @[comm, pid] = count();
  for ($kv : @) {
    print($kv.0);
  }
  for $i : 0..10 {
    @x[$i] = (a=1, b=-2);
  }
  $w = *(uint8 *)arg0;
  $q = ((struct task_struct *)curtask)->pid;
  let $t : uint8 = 5;
  $b = {
    let $c = 1;
    $c
  };
  $v = !$x ? ~1 : 2 * 3;
  @ = (uint8)$x;
  print(sizeof(uint8*[2]));
  return;
}
END { }
`,
  );
});

test("long lines are broken at commas", () => {
  const args = Array.from({ length: 30 }, (_, i) => `$a${i}`).join(", ");
  const formatted = format(`BEGIN { $a0 = 1; printf("%d, %d", ${args}); }`);
  assert.ok(
    formatted.split("\n").every((line) => line.length <= 100),
    formatted,
  );
  assert.equal(essence(formatted), essence(`BEGIN{$a0=1;printf("%d,%d",${args});}`));
});

test("formatting changes nothing but space, and what is formatted stays as it is", () => {
  const folder = fixture("../golden");
  const scripts = readdirSync(folder).filter((name) => name.endsWith(".case"));
  let checked = 0;
  for (const name of scripts) {
    const content = readFileSync(join(folder, name), "utf8");
    checkOne(content.split(/^--- /m, 1)[0] ?? "");
  }
  for (const text of [
    "BEGIN { @a[1] = -1; @b = 1 - -1; $p = (uint64 *)0; print(*$p - 1); print(($p - 1)); print(-(1 + 2)); }",
    "kprobe:f /arg0 / 2 > 1/ { if (arg0) { exit(); } }",
    'BEGIN { $a = str(0); if ($a == "/") { print("/"); } print(6 / 2); } kprobe:g /1/ { }',
    "BEGIN { /* a */ print(1); /* b */ /* c */\n// d\n\n\n\n }",
  ])
    checkOne(text);

  function checkOne(text: string): void {
    const diags = new Diagnostics();
    const source = { name: "test", text };
    const program = parse(source, diags);
    if (diags.failed) return;
    checked++;
    const once = formatScript(source, program);
    assert.equal(essence(once), essence(text));
    assert.deepEqual(tokensOf(once), tokensOf(text));
    assert.equal(format(once), once);
  }
  assert.ok(checked >= 10);
});

/** The same words in the same order: space must not have joined or parted any. */
function tokensOf(text: string): readonly string[] {
  const lexer = new Lexer({ name: "test", text }, new Diagnostics());
  const found: string[] = [];
  for (let token = lexer.next(); token.kind !== "end"; token = lexer.next()) found.push(token.text.trim());
  return found;
}

test("comptime stands apart from what it is about", () => {
  assert.equal(
    format("begin{if comptime(is_str(pid)){@a=comptime 1;}}"),
    "begin\n{\n  if comptime (is_str(pid)) {\n    @a = comptime 1;\n  }\n}\n",
  );
});
