import { objectJson, stringJson } from "./value-json.js";

/** One of the programs that --test or --bench runs. */
export interface ProgramResult {
  /** All that are to run, and which of them this is. */
  readonly names: readonly string[];
  readonly index: number;
  /** Of one run, on average. */
  readonly nanoseconds: number;
  readonly runs: number;
  readonly passed: boolean;
  /** What it printed, as text. */
  readonly output: string;
}

const green = (text: string): string => `\x1b[32m${text}\x1b[0m`;
const red = (text: string): string => `\x1b[31m${text}\x1b[0m`;
const tests = (count: number): string => `${count} ${count === 1 ? "test" : "tests"}`;

/** A test as bpftrace 0.27.1 tells it; `failed` are the names of those before it that failed. */
export function testText(result: ProgramResult, failed: readonly string[]): string {
  const { names, index, passed, output } = result;
  const name = names[index] ?? "";
  const lines: string[] = [];
  if (index === 0) lines.push(`${green("[==========]")} Running ${names.length} tests.`);
  lines.push(`${green("[ RUN      ]")} ${name}`);
  if (!passed) lines.push(...output.split("\n").filter((line) => line !== ""));
  lines.push(`${passed ? green("[       OK ]") : red("[  FAILED  ]")} ${name} (${duration(result.nanoseconds)})`);
  if (index === names.length - 1) {
    const all = passed ? failed : [...failed, name];
    lines.push(`${green("[==========]")} ${tests(names.length)} ran.`);
    lines.push(`${green("[  PASSED  ]")} ${tests(names.length - all.length)}.`);
    if (all.length > 0) lines.push(`${red("[  FAILED  ]")} ${tests(all.length)}, listed below:`);
    lines.push(...all.map((one) => `${red("[  FAILED  ]")} ${one}`));
  }
  return lines.map((line) => `${line}\n`).join("");
}

function duration(nanoseconds: number): string {
  if (nanoseconds < 1000) return `${nanoseconds} ns`;
  return nanoseconds < 1_000_000 ? `${Math.round(nanoseconds / 1000)} μs` : `${Math.round(nanoseconds / 1e6)} ms`;
}

/** Bytes of the columns of benchmarks, but for names that are longer. */
const nameWidth = 40;
const timeWidth = 15;

/** A benchmark as a row of a table; the first that is told brings the head along. */
export function benchText({ names, index, nanoseconds, runs }: ProgramResult, first: boolean): string {
  const width = Math.max(nameWidth, ...names.map((name) => name.length)) + 1;
  const row = (name: string, time: string, count: string): string =>
    `${name.padEnd(width)}${time.padEnd(timeWidth)}${count}\n`;
  const head = row("Benchmark", "Time(ns)", "Iterations");
  const line = row(names[index] ?? "", String(nanoseconds), String(runs));
  return first ? `${head}${"-".repeat(head.length - 1)}\n${line}` : line;
}

export function testJson({ names, index, nanoseconds, passed, output }: ProgramResult): string {
  const fields = { duration: String(nanoseconds), passed: String(passed), output: stringJson(output) };
  return line("test_result", names[index] ?? "", fields);
}

export function benchJson({ names, index, nanoseconds, runs }: ProgramResult): string {
  return line("benchmark_result", names[index] ?? "", { average: String(nanoseconds), iters: String(runs) });
}

/** The fields' values are JSON already. */
function line(type: string, name: string, fields: Readonly<Record<string, string>>): string {
  return `{"type": "${type}", "data": ${objectJson([[name, objectJson(Object.entries(fields))]])}}\n`;
}
