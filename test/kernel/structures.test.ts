// Structures, arrays and pointers of a program whose values are known: test/fixtures/elf/structs.c.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { lines, run, sameEverywhere } from "../support/run.js";

const program = fixture("elf", "structs");
const headers = fixture("elf");
const skip = process.arch === "x64" ? false : "the fixture is a program for x86-64";

/** What an action in show(shape, all, packed, numbers) prints. */
async function shown(body: string, ...options: readonly string[]): Promise<readonly string[]> {
  const script = `#include "structs.h"\nuprobe:${program}:show { ${body} }`;
  const { out, err, status } = await run("-q", "-I", headers, "-e", script, "-c", program, ...options);
  assert.equal(status, 0, err);
  return lines(out);
}

const first =
  "{ .name = first!, .raw = [1,2,3,255], .shade = DARK, " +
  ".points = [{ .x = 1, .y = -2 },{ .x = 3, .y = 4 },{ .x = 5, .y = 6 }], .anonymous = -7, .whole = 67305985, " +
  ".part = [1,2,3,4], .low = 5, .middle = 1234, .high = -9, .wide = 737894400291, .grid = [[1,2],[3,4]], ";

test("structures with members of every kind", { skip }, async () => {
  const [whole = "", packed] = await shown("print(*(struct shape *)arg0); print(*(struct packed *)arg2);");
  assert.equal(whole.slice(0, first.length), first);
  assert.match(
    whole.slice(first.length),
    /^\.numbers = \[0x4[0-9a-f]+,0x4[0-9a-f]+\], \.next = 0x4[0-9a-f]+, \.area = 0x0, \.weight = null \}$/,
  );
  assert.equal(packed, "{ .c = 112, .i = -5, .bits = 8589934591 }");
});

test("as JSON", { skip: skip || sameEverywhere }, async () => {
  const out = await shown("$s = (struct shape *)arg0; print(*$s);", "-f", "json");
  const value = out
    .map((line) => JSON.parse(line) as { type: string; data: Record<string, unknown> })
    .find((v) => v.type === "value");
  const { numbers: _numbers, next: _next, ...rest } = value?.data ?? {};
  assert.deepEqual(rest, {
    name: "first!",
    raw: [1, 2, 3, 255],
    shade: 1,
    points: [
      { x: 1, y: -2 },
      { x: 3, y: 4 },
      { x: 5, y: 6 },
    ],
    anonymous: -7,
    whole: 67305985,
    part: [1, 2, 3, 4],
    low: 5,
    middle: 1234,
    high: -9,
    wide: 737894400291,
    grid: [
      [1, 2],
      [3, 4],
    ],
    area: 0,
    weight: null,
  });
});

test("pointers: indices, steps, pointers to pointers and in arrays", { skip: skip || sameEverywhere }, async () => {
  assert.deepEqual(
    await shown(`$s = (struct shape *)arg0; $all = (struct shape **)arg1; $n = (int32 *)arg3; $i = arg0 - arg0 + 2;
      print($all[1].points[LAST]); print((*($all + 1)).points[2].y); print(($n[1], *($n + 2), $n[$i], *$s.numbers[1]));
      $n++; print(*$n); print($s.next.name); print($s.points[$i].x); print($s.grid[1][$i - 2]);
      $g = $s.grid; print($g[$i - 1][1]); $p = $s.points; print($p[$i]); print(&$s.points[1].y == (int16 *)(arg0 + 22));`),
    ["{ .x = 30, .y = 31 }", "31", "(22, 33, 33, 33)", "22", "two", "5", "3", "4", "{ .x = 5, .y = 6 }", "true"],
  );
});

test("structures, arrays and text as keys, values and in tuples", { skip: skip || sameEverywhere }, async () => {
  assert.deepEqual(
    await shown(`$s = (struct shape *)arg0; @a[$s.points[1]] = $s.points[2]; @b[$s.raw, 1] = $s.grid; @n = $s.name;
      print(($s.points[0], $s.raw)); print(@a[$s.points[1]].y); print(@b[$s.raw, 1][1][0]); @e[$s.shade] = $s.low;
      if ($s.raw != (*(struct shape **)(arg1 + 8)).raw) { print(2); }`),
    [
      "({ .x = 1, .y = -2 }, [1,2,3,255])",
      "6",
      "3",
      "2",
      "@a[{ .x = 3, .y = 4 }]: { .x = 5, .y = 6 }",
      "@b[[1,2,3,255], 1]: [[1,2],[3,4]]",
      "@e[DARK]: 5",
      "@n: first!",
    ],
  );
});

test("an index beyond an array is told while the script runs", { skip: skip || sameEverywhere }, async () => {
  const script = `#include "structs.h"\nuprobe:${program}:show { print(((struct shape *)arg0).raw[arg0]); print(2); }`;
  const { out, err } = await run("-q", "-I", headers, "-e", script, "-c", program);
  assert.match(err, /WARNING: Array access out of bounds\. This can lead to unexpected results\./);
  assert.deepEqual(lines(out), ["0", "2"]);
});
