// How many stacks are whole, and how many of their frames have names: beetrace beside bpftrace, program by program.
//
//   npm run bench:stacks -- [--reference 'COMMAND'] [--seconds N] [NAME ...]
//
// Needs root, gcc, g++, rustc, PostgreSQL with pgbench, python3, and bpftrace in PATH or the command that --reference names.
// Each program (stack-programs.mjs) runs alone while each tool samples it 99 times a second for some seconds, or takes one
// stack of each of many short processes; the tools take turns. A stack is whole if it shows where programs and threads begin,
// by one of the names that this place has.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { programs } from "./stack-programs.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals } = parseArgs({
  options: {
    reference: { type: "string", default: "bpftrace" },
    seconds: { type: "string", default: "4" },
    verbose: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const folder = mkdtempSync(join(tmpdir(), "beetrace-stacks-"));
// PostgreSQL is not root.
chmodSync(folder, 0o755);
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const beetrace = { name: "beetrace", command: [process.execPath, join(root, "dist/beetrace.js")], hasTree: true };
const reference = { name: "bpftrace", command: values.reference.split(/\s+/), hasTree: false };
const outermost = /^(?:_start|__?clone3?|start_thread|__libc_start_main\S*|__libc_start_call_main)(?:\+|$)/;

/** Stacks of a map as both tools print it, with how often each was seen. */
function* stacksOf(text) {
  for (const [, frames, count] of text.matchAll(/^@\[\n?([\s\S]*?)\n?\]: (\d+)$/gm))
    yield { frames: frames.split("\n").flatMap((line) => line.trim() || []), count: Number(count) };
}

/** Runs a tool to its end; `attached` is called when its probes are. */
function traced({ command }, args, attached) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], [...command.slice(1), ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, err, told] = ["", "", false];
    const look = () => {
      if (told || !/^Attach(?:ed|ing) \d+ probe/m.test(out + err)) return;
      told = true;
      attached(() => child.kill("SIGINT"));
    };
    child.stdout.setEncoding("utf8").on("data", (text) => {
      out += text;
      look();
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      err += text;
      look();
    });
    child.once("error", reject).once("close", () => resolve({ out, err }));
  });
}

/** The target's option and the script for a program that is sampled while it runs, or whose children hit a probe. */
function request(tool, stack, { probe }, pid) {
  if (probe === undefined) {
    const script = `profile:hz:99 /pid == ${pid}/ { @[${stack}] = count(); } interval:s:${values.seconds} { exit(); }`;
    return ["-p", String(pid), "-e", script];
  }
  // ustack is for all processes. bpftrace has no trees, and with -p a uprobe of this process alone.
  const target = stack === "ustack" ? [] : [tool.hasTree ? "--tree" : "--dwarf-pid", String(pid)];
  return [...target, "-e", `${probe} { @[${stack}] = count(); }`];
}

async function measure(tool, stack, program) {
  const process = await program.start();
  try {
    await new Promise((resolve) => setTimeout(resolve, 700));
    const { out, err } = await traced(tool, request(tool, stack, program, process.pid), (stop) => {
      process.begin?.();
      void process.ended?.then(() => setTimeout(stop, 200));
    });
    let [all, whole, frames, named] = [0, 0, 0, 0];
    for (const { frames: found, count } of stacksOf(out)) {
      all += count;
      if (found.some((frame) => outermost.test(frame))) whole += count;
      frames += count * found.length;
      named += count * found.filter((frame) => !/^(?:0x)?[0-9a-f]+$/.test(frame)).length;
    }
    const share = (part, of) => (of === 0 ? "-" : `${((100 * part) / of).toFixed(1)} %`);
    if (values.verbose) console.error(`${err}${out}`);
    return `${tool.name} ${stack} | ${all} | ${share(whole, all)} | ${share(named, frames)}`;
  } finally {
    await process.end();
  }
}

const wanted = positionals.length > 0 ? positionals : Object.keys(programs);
console.log("| program | by | stacks | whole | frames with names |\n| --- | --- | --- | --- | --- |");
for (const name of wanted) {
  const own = join(folder, name);
  mkdirSync(own);
  const program = await programs[name](own);
  try {
    for (const tool of [beetrace, reference])
      for (const stack of ["ustack", "dw_ustack"]) console.log(`| ${name} | ${await measure(tool, stack, program)} |`);
  } finally {
    await program.close?.();
  }
}
