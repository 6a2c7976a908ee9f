// Rules that reviews would have to repeat.
import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { builtins } from "../../src/language/builtins/index.js";
import { mapFunctions } from "../../src/language/map-functions/index.js";
import { probes } from "../../src/language/probes/index.js";
import { isTest, matchingLines, sourceFiles } from "../support/source-tree.js";

const source = sourceFiles("src");
const code = source.filter((file) => !isTest(file));
const all = [...source, ...sourceFiles("test")];

test("a file has one subject: 600 lines at most, tests 800", () => {
  const tooLong = all.flatMap((file) => {
    const lines = file.text.split("\n").length - 1;
    const limit = file.path.startsWith("test/") || isTest(file) ? 800 : 600;
    return lines > limit ? [`${file.path}: ${lines}`] : [];
  });
  assert.deepEqual(tooLong, []);
});

test("files are named in kebab-case", () => {
  const odd = all.filter(({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/.test(basename(path)));
  assert.deepEqual(
    odd.map(({ path }) => path),
    [],
  );
});

test("no any, no switched-off checks, no default exports, no enums, no namespaces", () => {
  const comment = /: (\/\/|\/?\*)/;
  const anything = matchingLines(code, /: any\b|\bas any\b|<any>|\bany\[\]/).filter((line) => !comment.test(line));
  assert.deepEqual(anything, []);
  // The formatter may be told to leave a table's row alone.
  assert.deepEqual(matchingLines(code, /@ts-ignore|@ts-expect-error|@ts-nocheck|biome-ignore (?!format)/), []);
  assert.deepEqual(matchingLines(code, /^export default\b|\bas default\b/), []);
  assert.deepEqual(matchingLines(code, /^(export )?(declare )?(const )?(enum|namespace) \w+ \{/), []);
});

test("modules have no state", () => {
  assert.deepEqual(matchingLines(code, /^(export )?(let|var) /), []);
});

test("standard streams are written by cli/writer.ts, which leaves their pipes blocking", () => {
  const used = matchingLines(code, /process\.std(out|err)\b|\bconsole\.(log|error|warn)/);
  assert.deepEqual(
    used.filter((line) => !line.includes(" * ") && !line.startsWith("src/page/")),
    [],
  );
});

test("nothing is left to be done", () => {
  const words = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);
  assert.deepEqual(matchingLines(all, words), []);
});

/** Where a name of the language is compared outside of src/language, and why it is none there. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  // `args.retval` of old scripts: a field's name.
  "src/check/expression.ts": ["retval"],
  // A register by the name that the tables of the machine have for it.
  "src/lower/program-lowering.ts": ["retval"],
  // str("literal") where a literal is wanted.
  "src/check/call.ts": ["str"],
};

test("shared code compares no name of a builtin, map function or probe type: its entry has a property", () => {
  const entries = [...builtins, ...mapFunctions, ...probes] as readonly { name: string; aliases?: readonly string[] }[];
  const names = new Set(entries.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]));
  assert.ok(names.has("kstack") && names.has("hist") && names.has("kprobe"), "the tables are read");
  const found = new Map<string, Set<string>>();
  for (const { path, text } of code) {
    if (/^src\/(language|syntax|abi|formats|kernel)\//.test(path)) continue;
    const quoted = [
      // x.name === "kstack", name !== "kstack"; a `kind` may be called like a builtin, e.g. "count".
      ...text.matchAll(/(?:\bname|Name|\bcallee|\bbuiltin|\bident(?:ifier)?)\)? [!=]== "(\w+)"/g),
      ...text.matchAll(/"(\w+)" [!=]== (?:\w+\.)*(?:name|\w+Name|callee|builtin|ident)\b/g),
      ...[...text.matchAll(/\bswitch \((?:\w+\.)*(?:name|\w+Name|callee)\) \{(.*?)\n {2,6}\}/gs)].flatMap((match) => [
        ...(match[1] ?? "").matchAll(/case "(\w+)":/g),
      ]),
    ];
    for (const [, name = ""] of quoted) if (names.has(name)) found.set(path, (found.get(path) ?? new Set()).add(name));
  }
  assert.deepEqual(Object.fromEntries([...found].map(([path, set]) => [path, [...set].sort()]).sort()), {
    ...Object.fromEntries(Object.entries(exceptions).sort()),
  });
});
