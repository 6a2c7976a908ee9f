// Stacks of programs whose frames are known.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fixture } from "../fixtures/path.js";
import { lacks, lines, run } from "../support/run.js";

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
