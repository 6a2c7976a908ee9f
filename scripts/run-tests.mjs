// Runs compiled test files one after the other and prints one line per test for test.mjs, which may be on the other side
// of a virtual machine's serial line:
//   node scripts/run-tests.mjs [--seconds PER_FILE] [--concurrency N] FILE.test.js...
import { relative } from "node:path";
import { run } from "node:test";
import { inspect, parseArgs } from "node:util";
import { encodeResult } from "./test-results.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "120" }, concurrency: { type: "string", default: "1" } },
});

const paths = new Map();
const titles = (file) => {
  const known = paths.get(file) ?? [];
  paths.set(file, known);
  return known;
};
const print = (result) => process.stdout.write(encodeResult(result));
let failed = false;

const events = run({
  files: positionals,
  concurrency: Number(values.concurrency),
  timeout: Number(values.seconds) * 1000,
});
for await (const { type, data } of events) {
  if (type === "test:start") {
    // The parent of what starts at a depth is what started last one above.
    const names = titles(data.file);
    names.length = data.nesting;
    names.push(data.name);
    print({ status: "start", file: short(data.file), name: names.join(" > ") });
  } else if (type === "test:stdout" || type === "test:stderr") {
    process.stdout.write(data.message);
  } else if (type === "test:pass" || type === "test:fail") {
    report(type === "test:pass", data);
  }
}
process.exitCode = failed ? 1 : 0;

function report(passed, data) {
  const error = data.details.error;
  // What contains tests fails with them; the file itself is reported only when it did not get to its tests.
  if (error?.failureType === "subtestsFailed") return;
  if (passed && (data.details.type === "suite" || isFile(data))) return;
  const name = isFile(data) ? "the whole file" : [...titles(data.file).slice(0, data.nesting), data.name].join(" > ");
  const result = { file: short(isFile(data) ? data.name : data.file), name, ms: Math.round(data.details.duration_ms) };
  if (passed && (data.skip !== undefined || data.todo !== undefined)) {
    const reason = [data.skip, data.todo].find((text) => typeof text === "string" && text !== "");
    print({ ...result, status: "skip", reason: reason ?? "no reason given" });
  } else if (passed) {
    print({ ...result, status: "pass" });
  } else {
    failed = true;
    const cause = error?.cause ?? error;
    print({ ...result, status: "fail", reason: typeof cause === "string" ? cause : inspect(cause, { depth: 4 }) });
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
