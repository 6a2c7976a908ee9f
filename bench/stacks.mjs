// How many stacks are whole, and how many of their frames have names: beetrace beside bpftrace, program by program.
//
//   npm run bench:stacks -- [--reference 'COMMAND'] [NAME ...]
//
// Needs root, gcc and g++, and bpftrace in PATH or the command that --reference names. Each program runs alone while each
// tool samples it 99 times a second for some seconds; the tools take turns. A stack is whole if it shows where programs and
// threads begin, by one of the names that this place has.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals } = parseArgs({
  options: { reference: { type: "string", default: "bpftrace" }, seconds: { type: "string", default: "4" } },
  allowPositionals: true,
});
const folder = mkdtempSync(join(tmpdir(), "beetrace-stacks-"));
process.once("exit", () => rmSync(folder, { recursive: true }));
const tools = [
  ["beetrace", [process.execPath, join(root, "dist/beetrace.js")], "ustack"],
  ["beetrace", [process.execPath, join(root, "dist/beetrace.js")], "dw_ustack"],
  ["bpftrace", values.reference.split(/\s+/), "ustack"],
  ["bpftrace", values.reference.split(/\s+/), "dw_ustack"],
];
const outermost = /^(?:_start|__?clone3?|start_thread|__libc_start_main\S*|__libc_start_call_main)(?:\+|$)/;

const file = (name, text) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

function compiled(name, language, text, ...flags) {
  const program = join(folder, name);
  const source = file(`${name}.${language}`, text);
  const { status, stderr } = spawnSync(language === "c" ? "gcc" : "g++", [...flags, "-o", program, source], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return program;
}

const work = `#include <stdlib.h>
static int order(const void *a, const void *b) { int x = *(const int *)a, y = *(const int *)b; return (x > y) - (x < y); }
__attribute__((noinline)) static int deep(int n, int *v, int len) {
  if (n > 0) { int r = deep(n - 1, v, len); __asm__ volatile("" : : : "memory"); return r + 1; }
  for (int i = 0; i < len; i++) v[i] = rand();
  qsort(v, len, sizeof *v, order);
  return v[0];
}`;

/** Programs that work until they are ended. */
const cases = {
  c: () => [
    compiled(
      "c",
      "c",
      `${work}\nint main(void) { static int v[500]; for (;;) deep(10, v, 500); }`,
      "-O2",
      "-fomit-frame-pointer",
    ),
  ],
  cpp: () => [
    compiled(
      "cpp",
      "cc",
      `#include <algorithm>\n#include <cstdlib>\n#include <functional>\n#include <vector>
struct Job { virtual long run(int n) = 0; };
struct Sort : Job { std::vector<int> v; std::function<bool(int, int)> less = [](int a, int b) { return a < b; };
  __attribute__((noinline)) long run(int n) override { if (n > 0) { long r = run(n - 1); asm volatile("" : : : "memory"); return r + 1; }
    v.resize(400); for (int &x : v) x = rand(); std::sort(v.begin(), v.end(), less); return v[0]; } };
int main() { Sort sort; for (;;) sort.run(8); }`,
      "-O2",
    ),
  ],
  python: () => [
    "/usr/bin/python3",
    file(
      "work.py",
      "import json, re\ndef leaf(n): return json.dumps(list(range(n))), re.findall('a+b', 'aab' * n)\ndef outer(n): return leaf(n)\nwhile True: outer(300)\n",
    ),
  ],
  node: () => [process.execPath, nodeWork()],
  "node-perf": () => [process.execPath, "--perf-basic-prof", nodeWork()],
};
const nodeWork = () =>
  file(
    "work.js",
    "function leaf(n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }\nfunction outer() { return leaf(22); }\nfor (;;) outer();\n",
  );

/** Stacks of a map as both tools print it, with how often each was seen. */
function* stacksOf(text) {
  for (const [, frames, count] of text.matchAll(/^@\[\n?([\s\S]*?)\n?\]: (\d+)$/gm))
    yield { frames: frames.split("\n").flatMap((line) => line.trim() || []), count: Number(count) };
}

async function measure([tool, command, stack], args) {
  const traced = spawn(args[0], args.slice(1), { stdio: "ignore" });
  await new Promise((resolve) => setTimeout(resolve, 700));
  const script = `profile:hz:99 /pid == ${traced.pid}/ { @[${stack}] = count(); } interval:s:${values.seconds} { exit(); }`;
  const { stdout, stderr } = spawnSync(
    command[0],
    [...command.slice(1), "-q", "-p", String(traced.pid), "-e", script],
    {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    },
  );
  traced.kill("SIGKILL");
  let [all, whole, frames, named] = [0, 0, 0, 0];
  for (const { frames: found, count } of stacksOf(stdout)) {
    all += count;
    if (found.some((frame) => outermost.test(frame))) whole += count;
    frames += count * found.length;
    named += count * found.filter((frame) => !/^(?:0x)?[0-9a-f]+$/.test(frame)).length;
  }
  const share = (part, of) => (of === 0 ? "-" : `${((100 * part) / of).toFixed(1)} %`);
  return { tool: `${tool} ${stack}`, all, whole: share(whole, all), named: share(named, frames), stderr };
}

const wanted = positionals.length > 0 ? positionals : Object.keys(cases);
console.log("| program | by | stacks | whole | frames with names |\n| --- | --- | --- | --- | --- |");
for (const name of wanted) {
  const args = cases[name]();
  for (const tool of tools) {
    const { tool: by, all, whole, named } = await measure(tool, args);
    console.log(`| ${name} | ${by} | ${all} | ${whole} | ${named} |`);
  }
}
