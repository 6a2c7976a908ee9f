// What a stage of the tests has to say, and how results come from the process that runs them.
import { spawn } from "node:child_process";

const mark = "\x1etest ";

/** One result as a line of its own between other output. */
export function encodeResult(result) {
  return `${mark}${JSON.stringify(result)}\n`;
}

/** The results of one stage. */
export class Results {
  constructor(stage, { write }) {
    this.stage = stage;
    this.write = write;
    this.passed = 0;
    this.failures = [];
    this.skips = [];
    this.running = undefined;
    this.times = [];
  }

  /** The tests that took longest, with their seconds. */
  slowest(count) {
    const line = ({ title, ms }) => `${title} ${(ms / 1000).toFixed(0)} s`;
    return [...this.times]
      .sort((a, b) => b.ms - a.ms)
      .slice(0, count)
      .map(line);
  }

  pass() {
    this.passed++;
  }

  fail(name, reason) {
    this.failures.push({ name });
    this.write(`\n[${this.stage}] FAILED ${name}\n${indent(reason)}\n`);
  }

  skip(name, reason) {
    this.skips.push({ name, reason });
  }

  get total() {
    return this.passed + this.failures.length + this.skips.length;
  }

  /** A line of a process's output: a result, or something to show. */
  line(text) {
    const at = text.indexOf(mark);
    const result = at < 0 ? undefined : parseResult(text.slice(at + mark.length));
    const other = result === undefined ? text : text.slice(0, at);
    if (other !== "") this.write(`[${this.stage}] ${other}\n`);
    if (result === undefined) return;
    const { status, file, name, reason, ms } = result;
    const title = `${file}: ${name}`;
    if (ms !== undefined) this.times.push({ title, ms });
    if (status === "start") this.running = title;
    else if (status === "pass") this.pass();
    else if (status === "skip") this.skip(title, reason);
    else this.fail(title, reason);
  }
}

/** A machine that dies may leave half a line. */
function parseResult(json) {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Runs a command without input; whole lines of its output go to `onLine` and `onErrorLine`. Resolves with its status. */
export function runLines(command, args, { onLine, onErrorLine = onLine, ...options }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    const stop = () => child.kill();
    process.once("exit", stop);
    const rests = [splitLines(child.stdout, onLine), splitLines(child.stderr, onErrorLine)];
    child.on("error", (cause) => {
      onErrorLine(`${command}: ${cause.message}`);
      resolve(127);
    });
    child.on("close", (status) => {
      process.off("exit", stop);
      for (const rest of rests) rest();
      resolve(status ?? 128);
    });
  });
}

function splitLines(stream, onLine) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  });
  return () => {
    if (rest !== "") onLine(rest);
    rest = "";
  };
}

const indent = (text) => text.replace(/^(?=.)/gm, "    ");
