import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";

test("texts of different origin are one key if they are equal", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { $t = curtask; $s = str(arg1); @[$s] += 1; @[str(arg0, 8)] += 10; @["abc"] += 100; @[comm] += 1000;
     @[$t->comm] += 10000; @other["abc"] = "abc"; @[@other["abc"]] += 100000; }`,
    { environment: { comm: "abc" } },
  );
  simulation.setTask("comm", "abc");
  // Rubbish behind the end of the text must not count.
  const noisy = Uint8Array.from([97, 98, 99, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  simulation.task.fill(0x77, 4000);
  simulation.fire({ registers: { arg0: simulation.put("kernel", noisy), arg1: simulation.put("user", "abc") } });
  assert.deepEqual(simulation.map("@"), { abc: "111111" });
});

test("comparing", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { if (str(arg0) == str(arg1)) { print("1") } if (str(arg0) == "abc") { print("2") }
     if (str(arg0) != "abcd") { print("3") } if (comm == "abc") { print("4") } if (str(arg0) == comm) { print("5") }
     if ("abc" == str(arg1)) { print("6") } if (str(arg0) == "") { print("7") } if ("x" == "x" && "x" != "y") { print("8") } }`,
    { environment: { comm: "abc" } },
  );
  const abc = simulation.put("kernel", "abc");
  simulation.fire({ registers: { arg0: abc, arg1: simulation.put("user", "abc") } });
  assert.equal(simulation.text, "1234568");
  simulation.events.length = 0;
  simulation.fire({ registers: { arg0: simulation.put("kernel", "abcd"), arg1: abc } });
  assert.equal(simulation.text, "468");
  simulation.events.length = 0;
  simulation.fire({ registers: { arg0: 0n, arg1: abc } });
  assert.equal(simulation.text, "34678");
});

test("str() cuts by its length, by max_strlen, and by a length that only the event knows", () => {
  const simulation = new Simulation(
    `config = { max_strlen = 8 } kprobe:vfs_read { @a = str(arg1); @b = str(arg1, 4); @c = str(arg1, arg2); @d = str(arg1, 100);
     @e = str(arg1, 1); @f = str("literal", 3); }`,
  );
  simulation.fire({ registers: { arg1: simulation.put("kernel", "abcdefghijkl"), arg2: 6n } });
  const found = ["@a", "@b", "@c", "@d", "@e", "@f"].map((name) => simulation.scalar(name));
  assert.deepEqual(found, ["abcdefgh..", "abc", "abcde", "abcdefgh..", "", "lit"]);
});

test("an integer's address says itself whether it is the kernel's or the process's", () => {
  const simulation = new Simulation("kprobe:vfs_read { print(str(arg0)); print(str(arg1)); }");
  simulation.fire({ registers: { arg0: simulation.put("kernel", "kernel"), arg1: simulation.put("user", "user") } });
  assert.deepEqual(simulation.said, ["kernel", "user"]);
});

test("a variable takes the longest text that is assigned to it, and nothing stays of a longer one", () => {
  const simulation = new Simulation(
    `BEGIN { $s = "a"; $s = "something longer"; @a = $s; $s = "b"; @b = $s; @k[$s] = 1; @k["b"] = 2; if ($s == "b") { print("yes") }
     @s = "first"; @s = "c"; @k[@s] = 3; @k["c"] = 4; }`,
  ).fire();
  assert.deepEqual(
    [simulation.scalar("@a"), simulation.scalar("@b"), simulation.text],
    ["something longer", "b", "yes"],
  );
  assert.deepEqual(simulation.map("@k"), { b: "2", c: "4" });
});

test("a variable that was never assigned on this way is empty", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { let $d; let $s; let $t; let $n; if (arg0) { $s = comm; $t = (1, comm); $d = comm; $n = 5; } print($s); print($t); print($d); print($n);
     @[$s] = 1; }`,
  );
  simulation.fire();
  assert.deepEqual(simulation.said, ["", "(0,)", "", "0"]);
  assert.deepEqual(simulation.map("@"), { "": "1" });
});

test("long texts go through scratch memory, which is given back on every way out", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read /str(arg0) != "skip"/ { $s = str(arg0); if (arg1 == 1) { exit(); } if (arg1 == 2) { return; }
     @[$s] = count(); printf("%s", $s); }`,
  );
  const name = simulation.put("kernel", "name");
  const fire = (arg0: bigint, arg1: bigint): Simulation => simulation.fire({ registers: { arg0, arg1 } });
  fire(name, 2n);
  fire(simulation.put("kernel", "skip"), 3n);
  fire(name, 3n);
  fire(name, 2n);
  fire(name, 3n);
  fire(name, 1n);
  // Behind exit() nothing happens.
  fire(name, 3n);
  assert.deepEqual(simulation.map("@"), { name: "2" });
  assert.equal(simulation.text, "namename");
  assert.deepEqual(simulation.losses(), {});
});

