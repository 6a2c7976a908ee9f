import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";
import { systemMaps } from "../wire/map-storage.js";

const kernel = Array.from({ length: 40 }, (_, i) => 0xffff_0000_0000_0000n + BigInt(i));
const user = [1n, 2n, 3n];

/** What an action says, and the maps that its stacks are kept in. */
function shown(action: string, stack = (ofUser: boolean) => (ofUser ? user : kernel)) {
  const simulation = new Simulation(`kprobe:vfs_read { ${action} }`, { environment: { stack } }).fire();
  const maps = simulation.compiled.object.maps.map(({ name }) => name);
  return { said: simulation.said.map(short), maps: maps.filter((name) => name.includes("stacks")) };
}

/** A stack of so many frames, or the id that it goes by: the simulation has that as a frame's address. */
const short = (text: string): string =>
  text.replaceAll(/(?:[\n;]? *(?:kernel|user) \d+(?: \d+)?(?:\+0)?\n?)+/g, (stack) => {
    const frames = stack.match(/kernel|user/g) ?? [];
    return /\d+ \d+/.test(stack) ? `<${frames[0]} by id>` : `<${frames[0]} ${frames.length}>`;
  });

test("stacks that are printed travel with as many frames as there are, without a map", () => {
  assert.deepEqual(shown('printf("%s|%s|%d", kstack, ustack, 7); print(ustack(2)); print(kstack(perf, 3));'), {
    said: ["<kernel 40>|<user 3>|7", "<user 2>", "<kernel 3>"],
    maps: [],
  });
  assert.deepEqual(shown('print((1, kstack, "a", (ustack, 2))); errorf("%s", ustack);').maps, []);
  const { said } = shown('print((1, kstack, "a", (ustack, 2))); print((a=1, s=ustack(2), b="x"));');
  assert.deepEqual(said, ["(1,<kernel 40>,a,(<user 3>,2))", "{a=1,s=<user 2>,b=x}"]);
});

test("a record is as long as its stacks", () => {
  const simulation = new Simulation('kprobe:vfs_read { printf("%s%s", kstack, ustack); }', {
    environment: { stack: (ofUser) => (ofUser ? user : kernel) },
  });
  simulation.run();
  const record = simulation.machine.takeRecords(systemMaps.events)[0]?.bytes;
  assert.equal(record?.length, 8 + 2 * 16 + 8 * (kernel.length + user.length));
});

test("variables that are only printed need no map either", () => {
  for (const action of [
    '$s = ustack; printf("%s", $s);',
    "$s = ustack; $t = $s; print($t);",
    "$t = (1, ustack); print($t.1); if ($t.0 == 1) { print(2); }",
    "$s = ustack(4); if (arg0 == 0) { $s = ustack(4); } print($s);",
    "$s = arg0 == 0 ? ustack(4) : ustack(4); print($s);",
  ]) {
    const { said, maps } = shown(action);
    // What another variable is made of is kept.
    assert.deepEqual([said[0], maps.length > 0], ["<user 3>", action.includes("$t = $s")], action);
  }
});

test("a stack that is printed and kept goes both ways", () => {
  const { said, maps } = shown('$s = ustack; @[$s] = 1; @n = len($s); printf("%s %d", $s, @n);');
  assert.deepEqual(said, ["<user 3> 3"]);
  assert.deepEqual(maps, ["stacks127", "more_stacks127"]);
});

test("stacks that were taken at another time go by their ids", () => {
  for (const action of [
    '@s = ustack; printf("%s", @s);',
    "@s = ustack; $s = @s; print($s);",
    "@s = ustack; $s = ustack; if (arg0 == 0) { $s = @s; } print($s);",
    "@s[1] = ustack; $s = ustack; if (find(@s, 1, $s)) { print($s); }",
    "@s = ustack; print(arg0 == 0 ? @s : ustack);",
    "@s = ustack; $t = (1, @s); print($t.1);",
    "$s = ustack; for ($i : 0..20) { if ($i == 3) { print($s); } }",
    "@a[ustack] = 1; for ($kv : @a) { print($kv.0); }",
  ]) {
    const { said } = shown(action);
    assert.match(said[0] ?? "", /<user by id>/, action);
  }
});

test("a variable that may have no stack yet is not given one", () => {
  for (const action of [
    "if (arg0 == 1) { $s = ustack; } print($s);",
    "let $s; if (arg0 == 1) { $s = ustack; } print($s);",
  ])
    assert.match(shown(action).said[0] ?? "", /<user by id>/, action);
});

test("what has no stack has no frames", () => {
  const none = () => [];
  assert.deepEqual(shown('printf("<%s>", kstack);', none).said, shown('printf("<%s>", kstack(2));', none).said);
  assert.deepEqual(
    shown('printf("%d%s%s%d", 1, kstack(2), ustack, 2);', (ofUser) => (ofUser ? user : [])).said.length,
    1,
  );
});
