import assert from "node:assert/strict";
import { test } from "node:test";
import { Simulation } from "../../test/support/simulation.js";

test("printf: what each conversion shows", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { printf("%d|%u|%x|%#x|%5d|%-5s|%s|%c|%%|%lld|%p\\n", -1, arg0, 255, 255, 42, "ab", comm, 65, arg1, arg0); printf("plain\\n"); }`,
  ).fire({ registers: { arg0: 16n, arg1: -(1n << 40n) } });
  assert.deepEqual(simulation.said, ["-1|16|ff|0xff|   42|ab   |test|A|%|-1099511627776|0x10\n", "plain\n"]);
});

test("print: values, entries, maps", () => {
  const simulation = new Simulation(
    `BEGIN { @a[1, "x"] = 5; @c["key"] = count(); @c["a much longer key"] = count(); @s = 3; @t["k"] = ("v", 1); print(@a); print(@a[1, "x"]);
     print(@c["key"]); print(@s); print(@c["none"]); print(@t["k"]); print((1, 2)); print("lit"); print(3 * 4); print(@a, 3, 2); print(comm); }`,
  ).fire();
  assert.deepEqual(simulation.said, [
    "@a top=undefined div=undefined",
    "@a[1,x]=5",
    "@c[key]=1",
    "@s top=undefined div=undefined",
    "@t[k]=(v,1)",
    "(1,2)",
    "lit",
    "12",
    "@a top=3 div=2",
    "test",
  ]);
});

test("strftime() knows the clock of its nanoseconds, wherever they were kept", () => {
  const clocks = (expression: string, before = ""): string =>
    new Simulation(`kprobe:vfs_read { ${before} print(strftime("%S", ${expression})); }`, {
      helpers: { ktime_get_ns: () => 10n, ktime_get_boot_ns: () => 20n, ktime_get_tai_ns: () => 40n },
    }).fire({ registers: { arg0: 3n } }).said[0] ?? "";
  assert.equal(clocks("nsecs"), "<%S 10>");
  assert.equal(clocks("nsecs()"), "<%S 10>");
  assert.equal(clocks("nsecs(monotonic)"), "<%S 10>");
  assert.equal(clocks("nsecs(boot)"), "<%S 20 boot>");
  assert.equal(clocks("nsecs(tai)"), "<%S 40 tai>");
  assert.equal(clocks("nsecs(sw_tai)"), "<%S 40 tai>");
  assert.equal(clocks("$t", "$t = nsecs(tai);"), "<%S 40 tai>");
  assert.equal(clocks("$t", "let $t: uint64 = nsecs(tai);"), "<%S 40 tai>");
  assert.equal(clocks("$t", "$t = 0; $t = nsecs(tai);"), "<%S 40 tai>");
  assert.equal(clocks("$t", "$t = nsecs(tai); $t += 2;"), "<%S 42 tai>");
  assert.equal(clocks("@", "@ = nsecs(tai);"), "<%S 40 tai>");
  assert.equal(clocks("$t", "$t = 0; @[nsecs(tai)] = 1; for ($kv : @) { $t = $kv.0; }"), "<%S 40 tai>");
  assert.equal(clocks("(1, nsecs(tai)).1"), "<%S 40 tai>");
  assert.equal(clocks("arg0 == 3 ? nsecs(tai) : 0"), "<%S 40 tai>");
  assert.equal(clocks("nsecs(tai) - 5"), "<%S 35 tai>");
  assert.equal(clocks("arg0 + nsecs(tai)"), "<%S 43 tai>");
  assert.equal(clocks("(int64)nsecs(tai)"), "<%S 40 tai>");
  // Two moments of one clock make a duration.
  assert.equal(clocks("nsecs(boot) + (nsecs(tai) - nsecs(tai))"), "<%S 20 boot>");
  assert.equal(clocks("nsecs(tai) - nsecs(tai)"), "<%S 0>");
  assert.equal(clocks("arg0"), "<%S 3>");
});

test("stacks, symbols, times, commands, files", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { @[kstack(3), ustack(perf), tid] = count(); printf("%s %s;", ksym(arg0), usym(arg0)); time("%H"); time();
     printf("%s", strftime("%S", 5)); cat("/a/%d", 5); system("ls %s", "-l"); clear(@); zero(@); print(username); }`,
    { environment: { stack: () => [1n, 2n], uidGid: 5n }, unsafe: true },
  ).fire({ registers: { arg0: 0xabcn } });
  assert.deepEqual(simulation.map("@"), { "kernel 0 3,user 1000 127,1001": "1" });
  assert.deepEqual(simulation.said, [
    "<ksym abc> <usym 1000 abc>;",
    "<now %H>",
    "<now %H:%M:%S\n>",
    "<%S 5>",
    "/a/5",
    "ls -l",
    "clear @",
    "zero @",
    "<user 5>",
  ]);
});

test("join reads an array of strings up to its NULL", () => {
  const simulation = new Simulation('tracepoint:syscalls:sys_enter_execve { join(args.argv); join(args.argv, ", "); }');
  const words = ["ls", "-l", "/tmp"].map((word) => simulation.put("user", word));
  const array = new Uint8Array(8 * (words.length + 1));
  for (const [i, address] of words.entries()) new DataView(array.buffer).setBigUint64(8 * i, address, true);
  simulation.fire({ registers: { si: simulation.put("user", array) }, words: [59n] });
  assert.deepEqual(simulation.said, ["ls -l /tmp", "ls, -l, /tmp"]);
});