test("a program that interrupts itself leaves the scratch memory to the first and counts the loss", () => {
  const simulation = new Simulation("kprobe:vfs_read { $s = str(arg0); @[$s] = count(); }");
  const { regions } = simulation.machine.map("scratch") as unknown as { regions: { view: DataView }[] };
  regions[0]!.view.setBigUint64(0, 1n, true);
  assert.throws(() => simulation.fire(), /scratch memory is not released/);
  assert.deepEqual(simulation.losses(), { "scratch-busy": 1n });
  regions[0]!.view.setBigUint64(0, 0n, true);
  simulation.fire();
  assert.deepEqual(simulation.map("@"), { "": "1" });
});

test("many texts at once", () => {
  const twenty = Array.from({ length: 20 }, (_, i) => i);
  const simulation = new Simulation(
    `kprobe:vfs_read { ${twenty.map((i) => `$v${i} = (comm, ${i}, comm, "${"x".repeat(i)}");`).join(" ")}
     ${twenty.map((i) => `print($v${i}.1); @[$v${i}.3] = ${i};`).join(" ")} }`,
  ).fire();
  assert.deepEqual(simulation.said, twenty.map(String));
  assert.equal(Object.keys(simulation.map("@")).length, 20);
});

test("UTF-8 and escapes", () => {
  const simulation = new Simulation(
    'BEGIN { $s = "\\x41é\\t\\101"; print($s); @["ß"] = 1; printf("%s ü %c\\n", "ß", 65); }',
  ).fire();
  assert.deepEqual(simulation.said, ["Aé\tA", "ß ü A\n"]);
  assert.deepEqual(simulation.map("@"), { ß: "1" });
});

test("tuples: items, nesting, comparing, texts that grow", () => {
  const simulation = new Simulation(
    `BEGIN { $t = (1, (2, "x", (3, 4))); print($t.1.2.1); print($t.1.1); print($t); @n = $t; print(@n.1.1);
     $a = ("abc", 1); @x = $a; @x = ("a longer text", 2); @x = $a; $b = ("abc.............", 1); $b = ("abc", 1);
     if ($a == $b) { print("same") } if ($a != ("abc", 2)) { print("differ") } if ($a == ("abcdefghijk", 1)) { print("wrong") } }`,
  ).fire();
  assert.deepEqual(simulation.said, ["4", "x", "(1,(2,x,(3,4)))", "x", "same", "differ"]);
  assert.equal(simulation.scalar("@x"), "(abc,1)");
});

test("texts too long for memory of each processor have an element of a map for each", () => {
  const simulation = new Simulation("kprobe:vfs_read { $s = str(arg0); @n[$s] = strlen($s); }", {
    settings: { max_strlen: "65535" },
  });
  const text = "t".repeat(60_000);
  simulation.fire({ registers: { arg0: simulation.put("kernel", text) } });
  assert.deepEqual(Object.values(simulation.map("@n")), ["60000"]);
  assert.ok(simulation.compiled.object.maps.every((map) => map.name !== "scratch" || map.valueSize <= 32768));
});

test("a text too long to be equal: a loop that never runs is no loop for the compiler to walk around in", () => {
  const longer = "longer than the name of a task";
  const simulation = new Simulation(
    `BEGIN { $d = pid; if (comm == "${longer}") { $w = 0; while ($w++ < 4) { @x = $d; } print("equal"); } print($d); }`,
  );
  assert.deepEqual(simulation.fire().said, ["1000"]);
});

test("text is bytes: literals, their length, parts and comparisons", () => {
  const simulation = new Simulation(
    String.raw`BEGIN { print(strlen("\xff")); print("\xc3\xa9" == "é"); print(strlen("é")); print(strstr("a\xffb\xfe", "\xfe"));
      print(strstr("aéb", "\xa9")); print(strncmp("\xff", "\xfe", 1)); print(str("é€", 3)); $e = "é"; print($e == "\xc3\xa9");
      print($e == "\xc3"); print(strncmp($e, "\xc3", 1)); print(strstr($e, "\xa9")); print(strcontains($e, "\xff")); print(strlen($e)); }`,
  ).fire();
  assert.deepEqual(simulation.said, [
    ...["1", "true", "2", "3", "2", "1", "é\udce2", "true", "false", "0", "1", "false", "2"],
  ]);
});

test("keys of other bytes are other keys", () => {
  const simulation = new Simulation(
    String.raw`BEGIN { @["\xff"] = 1; @["\xfe"] = 2; @["\xe2\x82"] = 3; @["\xe2\x82\xac"] = 4; @["€"]++; }`,
  ).fire();
  assert.deepEqual(simulation.map("@"), { "\udcff": "1", "\udcfe": "2", "\udce2\udc82": "3", "€": "5" });
});

test("a format and its values are bytes that come together", () => {
  const simulation = new Simulation(
    String.raw`BEGIN { printf("%s%c\xac|", "\xe2", 0x82); printf("[%4s][%-4s][%.1s]", "é", "é", "é"); }`,
  ).fire();
  assert.equal(simulation.text, "€|[  é][é  ][\udcc3]");
});
