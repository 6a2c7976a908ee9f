// Measures beetrace beside bpftrace in one run: wall time, CPU time and peak memory of whole processes, in turns.
//
//   npm run bench -- [--reference 'COMMAND'] [--runs N] [NAME ...]
//
// Needs root, GNU time (Debian: time), and bpftrace in PATH or the command that --reference names.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals } = parseArgs({
  options: { reference: { type: "string", default: "bpftrace" }, runs: { type: "string", default: "5" } },
  allowPositionals: true,
});
const tools = {
  beetrace: [process.execPath, join(root, "dist/beetrace.js")],
  reference: values.reference.split(/\s+/),
};
const dd = (count) => `dd if=/dev/zero of=/dev/null bs=1 count=${count} status=none`;

/** name, what it shows, arguments; `once` where the reference takes half a minute. */
const cases = [
  { name: "hello", what: "start, one printf, end", args: ["-e", 'BEGIN { printf("hello world\\n"); exit(); }'] },
  {
    name: "syscalls-begin",
    what: "every syscall tracepoint, exit in BEGIN",
    args: ["-e", "t:syscalls:sys_enter_* { @[probe] = count(); } BEGIN { exit(); }"],
    once: true,
  },
  {
    name: "syscalls",
    what: "attach every syscall tracepoint, and leave",
    args: ["-e", "t:syscalls:sys_enter_* { @[probe] = count(); } i:ms:10 { exit(); }"],
    once: true,
  },
  {
    name: "printf",
    what: "four values at each of 400,000 reads",
    args: [
      "-e",
      't:syscalls:sys_exit_read /comm == "dd"/ { printf("%d %s %d %llu\\n", pid, comm, args.ret, nsecs); }',
      "-c",
      dd(400_000),
    ],
  },
  {
    name: "hist",
    what: "a histogram of 400,000 reads",
    args: ["-e", "t:syscalls:sys_exit_read { @[comm] = hist(args.ret); }", "-c", dd(400_000)],
  },
];

function measure([command, ...first], args) {
  const folder = mkdtempSync(join(tmpdir(), "bench-"));
  try {
    const report = join(folder, "time");
    const result = spawnSync("/usr/bin/time", ["-f", "%e %U %S %M", "-o", report, command, ...first, ...args], {
      encoding: "utf8",
      maxBuffer: 1 << 30,
    });
    const [wall, user, sys, peak] = readFileSync(report, "utf8").trim().split("\n").at(-1).split(" ").map(Number);
    const lost = /[Ll]ost (\d+) events/g;
    let losses = 0;
    for (const match of `${result.stdout}${result.stderr}`.matchAll(lost)) losses = Math.max(losses, Number(match[1]));
    return {
      wall,
      cpu: user + sys,
      peak: peak / 1024,
      lost: losses,
      status: result.status,
      lines: result.stdout.split("\n").length,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const summary = (runs) =>
  Object.fromEntries(["wall", "cpu", "peak", "lost", "lines"].map((key) => [key, median(runs.map((run) => run[key]))]));

if (!existsSync("/usr/bin/time")) {
  console.error("GNU time is missing: apt-get install time");
  process.exit(1);
}
const hasReference = spawnSync(tools.reference[0], [...tools.reference.slice(1), "--version"]).status === 0;
if (!hasReference) console.log(`no reference: '${values.reference}' does not run`);
const cell = (value, width) => String(value).padStart(width);
console.log(
  `${"".padEnd(16)}${cell("wall s", 9)}${cell("cpu s", 9)}${cell("peak MiB", 10)}${cell("lost", 10)}${cell("lines", 9)}`,
);
for (const { name, what, args, once } of cases) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`${name}: ${what}`);
  const count = once ? 1 : Number(values.runs);
  const runs = { beetrace: [], reference: [] };
  for (let i = 0; i < count; i++) {
    runs.beetrace.push(measure(tools.beetrace, args));
    if (hasReference) runs.reference.push(measure(tools.reference, args));
  }
  const rows = {};
  for (const [tool, list] of Object.entries(runs)) {
    if (list.length === 0) continue;
    const row = summary(list);
    rows[tool] = row;
    console.log(
      `  ${tool.padEnd(14)}${cell(row.wall.toFixed(2), 9)}${cell(row.cpu.toFixed(2), 9)}${cell(row.peak.toFixed(1), 10)}${cell(row.lost, 10)}${cell(row.lines, 9)}`,
    );
  }
  if (rows.reference) {
    const ratio = (key) => (rows.beetrace[key] / rows.reference[key]).toFixed(2);
    console.log(`  ${"ratio".padEnd(14)}${cell(ratio("wall"), 9)}${cell(ratio("cpu"), 9)}${cell(ratio("peak"), 10)}`);
  }
}
