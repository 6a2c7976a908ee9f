import assert from "node:assert/strict";
import { test } from "node:test";
import { complaints } from "../../../test/support/compile-script.js";
import { FixtureKernel } from "../../../test/support/fixture-kernel.js";
import { Simulation } from "../../../test/support/simulation.js";

/** What a BEGIN action prints, line by line. */
function printed(action: string, kernel?: FixtureKernel): readonly string[] {
  const simulation = new Simulation(`BEGIN { ${action} }`, kernel === undefined ? {} : { kernel });
  simulation.fire();
  return simulation.said;
}

test("strlen and strcap of literals, variables, and what the tracer knows", () => {
  assert.deepEqual(printed('print(strlen("")); print(strlen("hello")); print(strcap("hello"));'), ["0", "5", "6"]);
  assert.deepEqual(printed('$t = "hello"; $t = "by"; print(strlen($t)); print(strcap($t));'), ["2", "6"]);
  assert.deepEqual(printed("@t = str(0); print(strlen(@t)); print(default_str_length);"), ["0", "1024"]);
});

/** Pairs of texts with the place of the second in the first, -2 where it is not. */
const searches: readonly (readonly [string, string, number])[] = [
  ["hello", "lo", 3],
  ["hello", "hello", 0],
  ["hello", "hello!", -2],
  ["hello", "", 0],
  ["", "", 0],
  ["", "a", -2],
  ["ababac", "abac", 2],
  ["aaaaaaab", "aab", 5],
  ["a\\0b", "b", -2],
  ["xa", "a\\0b", 1],
];

for (const [text, part, at] of searches) {
  test(`strstr("${text}", "${part}")`, () => {
    const variables = `$t = "${text}"; $p = "${part}"; if (nsecs == 1) { $t = "longer text"; $p = "longer"; }`;
    const calls = `print(strstr("${text}", "${part}")); print(strstr($t, "${part}")); print(strstr("${text}", $p)); print(strstr($t, $p)); print(strcontains($t, $p));`;
    const expected = [...new Array<string>(4).fill(`${at}`), `${at >= 0}`];
    assert.deepEqual(printed(variables + calls), expected);
  });
}

test("a search too long for the verifier to walk goes by bpf_loop, or by a loop on kernels without it", () => {
  const text = "x".repeat(700);
  const action = `$t = "${text}needle"; $p = "needle"; print(strstr($t, $p)); print(strstr($t, "needle")); print(strstr($t, "nope"));`;
  const without = new FixtureKernel({ features: { bpfLoop: "no" } });
  assert.deepEqual(printed(action), ["700", "700", "-2"]);
  assert.deepEqual(printed(action, without), ["700", "700", "-2"]);
});

test("strncmp looks at no more bytes than it is told, and not behind the end", () => {
  const action = '$a = "hello"; $b = "help"; ';
  const compare = (length: number): string =>
    `print(strncmp($a, $b, ${length})); print(strncmp($a, "help", ${length}));`;
  assert.deepEqual(printed(action + compare(0) + compare(3) + compare(4)), ["0", "0", "0", "0", "1", "1"]);
  const long = "y".repeat(300);
  const same = `$a = "${long}"; $b = "${long}"; print(strncmp($a, $b, 300)); $b = "${"y".repeat(299)}z"; print(strncmp($a, $b, 300)); print(strncmp($a, $b, 299));`;
  assert.deepEqual(printed(same), ["0", "1", "0"]);
});

test("str_concat joins, and cuts at its room", () => {
  assert.deepEqual(printed('$a = "var"; print(str_concat("/", $a)); print(strlen(str_concat($a, "")));'), [
    "/var",
    "3",
  ]);
  const joined = (first: number, second: number): Simulation =>
    new Simulation(
      `BEGIN { $a = "${"z".repeat(first)}"; $b = "${"z".repeat(second)}"; $t = str_concat($a, $b); print(strlen($t)); }`,
    ).fire();
  assert.deepEqual(joined(600, 600).said, ["1023"]);
  // What was cut is counted.
  assert.deepEqual(joined(600, 600).losses(), { cut: 1n });
  assert.deepEqual(joined(600, 424).losses(), { cut: 1n });
  assert.deepEqual([joined(600, 423).said, joined(600, 423).losses()], [["1023"], {}]);
  assert.deepEqual(joined(1022, 1).losses(), {});
});

test("buf() tells what there was no room for", () => {
  const simulation = new Simulation(
    "config = { max_strlen = 8 } kprobe:vfs_read { print(buf(arg0, arg1)); print(buf(arg0, 8)); }",
  );
  const arg0 = simulation.put("kernel", "abcdefghijkl");
  for (const arg1 of [8n, 9n, 3n, 1000n, -11n]) simulation.fire({ registers: { arg0, arg1 } });
  assert.deepEqual(
    simulation.said.filter((_, i) => i % 2 === 0),
    ["abcdefgh", "abcdefgh", "abc", "abcdefgh", "abcdefgh"].map((text) => Buffer.from(text).toString("hex")),
  );
  assert.deepEqual(simulation.losses(), { cut: 2n });
  for (const call of ["buf(arg0, 9)", "buf(((struct bytes *)arg0).b)"]) {
    const script = `struct bytes { unsigned char b[9]; } config = { max_strlen = 8 } kprobe:vfs_read { print(${call}); }`;
    assert.deepEqual(complaints(script), [`warning length-cut '${call}'`]);
  }
});

test("what the kernel writes itself is ASCII", () => {
  assert.throws(() => new Simulation('BEGIN { debugf("é\\n"); }'), /ASCII only/);
});

test("memcmp is the difference of the first bytes that differ", () => {
  const action = '$a = "ac"; $b = "ab"; print(memcmp($a, $b, 2)); print(memcmp($b, $a, 2)); print(memcmp($a, $b, 1));';
  assert.deepEqual(printed(action), ["1", "-1", "0"]);
});

test("numbers of the system as text, which can be compared", () => {
  const action = "$n = 2; print(strerror($n)); print(strerror(-$n)); print(strerror($n * 1000));";
  assert.deepEqual(printed(action), ["No such file or directory", "No such file or directory", "Unknown error"]);
  assert.deepEqual(printed('$n = 2; if (signal_name($n) == "Interrupt") { print(1); } print(signal_name(34));'), [
    "1",
    "Real-time signal 0",
  ]);
  assert.deepEqual(printed("$n = 1; print(syscall_name($n)); print(syscall_name($n + 9999));"), [
    "write",
    "Unknown syscall",
  ]);
});
