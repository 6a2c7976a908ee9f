// Whether a program's output is what a case expects. The rules are those of tests/runtime/engine/runner.py in bpftrace's
// repository, which are Python's: of `re`, `json` and `strftime`.
import { isDeepStrictEqual, TextDecoder } from "node:util";
import type { Expectation } from "./case.js";

export interface CheckOptions {
  /** Reads a file of the suite. */
  readonly readFile: (name: string) => string;
  /** Seconds since 1970, see Case.localTime. */
  readonly localTime?: number | undefined;
}

/** What is not as expected, in a few words; undefined if everything is. */
export function problemWith(expectation: Expectation, output: string, options: CheckOptions): string | undefined {
  const { mode, none, value } = expectation;
  switch (mode) {
    case "text":
    case "regex": {
      // A whole line, but for white space around it.
      const pattern = mode === "text" ? `^\\s*${escapePattern(value)}\\s*$` : value;
      const found = pythonPattern(pattern).test(output);
      if (found !== none) return undefined;
      return `${none ? "does not want" : "wants"} ${mode === "text" ? "the line" : "a match of"} ${JSON.stringify(value)}`;
    }
    case "file": {
      const expected = localTimes(options.readFile(value).trim(), options.localTime);
      return output.trim() === expected ? undefined : `wants what is in ${value}`;
    }
    case "json":
      return jsonProblem(value, options.readFile(value), output);
    default:
      return mode satisfies never;
  }
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** A pattern of Python with re.M. `(?s:...)`, where a dot also means a line end, is more than Node 20 knows. */
export function pythonPattern(pattern: string): RegExp {
  let text = "";
  const dotAll: boolean[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i] ?? "";
    if (char === "\\") text += char + (pattern[++i] ?? "");
    else if (char === "[") {
      // A bracket is at its end only behind its first character.
      const first = pattern[i + 1] === "^" ? i + 2 : i + 1;
      let end = first + 1;
      while (end < pattern.length && pattern[end] !== "]") end += pattern[end] === "\\" ? 2 : 1;
      const inside = pattern.slice(first, end);
      text += `[${pattern.slice(i + 1, first)}${inside.replace(/^\]/, "\\]")}]`;
      i = end;
    } else if (char === "(") {
      const local = pattern.startsWith("(?s:", i);
      dotAll.push(local || dotAll.at(-1) === true);
      text += local ? "(?:" : char;
      if (local) i += 3;
    } else if (char === ")") {
      dotAll.pop();
      text += char;
    } else text += char === "." && dotAll.at(-1) === true ? "[\\s\\S]" : char;
  }
  return new RegExp(text, "m");
}

/** The conversions of strftime that the suite's files use. */
export function localTimes(text: string, seconds: number | undefined): string {
  if (seconds === undefined || seconds < 0) return text;
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const values: Readonly<Record<string, string>> = {
    H: two(date.getHours()),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    T: clock,
    F: day,
    Y: String(date.getFullYear()),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    "%": "%",
  };
  return text.replace(/%([%a-zA-Z])/g, (whole, letter: string) => values[letter] ?? whole);
}

/** A file of one object, or, by its name, one of an object a line. */
function jsonProblem(name: string, expected: string, output: string): string | undefined {
  const lines = splitLines(output.trim());
  const wanted = name.endsWith(".ndjson") ? splitLines(expected.trim()) : [expected];
  if (lines.length !== wanted.length) return `wants ${wanted.length} lines of JSON, got ${lines.length}`;
  for (const [i, line] of lines.entries()) {
    const got = parseExact(line);
    if (got === undefined) return `line ${i + 1} is no JSON: ${line.slice(0, 80)}`;
    if (!isDeepStrictEqual(got, parseExact(wanted[i] ?? ""))) return `wants the JSON of ${name}`;
  }
  return undefined;
}

function splitLines(text: string): string[] {
  return text === "" ? [] : text.split("\n");
}

/** JSON with every digit of its integers kept, as in Python. */
export function parseExact(text: string): unknown {
  const exact = text.replace(/"(?:\\.|[^"\\])*"|-?\d{16,}(?![\d.eE])/g, (token) =>
    token.startsWith('"') ? token : `"\\u0000integer ${token}"`,
  );
  try {
    return JSON.parse(exact);
  } catch {
    return undefined;
  }
}

/** Text of a pipe, as Python reads it: line ends made the same, bytes that are no UTF-8 shown as \xNN. */
export function decodeOutput(bytes: Uint8Array): string {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = validPrefix(strict, bytes, at);
    text += strict.decode(bytes.subarray(at, at + length));
    at += length;
    if (at < bytes.length) text += `\\x${(bytes[at++] ?? 0).toString(16).padStart(2, "0")}`;
  }
  return text.replace(/\r\n?/g, "\n");
}

/** How many bytes from `at` on are UTF-8, up to the first that is not. */
function validPrefix(strict: TextDecoder, bytes: Uint8Array, at: number): number {
  const valid = (from: number, end: number): boolean => {
    try {
      strict.decode(bytes.subarray(from, end));
      return true;
    } catch {
      return false;
    }
  };
  if (valid(at, bytes.length)) return bytes.length - at;
  let end = at;
  while (end < bytes.length) {
    const byte = bytes[end] ?? 0;
    const size = byte < 0x80 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (size > 1 && !valid(end, end + size)) break;
    end += size;
  }
  return Math.min(end, bytes.length) - at;
}
