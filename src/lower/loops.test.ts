import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";

/** What a BEGIN action prints, line by line. */
function printed(action: string): readonly string[] {
  const simulation = new Simulation(`BEGIN { ${action} }`);
  simulation.fire();
  return simulation.said;
}

test("a range is a loop of the kernel's, and shares variables with the code around it", () => {
  assert.deepEqual(printed("$s = 0; for ($i : 0..1000) { $s += $i; } print($s);"), ["499500"]);
  assert.deepEqual(printed("$n = -2; for ($i : $n..2) { print($i); }"), ["-2", "-1", "0", "1"]);
  assert.deepEqual(printed("$n = 5; for ($i : $n..5) { print($i); } for ($i : $n..2) { print($i); }"), []);
});

test("text that a loop changes", () => {
  const action = '@m[0] = 0; @m[1] = 1; $t = "abc"; for ($kv : @m) { print($t); $t = "def"; } print($t);';
  assert.deepEqual(printed(action), ["abc", "def", "def"]);
});

test("break, continue and return, also out of two loops", () => {
  assert.deepEqual(
    printed("for ($i : 0..100) { if ($i == 1) { continue; } if ($i > 2) { break; } print($i); } print(9);"),
    ["0", "2", "9"],
  );
  const nested = 'for ($i : 1..100) { for ($j : 1..$i) { print($j); if ($j == 2) { return; } } } print("end");';
  assert.deepEqual(printed(nested), ["1", "1", "2"]);
});

test("entries of maps, keys of several parts, aggregates as numbers", () => {
  assert.deepEqual(
    printed("@m[1, 2] = count(); @m[1, 2] = count(); for ($kv : @m) { print($kv.0.1); print($kv.1); }"),
    ["2", "2"],
  );
  assert.deepEqual(printed('@m["a"] = "text"; for ($kv : @m) { print($kv); }'), ["(a,text)"]);
});

test("loops in loops see each other's variables", () => {
  const action =
    "@a[16] = 1; @b[1] = 2; $n = 0; for ($x : @a) { $k = $x.0; for ($y : @b) { $n += $k + $y.1; } } print($n);";
  assert.deepEqual(printed(action), ["18"]);
});
