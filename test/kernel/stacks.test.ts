// Stacks of programs whose frames are known.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { lacks, lines, pause, run } from "../support/run.js";

const skip = lacks("uprobe");
const program = fixture("elf", "inlined5");

test("lines of the source, and functions that were inlined", { skip }, async () => {
  // An instruction of middle() in outer().
  const script = (what: string): string => `uprobe:${program}:outer+72 { ${what} exit(); }`;
  const both = await run("-q", "-e", script('printf("%s%s", ustack(1), ustack(perf, 1));'), "-c", program);
  assert.deepEqual(both.out.trimEnd().split("\n"), [
    "",
    "        [inlined] middle@/src/inlined.c:20",
    "        outer+72@/src/inlined.c:24",
    "",
    "\t401088 middle (inlined)",
    `\t401088 outer+72 (${program})`,
  ]);
  const json = await run("-q", "-f", "json", "-e", script("print(ustack(1));"), "-c", program);
  const text = "\n        [inlined] middle@/src/inlined.c:20\n        outer+72@/src/inlined.c:24\n";
  assert.deepEqual(JSON.parse(lines(json.out)[0] ?? ""), { type: "value", data: text });
  const plain = await run(
    ...["-q", "-e", `config = { show_debug_info = false } ${script("print(ustack(1));")}`, "-c", program],
  );
  assert.equal(plain.out.trimEnd(), "\n        outer+72");
});

test("code that Node.js compiles while it runs", async () => {
  const source =
    "function burn(n) { return n < 2 ? n : burn(n - 1) + burn(n - 2); } console.log('x'); for (;;) burn(25);";
  const child: ChildProcess = spawn(process.execPath, ["--perf-basic-prof", "-e", source], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const map = `/tmp/perf-${child.pid}.map`;
  try {
    await new Promise((done) => child.stdout?.once("data", done));
    for (let i = 0; i < 500 && !existsSync(map); i++) await pause(20);
    const script = `profile:hz:99 /pid == ${child.pid}/ { @[ustack(1)] = count(); } interval:s:3 { exit(); }`;
    const { out } = await run("-q", "-e", script);
    const burnt = /^ +JS:[~*^]?burn \S*\+\d+\n\]: (\d+)/gm;
    const samples = [...out.matchAll(burnt)].reduce((sum, match) => sum + Number(match[1]), 0);
    assert.ok(samples > 20, out);
  } finally {
    child.kill("SIGKILL");
    rmSync(map, { force: true });
  }
});
