import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript } from "../../test/support/compile-script.js";
import { takenMaps } from "./emptied-maps.js";

/** What the first program prints and empties as one, and how many calls are done by that. */
function takenIn(body: string): string {
  const { script } = compileScript(`kprobe:vfs_read { @m[1] = count(); @o = 1; ${body} }`);
  const [program] = script.programs;
  assert.ok(program);
  const { prints, done } = takenMaps(program);
  const names = [...prints].map(([[arg], how]) => `${how} ${arg?.kind === "map" ? arg.map : "?"}`);
  return `${names.join(", ")} (${done.size})`;
}

test("a print and what empties the same map behind it are one", () => {
  assert.equal(takenIn("print(@m); clear(@m);"), "clear @m (1)");
  assert.equal(takenIn('print(@m, 5); printf("-"); @o = 2; print(@o); zero(@m); clear(@o);'), "zero @m, clear @o (2)");
  assert.equal(takenIn("if (pid == 1) { print(@m); clear(@m); }"), "clear @m (1)");
  // Of two the last one: the first is to show the map, too.
  assert.equal(takenIn("print(@m); print(@m); clear(@m);"), "clear @m (1)");
});

test("where something may leave or look at the map between them they stay apart", () => {
  for (const body of [
    "print(@m); if (pid == 1) { clear(@m); }",
    "print(@m); if (pid == 1) { return; } clear(@m);",
    "print(@m); exit(); clear(@m);",
    "print(@m); print(@m[1]); clear(@m);",
    "print(@m); $x = len(@m); clear(@m);",
    "clear(@m); print(@m);",
    "print(@m); clear(@o);",
  ])
    assert.equal(takenIn(body), " (0)", body);
});

test("only maps that the script empties have generations", () => {
  const { script } = compileScript("kprobe:vfs_read { @a = 1; @b[1] = 1; @c = count(); clear(@b); zero(@c); }");
  assert.deepEqual(
    [...script.maps.values()].map(({ name, emptied }) => [name, emptied === true]),
    [
      ["@a", false],
      ["@b", true],
      ["@c", true],
    ],
  );
});
