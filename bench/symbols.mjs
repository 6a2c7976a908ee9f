// A million frames of 200 processes to name: CPU time and peak memory of beetrace beside bpftrace, in turns.
//
//   npm run bench:symbols -- [--reference 'COMMAND'] [--runs N] [--processes N] [NAME ...]
//
// Needs root, gcc and g++, GNU time (Debian: time), and bpftrace in PATH or the command that --reference names. The processes
// are there before a tool starts and stay until all have run: programs of C and C++ with libraries of their own (each with
// another build id) and shared ones, python3, and node, half of them with --perf-basic-prof. Each is told to call
// getppid(2) from deep stacks, one process after the other. What is measured is the tool's process alone, from start to end.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const { values, positionals } = parseArgs({
  options: {
    reference: { type: "string", default: "bpftrace" },
    runs: { type: "string", default: "5" },
    processes: { type: "string", default: "200" },
    stacks: { type: "string", default: "125" },
    /** Milliseconds between processes. */
    pause: { type: "string", default: "50" },
    /** Keeps what the last run of a tool has printed in this directory. */
    keep: { type: "string" },
    /** Starts the processes, says where, and waits; --load then measures with them, as often as wanted. */
    serve: { type: "boolean", default: false },
    load: { type: "string" },
  },
  allowPositionals: true,
});
const tools = {
  beetrace: [process.execPath, ...process.execArgv, join(root, "dist/beetrace.js")],
  reference: values.reference.split(/\s+/),
};
const depth = 50;
const functionsOfLibrary = 1000;
const sharedLibraries = 20;
const config = "config = { max_map_keys = 65536 }";
const probe = "t:syscalls:sys_enter_getppid";
const cases = {
  printed: { what: "each stack printed as it comes", script: `${config} ${probe} { printf("%s\\n", ustack); }` },
  map: { what: "a map of stacks, printed at the end", script: `${config} ${probe} { @[pid, ustack] = count(); }` },
};

const folder = values.load ?? mkdtempSync(join(tmpdir(), "beetrace-symbols-"));
const children = [];
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  if (values.load === undefined) rmSync(folder, { recursive: true });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

