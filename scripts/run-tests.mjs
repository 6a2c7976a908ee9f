// Runs compiled test files one after the other and prints one line per test for test.mjs, which may be on the other side
// of a virtual machine's serial line:
//   node scripts/run-tests.mjs [--seconds PER_FILE] [--concurrency N] FILE.test.js...
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { run } from "node:test";
import { inspect, parseArgs } from "node:util";
import { encodeResult } from "./test-results.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "120" }, concurrency: { type: "string", default: "1" } },
});

const print = (result) => process.stdout.write(encodeResult(result));
// What the files of one run need not find out each for itself, which takes seconds where the processor is emulated.
const folder = mkdtempSync(join(tmpdir(), "beetrace-tests-"));
process.env["BEETRACE_TESTS_FOLDER"] = folder;
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

let failed = false;
const queue = [...positionals];
await Promise.all(Array.from({ length: Number(values.concurrency) }, worker));
process.exitCode = failed ? 1 : 0;

async function worker() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) await runFile(file);
}

/** One file in a process of its own, which is ended when the time is over: run()'s own limit ends tests only. */
async function runFile(file) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), Number(values.seconds) * 1000);
  const titles = [];
  for await (const { type, data } of run({ files: [file], signal: limit.signal })) {
    if (type === "test:start") {
      // The parent of what starts at a depth is what started last one above.
      titles.length = data.nesting;
      titles.push(data.name);
      print({ status: "start", file: short(data.file), name: titles.join(" > ") });
    } else if (type === "test:stdout" || type === "test:stderr") {
      process.stdout.write(data.message);
    } else if ((type === "test:pass" || type === "test:fail") && !limit.signal.aborted) {
      report(type === "test:pass", data, titles);
    }
  }
  clearTimeout(timer);
  if (limit.signal.aborted) {
    fail(
      { file: short(file), name: "the whole file" },
      `it did not end within ${values.seconds} s; the last test that started: ${titles.join(" > ") || "none"}`,
    );
  }
}

function fail(result, reason) {
  failed = true;
  print({ ...result, status: "fail", reason });
}

function report(passed, data, titles) {
  const error = data.details.error;
  // What contains tests fails with them; the file itself is reported only when it did not get to its tests.
  if (error?.failureType === "subtestsFailed") return;
  if (passed && (data.details.type === "suite" || isFile(data))) return;
  const name = isFile(data) ? "the whole file" : [...titles.slice(0, data.nesting), data.name].join(" > ");
  const result = { file: short(isFile(data) ? data.name : data.file), name, ms: Math.round(data.details.duration_ms) };
  if (passed && (data.skip !== undefined || data.todo !== undefined)) {
    const reason = [data.skip, data.todo].find((text) => typeof text === "string" && text !== "");
    print({ ...result, status: "skip", reason: reason ?? (data.todo ? "todo" : "no reason given") });
  } else if (passed) {
    print({ ...result, status: "pass" });
  } else {
    const cause = error?.cause ?? error;
    fail(result, typeof cause === "string" ? cause : inspect(cause, { depth: 4 }));
  }
}

function isFile(data) {
  return data.nesting === 0 && positionals.includes(data.name);
}

/** The source of a file that node:test may name by its compiled or, through the source map, by its own path. */
function short(file) {
  return relative(process.cwd(), file ?? "")
    .replace(/^build\/js\//, "")
    .replace(/\.js$/, ".ts");
}
