import assert from "node:assert/strict";
import { test } from "node:test";
import { compileText, compileWithErrors, renderBrief } from "../../test/support/compile-script.js";
import { Simulation } from "../../test/support/simulation.js";

function printed(action: string): readonly string[] {
  const simulation = new Simulation(`BEGIN { ${action} }`);
  simulation.fire();
  return simulation.said;
}

test("names of blocks beside each other are different variables", () => {
  assert.deepEqual(printed('if (1) { $x = 1; print($x); } if (1) { $x = "text"; print($x); }'), ["1", "text"]);
  assert.deepEqual(printed("if (1) { $x = 5; } if (1) { let $x; if ($x) { $x = 6; } print($x); }"), ["0"]);
  assert.deepEqual(printed("let $x; for ($i : 0..2) { let $y; $y += 1; $x += $y; } print($x);"), ["2"]);
});

test("a declared name cannot be declared again inside", () => {
  assert.match(compileWithErrors("BEGIN { let $a = 1; if (1) { let $a = 2; } }"), /Variable \$a was already declared/);
  assert.match(compileWithErrors("BEGIN { $i = 1; for ($i : 0..2) { } }"), /Variable \$i was already declared/);
});

test("what older scripts use behind the block that assigns it works, with a warning", () => {
  assert.deepEqual(printed("if (0) { $x = 1; } else { $x = 2; } print($x);"), ["2"]);
  assert.deepEqual(printed('if (0) { $s = "abc"; } print($s); for ($i : 0..40) { $last = $i; } print($last);'), [
    "",
    "39",
  ]);
  const { diagnostics } = compileText("BEGIN { if (pid) { $x = 1; } print($x); }");
  assert.deepEqual(diagnostics.map(renderBrief), [
    "warning used-outside '$x': $x is used outside of the block that assigns it | bpftrace 0.22 and later refuse that; let $x; in front of the block makes it known to both",
  ]);
});

test("a declared type stays", () => {
  assert.deepEqual(printed("let $x: uint8 = 5; $y = 300 + cpu; $x = $y; print($x);"), ["44"]);
  assert.match(compileWithErrors("BEGIN { let $x: uint8 = 300; }"), /\$x is uint8, it cannot become int16/);
  assert.match(compileWithErrors('BEGIN { let $x: uint8; $x = "a"; }'), /\$x is uint8, it cannot become string/);
});

test("numbers grow to what holds them, records take fields in any order", () => {
  assert.deepEqual(printed("$a = 1; $a = 1000; print(sizeof($a)); $b = (uint8)1; $b = -1; print(sizeof($b));"), [
    "2",
    "2",
  ]);
  assert.deepEqual(printed('$r = (a=1, b="x"); $r = (b="longer", a=-300); print(($r.a, $r.b));'), ["(-300,longer)"]);
  assert.deepEqual(printed('$r = (a=1, b=(c=2, d="x")); $s = (b=(d="x", c=2), a=1); print($r == $s);'), ["true"]);
});
