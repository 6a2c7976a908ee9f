import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../../test/fixtures/fuzz.js";
import { Simulation } from "../../test/support/simulation.js";
import { bucketOf, linearBucketOf } from "../output/histogram.js";

test("keys of several parts, of all kinds", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { @[comm, pid, -1] = 1; @t[(1, "a"), tid] = 2; @f[func, probe, username] = 3; @k[ksym(arg0), usym(arg0)] = 4;
     @r[*(struct in_addr *)arg1] = 5; @n[ntop(arg2)] = 6; @b[arg0 == 1] = 7; @e[((struct request *)arg1)->state] = 8; }`,
  );
  const arg1 = simulation.put("kernel", new Uint8Array(4096));
  simulation.fire({ registers: { arg0: 0x123n, arg1, arg2: 0x0100_007fn } });
  assert.deepEqual(simulation.map("@"), { "test,1000,-1": "1" });
  assert.deepEqual(simulation.map("@t"), { "(1,a),1001": "2" });
  assert.deepEqual(simulation.map("@f"), { "vfs_read,kprobe:vfs_read,<user 0>": "3" });
  assert.deepEqual(simulation.map("@k"), { "<ksym 123>,<usym 1000 123>": "4" });
  assert.deepEqual(simulation.map("@r"), { "{s_addr=0}": "5" });
  assert.deepEqual(simulation.map("@n"), { "127.0.0.1": "6" });
  assert.deepEqual(simulation.map("@b"), { false: "7" });
  assert.deepEqual(simulation.map("@e"), { MQ_RQ_IDLE: "8" });
});

test("a tuple is a key of several parts, however it is written", () => {
  const simulation = new Simulation(
    `BEGIN { $t = (1, "a"); @[$t] = 1; @[1, "a"] += 10; @[(1, "a")] += 100; @[2, "a longer text"] = 7; @[$t] += 1000; @c[1] = $t;
     @[@c[1]] += 10000; delete(@[(2, "a longer text")]); print(@[$t]); $gone = delete(@, $t); print($gone); }`,
  ).fire();
  assert.deepEqual(simulation.map("@"), {});
  assert.deepEqual(simulation.said, ["@[1,a]=11111", "true"]);
});

test("integers of different width and sign are one key if they are equal", () => {
  const simulation = new Simulation(
    "kprobe:vfs_read { @[pid] += 1; @[(int64)1000] += 10; @[1000] += 100; @n[(int32)arg0] += 1; @n[-1] += 10; @u[(uint32)arg0] += 1; @u[0xffffffff] += 10; }",
  ).fire({ registers: { arg0: 0xffff_ffffn } });
  assert.deepEqual(
    [simulation.map("@"), simulation.map("@n"), simulation.map("@u")],
    [{ 1000: "111" }, { "-1": "11" }, { 4294967295: "11" }],
  );
});

test("a map that is read above the place where it is written has its type there", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { $last = @last; print($last); @seen[@last] = 1; @copy = @last; print((@copy, 1)); @last = comm; }`,
  );
  simulation.fire().fire();
  assert.deepEqual(simulation.said, ["", "(,1)", "test", "(test,1)"]);
  assert.deepEqual(simulation.map("@seen"), { "": "1", test: "1" });
});

test("an entry that is not there reads as zero or empty, and is not made by reading", () => {
  const simulation = new Simulation(
    'BEGIN { if (@a[1] == 0 && @s[2] == "" && @t[3].1 == "") { print("none") } if (delete(@a[9])) { print("gone") } if (0) { @a[1] = 1; @s[1] = "x"; @t[1] = (1, "x") } }',
  ).fire();
  assert.equal(simulation.text, "none");
  assert.deepEqual([simulation.map("@a"), simulation.map("@s"), simulation.map("@t")], [{}, {}, {}]);
});

test("delete: entries, whole scalars, aggregates", () => {
  const simulation = new Simulation(
    `BEGIN { @a[1] = 1; @a[2] = 2; delete(@a[1]); delete(@a, 2); @s = 5; delete(@s); @x[1] = count(); delete(@x[1]); @c = count(); delete(@c);
     @k[1, "b"] = 1; delete(@k, (1, "b")); @left = 1; }`,
  ).fire();
  for (const name of ["@a", "@s", "@x", "@c", "@k"]) assert.deepEqual(simulation.map(name), {}, name);
  assert.equal(simulation.scalar("@left"), "1");
});

test("what does not fit into a full map is counted for that map", () => {
  const simulation = new Simulation(
    `config = { max_map_keys = 3 } BEGIN { $i = 0; while ($i < 10) { @set[$i] = 1; @agg[$i] = count(); @inc[$i]++; @add[$i] += 2;
     @text[$i] = "x"; @or[$i] |= 1; @set[0] = $i; @agg[1] = count(); $i++; } }`,
  ).fire();
  for (const name of ["@set", "@agg", "@inc", "@add", "@text", "@or"]) {
    assert.deepEqual(Object.keys(simulation.map(name)), ["0", "1", "2"], name);
    assert.equal(simulation.losses()[name], 7n, name);
  }
});

