// What a stack costs by frame pointers and by unwinding tables: processor time of a program for each hit of a uprobe.
//
//   node bench/stack-cost.mjs        (as root, with gcc)
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const beetrace = join(dirname(fileURLToPath(import.meta.url)), "../dist/beetrace.js");
const folder = mkdtempSync(join(tmpdir(), "beetrace-stack-cost-"));
process.once("exit", () => rmSync(folder, { recursive: true }));

const source = `#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>
static volatile int sink;
__attribute__((noinline, noclone)) void leaf(void) { sink++; }
__attribute__((noinline)) static void chain(int n) { if (n > 0) chain(n - 1); else leaf(); sink++; }
static double now(void) { struct timespec t; clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
int main(int argc, char **argv) {
  int times = 100000, depth = atoi(argv[1]);
  double begun = now();
  for (int i = 0; i < times; i++) chain(depth);
  printf("%.0f ns a hit\\n", (now() - begun) / times);
}`;
const program = join(folder, "deep");
writeFileSync(`${program}.c`, source);
const { status, stderr } = spawnSync(
  "gcc",
  ["-O2", "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-o", program, `${program}.c`],
  { encoding: "utf8" },
);
if (status !== 0) throw new Error(stderr);

/** What the program says of itself while its every call of leaf() is traced. */
function hit(action, by, depth) {
  const args = ["-q", "-c", `${program} ${depth}`, "-e", `uprobe:${program}:leaf { ${action} }`];
  const env = { ...process.env, BPFTRACE_USTACK_BY: by };
  const { stdout } = spawnSync(process.execPath, [beetrace, ...args], { encoding: "utf8", env });
  return /\d+ ns a hit/.exec(stdout)?.[0] ?? "nothing";
}

for (const depth of [5, 40])
  for (let round = 1; round <= 2; round++) {
    console.log(`${depth} calls, no stack: ${hit("@ = count();", "frame_pointers", depth)}`);
    for (const by of ["frame_pointers", "tables"])
      console.log(`${depth} calls, ${by}: ${hit("@[ustack] = count();", by, depth)}`);
  }