test("what join leaves out is marked: words beyond the sixteenth, and bytes of a word beyond the 1023rd", () => {
  const joined = (words: readonly string[], end = 0n): readonly string[] => {
    const simulation = new Simulation(
      'config = { str_trunc_trailer = "!" } tracepoint:syscalls:sys_enter_execve { join(args.argv, ","); }',
    );
    const addresses = [...words.map((word) => simulation.put("user", word)), end];
    const array = new Uint8Array(8 * addresses.length);
    for (const [i, address] of addresses.entries()) new DataView(array.buffer).setBigUint64(8 * i, address, true);
    simulation.fire({ registers: { si: simulation.put("user", array) }, words: [59n] });
    return simulation.said;
  };
  const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `${i}`);
  assert.deepEqual(joined(numbers(16)), [numbers(16).join(",")]);
  assert.deepEqual(joined(numbers(17)), [`${numbers(16).join(",")},!`]);
  assert.deepEqual(joined(numbers(40)), [`${numbers(16).join(",")},!`]);
  const long = (length: number): string => "x".repeat(length);
  assert.deepEqual(joined([long(1023), "b"]), [`${long(1023)},b`]);
  assert.deepEqual(joined([long(1024), "b"]), [`${long(1023)}!,b`]);
  assert.deepEqual(joined(["a", long(5000)]), [`a,${long(1023)}!`]);
  assert.deepEqual(joined([`${long(1022)}é`, ""]), [`${long(1022)}\udcc3!,`]);
});

test("a full ring loses events, and says how many", () => {
  const simulation = new Simulation(
    'config = { perf_rb_pages = 1 } BEGIN { $i = 0; while ($i < 300) { printf("%d,", $i); $i++ } @done = 1; }',
  ).fire();
  const got = simulation.said.length;
  assert.ok(got > 100 && got < 300, `${got} events`);
  assert.deepEqual(simulation.losses(), { "ring-full": BigInt(300 - got) });
  assert.equal(simulation.scalar("@done"), "1");
});

test("an exit that finds the ring full is not lost", () => {
  const simulation = new Simulation(
    'config = { perf_rb_pages = 1 } BEGIN { $i = 0; while ($i < 300) { printf("%d,", $i); $i++ } exit(3); print("never"); }',
  ).fire();
  const [entry] = simulation.machine.map("loss").entries();
  assert.equal(new DataView((entry?.values[0] ?? new Uint8Array(8)).buffer).getBigUint64(0, true), 4n);
  assert.equal(simulation.exitCode, undefined);
});

test("numbers beyond 2^53 keep their last digits on the way to the kernel and back", () => {
  const min = 1_700_000_000_000_000_001n;
  const simulation = new Simulation(
    `BEGIN { @l = lhist(${min + 99n}, ${min}, ${min + 1000n}, 100); @l = lhist(${min + 100n}, ${min}, ${min + 1000n}, 100);
     @c = 18014398509481987; print(@c, 0, 9007199254740993); exit(9007199254740993); }`,
  ).fire();
  assert.equal(simulation.scalar("@l"), "1:1 2:1");
  const printed = simulation.events.flatMap((event) => (event.kind === "map" ? [event.map.div] : []));
  assert.deepEqual(printed, [9_007_199_254_740_993n]);
  assert.equal(simulation.exitCode, 1);
});

test("an index that no instruction can have is computed", () => {
  const read = (index: string, at: bigint): string => {
    const simulation = new Simulation(`kprobe:vfs_read { print(((uint8 *)arg0)[${index}]); }`);
    const address = simulation.put("kernel", new Uint8Array([7]));
    return simulation.fire({ registers: { arg0: BigInt.asUintN(64, address - at) } }).said[0] ?? "";
  };
  assert.equal(read("0", 0n), "7");
  assert.equal(read("100000", 100_000n), "7");
  assert.equal(read("9007199254740993", 9_007_199_254_740_993n), "7");
});

test("exit() leaves at once, with its status; return leaves without a word", () => {
  const exits = new Simulation("BEGIN { print(1); exit(3); print(2); }").fire();
  assert.deepEqual([exits.said, exits.exitCode], [["1"], 3]);
  const returns = new Simulation("BEGIN { @a = 1; if (@a == 1) { return; } @a = 2; }").fire();
  assert.deepEqual([returns.scalar("@a"), returns.exitCode], ["1", undefined]);
});

test("an argument that leaves the action takes the record with it", () => {
  const simulation = new Simulation(
    'kprobe:vfs_read { printf("%s %s %d", comm, str(arg0), { if (arg1 == 0) { exit(2); } 5 }); print(9); }',
  );
  simulation.fire({ registers: { arg1: 1n } });
  assert.deepEqual(simulation.said, ["test  5", "9"]);
  simulation.fire({ registers: { arg1: 0n } });
  assert.deepEqual([simulation.said, simulation.exitCode], [["test  5", "9"], 2]);
  simulation.fire({ registers: { arg1: 1n } });
  assert.deepEqual(simulation.said, ["test  5", "9"], "behind exit() nothing happens");
});

test("the effects of arguments happen once", () => {
  const simulation = new Simulation(
    'BEGIN { @n = 1; @m[2] = "two"; print(@m[++@n]); printf("%d %d", @n++, ++@n); print(@n); @k[@n++] = 1; @k[@n++] += 5; @k[@n++]++; print((@n++, @n)); }',
  ).fire();
  assert.deepEqual(simulation.said, ["@m[2]=two", "2 4", "@n top=undefined div=undefined", "(7,8)"]);
  assert.deepEqual(simulation.map("@k"), { 4: "1", 5: "5", 6: "1" });
});