function run(command, ...args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

/** Objects with many functions each; libraries are linked of them, each with a build id of its own. */
function compileObjects() {
  const objects = [];
  for (let i = 0; i < sharedLibraries; i++) {
    const cpp = i % 2 === 1;
    const names = Array.from({ length: functionsOfLibrary }, (_, n) =>
      cpp ? `step_${n}` : `library${i}_function_${n}_of_many`,
    );
    const lines = ['#include "walk.h"'];
    if (cpp) {
      lines.push(`namespace shop${i} {`, "template <class First, class Second> struct Pair {};");
      lines.push("template <class Key, class Value> struct Basket {");
      for (const name of names) lines.push(`__attribute__((noinline)) static int ${name}(walk *w) { STEP(w) }`);
      lines.push("}; }", `using Shop = shop${i}::Basket<long, shop${i}::Pair<const char *, unsigned long>>;`);
      lines.push(`extern "C" { extern const step table[]; const step table[] = {`);
      for (const name of names) lines.push(`Shop::${name},`);
      lines.push("nullptr }; }");
    } else {
      for (const name of names) lines.push(`__attribute__((noinline)) int ${name}(struct walk *w) { STEP(w) }`);
      lines.push("const step table[] = {", ...names.map((name) => `${name},`), "0 };");
    }
    const source = join(folder, `part${i}.${cpp ? "cc" : "c"}`);
    writeFileSync(source, `${lines.join("\n")}\n`);
    const object = join(folder, `part${i}.o`);
    const flags = ["-O1", "-fPIC", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-I", join(here, "load")];
    run(cpp ? "g++" : "gcc", ...flags, "-c", "-o", object, source);
    objects.push(object);
  }
  return objects;
}

function link(object, name, id) {
  const library = join(folder, name);
  const buildId = `-Wl,--build-id=0x${id.toString(16).padStart(40, "0")}`;
  run("gcc", "-shared", "-Wl,-Bsymbolic", buildId, "-o", library, object);
  return library;
}

const script = (name, text) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** Scripts that do as worker.c does. */
const nodeWork = () =>
  script(
    "work.js",
    `const fs = require("node:fs");
const [go, done, stacks, depth] = process.argv.slice(2);
setTimeout(() => process.exit(0), 1800_000);
const [from, to] = [fs.openSync(go, "r+"), fs.openSync(done, "r+")];
function down(n) { return n > 0 ? down(n - 1) + 1 : process.ppid; }
fs.writeSync(to, "r");
const byte = Buffer.alloc(1);
while (fs.readSync(from, byte, 0, 1) === 1) { for (let i = 0; i < stacks; i++) down(depth - (i % 20)); fs.writeSync(to, "d"); }
`,
  );
const pythonWork = () =>
  script(
    "work.py",
    `import os, signal, sys
go, done, stacks, depth = sys.argv[1:]
signal.alarm(1800)
source, target = os.open(go, os.O_RDWR), os.open(done, os.O_RDWR)
def down(n): return down(n - 1) + 1 if n > 0 else os.getppid()
os.write(target, b"r")
while os.read(source, 1):
    for i in range(int(stacks)): down(int(depth) - i % 20)
    os.write(target, b"d")
`,
  );

/** Starts all processes and waits until each is ready. */
function startProcesses() {
  const objects = compileObjects();
  const shared = objects.map((object, i) => link(object, `libshared${i}.so`, 1 + i));
  const program = join(folder, "worker");
  run("gcc", "-O1", "-fno-omit-frame-pointer", "-rdynamic", "-o", program, join(here, "load/worker.c"), "-ldl");
  run("gcc", "-O1", "-static", "-o", join(folder, "drive"), join(here, "load/drive.c"));
  const programs = Array.from({ length: 10 }, (_, i) => {
    const copy = join(folder, `worker${i}`);
    copyFileSync(program, copy);
    return copy;
  });
  const done = join(folder, "done");
  run("mkfifo", done);
  const count = Number(values.processes);
  const scripts = { node: nodeWork(), python: pythonWork() };
  for (let i = 0; i < count; i++) {
    const go = join(folder, `go.${i}`);
    run("mkfifo", go);
    const rest = [go, done, values.stacks, `${depth}`];
    const args =
      i % 20 === 18
        ? [process.execPath, ...(i % 40 === 18 ? ["--perf-basic-prof"] : []), scripts.node, ...rest]
        : i % 20 === 19
          ? ["/usr/bin/python3", scripts.python, ...rest]
          : [
              programs[i % programs.length],
              ...rest,
              link(objects[i % objects.length], `libown${i}.so`, 1000 + i),
              ...[3, 5, 7, 11, 13].map((step) => shared[(i * step + step) % shared.length]),
            ];
    children.push(spawn(args[0], args.slice(1), { cwd: folder, stdio: ["ignore", "ignore", "inherit"] }));
  }
  const ready = openSync(done, "r+");
  const byte = readBytes(ready, count);
  closeSync(ready);
  if (byte !== count) throw new Error("processes of the load did not start");
}

function readBytes(fd, count) {
  const { stdout } = spawnSync("head", ["-c", String(count)], { stdio: [fd, "pipe", "inherit"], timeout: 120_000 });
  return stdout.length;
}

function measure(name, [command, ...first], text) {
  const report = join(folder, "time");
  const output = join(folder, "output");
  const errors = join(folder, "errors");
  const [out, err] = [openSync(output, "w"), openSync(errors, "w")];
  const driver = `${join(folder, "drive")} ${folder} ${values.processes} ${values.pause}`;
  spawnSync("/usr/bin/time", ["-f", "%e %U %S %M", "-o", report, command, ...first, "-q", "-e", text, "-c", driver], {
    stdio: ["ignore", out, err],
    // These programs keep frame pointers, and both tools are to look up the same stacks.
    env: { ...process.env, BPFTRACE_USTACK_BY: "frame_pointers" },
    timeout: 600_000,
  });
  closeSync(out);
  closeSync(err);
  const [wall, user, sys, peak] = readFileSync(report, "utf8").trim().split("\n").at(-1).split(" ").map(Number);
  const printed = readFileSync(output, "latin1");
  if (values.keep) writeFileSync(join(values.keep, name), printed, "latin1");
  const [frames, named] = [/^ {8}\S/gm, /^ {8}(?!0x[0-9a-f]+$|0$)\S/gm].map((each) => printed.match(each)?.length ?? 0);
  const lost = [...`${readFileSync(errors, "latin1")}${printed}`.matchAll(/[Ll]ost (\d+) (events|stacks)/g)];
  const losses = Math.max(0, ...lost.map(([, n]) => Number(n)));
  return { wall, cpu: user + sys, peak: peak / 1024, frames, named: (100 * named) / Math.max(frames, 1), losses };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const hasReference = spawnSync(tools.reference[0], [...tools.reference.slice(1), "--version"]).status === 0;
if (!hasReference) console.log(`no reference: '${values.reference}' does not run`);
if (values.load === undefined) startProcesses();
if (values.serve) {
  console.log(folder);
  await new Promise((resolve) => setTimeout(resolve, 1800_000));
  process.exit(0);
}
console.log("| stacks | by | CPU s | wall s | peak MiB | frames | with names | lost |");
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const [name, { what, script: text }] of Object.entries(cases)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const runs = { beetrace: [], reference: [] };
  for (let i = 0; i < Number(values.runs); i++)
    for (const tool of hasReference ? ["beetrace", "reference"] : ["beetrace"])
      runs[tool].push(measure(`${name}.${tool}`, tools[tool], text));
  const rows = {};
  for (const [tool, list] of Object.entries(runs)) {
    if (list.length === 0) continue;
    const of = (key) => median(list.map((each) => each[key]));
    rows[tool] = of;
    console.log(
      `| ${what} | ${tool} | ${of("cpu").toFixed(2)} | ${of("wall").toFixed(2)} | ${of("peak").toFixed(0)} | ${of("frames")} | ${of("named").toFixed(1)} % | ${of("losses")} |`,
    );
  }
  if (rows.reference) {
    const ratio = (key) => (rows.beetrace(key) / rows.reference(key)).toFixed(2);
    console.log(`| | ratio | ${ratio("cpu")} | ${ratio("wall")} | ${ratio("peak")} | | | |`);
  }
}
process.exit(0);