test("per-thread state between two probes", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { @start[tid] = nsecs; @arg[tid] = arg0; }
     kretprobe:vfs_read /@start[tid]/ { @took = nsecs - @start[tid]; @of = @arg[tid]; delete(@start[tid]); delete(@arg[tid]); }`,
  );
  const { environment } = simulation.machine;
  simulation.fire({ registers: { arg0: 7n } });
  environment.pidTgid = (1000n << 32n) | 2002n;
  simulation.fire({}, 1);
  assert.equal(simulation.scalar("@took"), undefined, "another thread");
  environment.pidTgid = (1000n << 32n) | 1001n;
  simulation.fire({}, 1).fire({}, 1);
  assert.deepEqual([simulation.scalar("@took"), simulation.scalar("@of")], ["1000", "7"]);
  assert.deepEqual([simulation.map("@start"), simulation.map("@arg")], [{}, {}]);
});

test("aggregates over several processors", () => {
  const simulation = new Simulation(
    `kprobe:vfs_read { @count = count(); @sum = sum((int64)arg0); @usum = sum(arg0); @min = min((int64)arg0); @max = max((int64)arg0);
     @umin = min(arg0); @umax = max(arg0); @avg = avg((int64)arg0); @stats = stats((int64)arg0); @by[comm] = min((int64)arg0); }`,
    { cpus: 4 },
  );
  const values = [-5n, 7n, 0n, 100n, -1n, 3n];
  for (const [i, value] of values.entries()) {
    simulation.machine.environment.cpu = i % 4;
    simulation.fire({ registers: { arg0: value } });
  }
  const unsigned = values.map((value) => BigInt.asUintN(64, value));
  const sum = values.reduce((a, b) => a + b);
  const [largest] = unsigned.sort((a, b) => (a < b ? 1 : -1));
  const found = ["@count", "@sum", "@min", "@max", "@umin", "@umax", "@avg", "@stats"].map((n) => simulation.scalar(n));
  assert.deepEqual(found, ["6", `${sum}`, "-5", "100", "0", `${largest}`, `${sum / 6n}`, `6/${sum / 6n}/${sum}`]);
  assert.equal(simulation.scalar("@usum"), `${BigInt.asUintN(64, sum)}`);
  assert.deepEqual(simulation.map("@by"), { test: "-5" });
});

function randomValues(): readonly bigint[] {
  const random = randomNumbers(17);
  const edges = [0n, 1n, 2n, 3n, -1n, -(1n << 63n), (1n << 63n) - 1n, 1n << 31n, (1n << 32n) - 1n];
  const any = Array.from({ length: 300 }, () => {
    const bits = random(64);
    const value = BigInt.asUintN(
      bits,
      (BigInt(random(2 ** 31)) << 33n) | (BigInt(random(2 ** 31)) << 2n) | BigInt(random(4)),
    );
    return random(4) === 0 ? -value : value;
  });
  return [...edges, ...edges.map((edge) => edge + 1n), ...any];
}

/** Bucket counts of values as `index:count`, by index. */
function counted(values: readonly bigint[], bucket: (value: bigint) => number): string {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(bucket(value), (counts.get(bucket(value)) ?? 0) + 1);
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([index, count]) => `${index}:${count}`)
    .join(" ");
}

test("histograms put every value where user space looks for it", () => {
  const values = randomValues();
  const simulation = new Simulation(
    `kprobe:vfs_read { $n = (int64)arg0; @h0 = hist($n); @h1 = hist($n, 1); @h3 = hist(arg0, 3); @h5[1] = hist($n, 5);
     @l = lhist($n, -10, 1000, 7); @m[1] = lhist($n, 0, 100, 10); @o = lhist(arg0 % 64, 5, 60, 5); }`,
  );
  for (const value of values) simulation.fire({ registers: { arg0: value } });
  const hist = (bits: number) => counted(values, (value) => bucketOf(value, bits));
  assert.equal(simulation.scalar("@h0"), hist(0));
  assert.equal(simulation.scalar("@h1"), hist(1));
  assert.equal(simulation.scalar("@h3"), hist(3));
  assert.equal(simulation.map("@h5")["1"], hist(5));
  assert.equal(
    simulation.scalar("@l"),
    counted(values, (value) => linearBucketOf(value, -10n, 1000n, 7n)),
  );
  assert.equal(
    simulation.map("@m")["1"],
    counted(values, (value) => linearBucketOf(value, 0n, 100n, 10n)),
  );
  const small = values.map((value) => BigInt.asUintN(64, value) % 64n);
  assert.equal(
    simulation.scalar("@o"),
    counted(small, (value) => linearBucketOf(value, 5n, 60n, 5n)),
  );
});

test("what a key does is done once, whatever the assignment", () => {
  const operators = ["", "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
  const statements = operators.map((op, i) => `@k${i}[@n${i}++] = 12; @k${i}[@n${i}++] ${op}= 2;`);
  const simulation = new Simulation(`begin { ${statements.join(" ")} }`);
  simulation.fire();
  for (const i of operators.keys()) {
    assert.equal(simulation.scalar(`@n${i}`), "2", operators[i]);
    assert.deepEqual(Object.keys(simulation.map(`@k${i}`)), ["0", "1"], operators[i]);
  }
  const steps = new Simulation("begin { @k[@n++]++; --@k[@n++]; $x = @k[++@n]--; print(@k[@n++]); delete(@k[@n++]); }");
  assert.equal(steps.fire().scalar("@n"), "5");
});
