// The map of the house: a file imports from its own folder or from one of a smaller rank.
import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import { isTest, matchingLines, type SourceFile, sourceFiles } from "../support/source-tree.js";

/** Lowest first. Folders in one row know nothing of each other. */
const rows: readonly (readonly string[])[] = [
  ["base"],
  ["abi", "formats"],
  ["syntax", "types", "ir"],
  ["wire"],
  ["output", "c"],
  ["language", "page"],
  ["check", "lower", "bpf"],
  ["unit.ts"],
  ["unit-text.ts", "unit-file.ts"],
  ["compile.ts"],
  ["sys"],
  ["kernel"],
  ["load", "events", "symbols"],
  ["trace"],
  ["session"],
  ["index.ts"],
  ["cli"],
];
const ranks = new Map(rows.flatMap((row, rank) => row.map((name) => [name, rank] as const)));
/** Nothing up to the bytecode knows files, processes, clocks or this machine's kernel. */
const pure = new Set(
  rows
    .slice(
      0,
      rows.findIndex((row) => row.includes("sys")),
    )
    .flat(),
);

const files = sourceFiles("src").filter((file) => !isTest(file));

/** The folder, or the file, below src/. */
const place = (path: string): string => path.split("/")[1] ?? "";

const importsOf = ({ text }: SourceFile): readonly string[] =>
  [...text.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");

/** What is wrong with a file's imports. */
function violations(file: SourceFile): readonly string[] {
  const from = place(file.path);
  return importsOf(file).flatMap((name) => {
    if (!name.startsWith(".")) {
      const outside = name.startsWith("node:") && pure.has(from);
      return outside ? [`${file.path} is pure and imports ${name}`] : [];
    }
    // The version stands there only.
    if (posix.join(posix.dirname(file.path), name) === "package.json") return [];
    if (!name.endsWith(".js")) return [`${file.path} imports ${name} without .js`];
    const target = posix.join(posix.dirname(file.path), name).replace(/\.js$/, ".ts");
    if (!target.startsWith("src/")) return [`${file.path} imports ${target}, which is not in src/`];
    const to = place(target);
    if (to === from) return [];
    const [low, high] = [ranks.get(to), ranks.get(from)];
    return low !== undefined && high !== undefined && low < high ? [] : [`${file.path} imports ${target}`];
  });
}

test("every folder of src/ has a rank", () => {
  assert.deepEqual(
    [...new Set(files.map(({ path }) => place(path)))].filter((name) => !ranks.has(name)),
    [],
  );
});

test("imports lead down", () => {
  assert.deepEqual(files.flatMap(violations), []);
});

test("an import that leads up or sideways is found", () => {
  const wrong = (path: string, text: string): number => violations({ path, text }).length;
  assert.equal(wrong("src/ir/x.ts", 'import type { A } from "../types/type.js";'), 1);
  assert.equal(wrong("src/ir/passes/x.ts", 'export { a } from "../../check/check.js";'), 1);
  assert.equal(wrong("src/ir/x.ts", 'const a = await import("../cli/main.js");'), 1);
  assert.equal(wrong("src/ir/x.ts", 'import "../../test/support/run.js";'), 1);
  assert.equal(wrong("src/ir/x.ts", 'import { readFileSync } from "node:fs";'), 1);
  assert.equal(wrong("src/ir/passes/x.ts", 'import { a } from "../ir.js";\nimport b from "../../base/span.js";'), 0);
});

test("one file knows the runtime's foreign functions", () => {
  const users = files.filter((file) => importsOf(file).includes("koffi") || /require\("koffi"\)/.test(file.text));
  assert.deepEqual(
    users.map(({ path }) => path),
    ["src/sys/ffi.ts"],
  );
});

test("what is pure asks nothing of the process, and only the command line prints", () => {
  const code = (list: readonly string[]): readonly string[] => list.filter((line) => !/: (\/\/|\/?\*)/.test(line));
  const pureFiles = files.filter(({ path }) => pure.has(place(path)));
  assert.deepEqual(code(matchingLines(pureFiles, /(?<![\w.`/])process\.\w|\bDate\.now\(|\bMath\.random\(/)), []);
  const quiet = files.filter(({ path }) => place(path) !== "cli");
  assert.deepEqual(code(matchingLines(quiet, /\bconsole\.|\bprocess\.(stdout|stderr)\b/)), []);
});

/** What reads and checks scripts. Probe types are no part of it: any front end attaches by them. */
const frontEnd = /^src\/(?:syntax|check|lower|language\/(?:builtins|map-functions)|compile\.ts)/;

test("what loads and traces knows no front end", () => {
  const tracer = new Set(["sys", "kernel", "load", "events", "symbols", "trace", "output", "wire"]);
  const wrong = files
    .filter(({ path }) => tracer.has(place(path)))
    .flatMap((file) =>
      importsOf(file)
        .map((name) => posix.join(posix.dirname(file.path), name))
        .filter((target) => frontEnd.test(target))
        .map((target) => `${file.path} imports ${target}`),
    );
  assert.deepEqual(wrong, []);
});
