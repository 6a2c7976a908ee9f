// Writes docs/builtins.md and docs/probes.md from the tables in src/language. `--check` only says whether they are up to date.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileTests, output, root } from "./compile-tests.mjs";

await compileTests(() => false);
const load = (path) => import(pathToFileURL(join(output, "src/language", path)).href);
const { builtins } = await load("builtins/index.js");
const { mapFunctions } = await load("map-functions/index.js");
const { probes } = await load("probes/index.js");
const { configKeys } = await load("config.js");

const param = (p) => `${p.optional ? "[" : ""}${p.name}${p.rest ? " ..." : ""}${p.optional ? "]" : ""}`;
const signature = (entry) => {
  const call =
    entry.params === undefined || (entry.bare && entry.params.length === 0)
      ? entry.name
      : `${entry.name}(${entry.params.map(param).join(", ")})`;
  return entry.bare && entry.params?.length ? `${entry.name}, ${call}` : call;
};
const cell = (text) => text.replaceAll("|", "\\|");
const table = (head, rows) =>
  [
    `| ${head.join(" | ")} |`,
    `|${head.map(() => " --- ").join("|")}|`,
    ...rows.map((row) => `| ${row.map(cell).join(" | ")} |`),
  ].join("\n");
const note = "<!-- Written by `npm run gen` from src/language; change it there. -->\n";

const builtinRows = builtins
  .filter((entry) => !entry.name.startsWith("("))
  .map((entry) => [
    `\`${signature(entry)}\``,
    `${entry.doc}${(entry.aliases ?? []).length > 0 ? ` Also \`${entry.aliases.join("`, `")}\`.` : ""}${entry.unsafe ? " Needs `--unsafe`." : ""}`,
    entry.probes ?? "all",
    entry.since ?? "",
  ]);

const files = {
  "docs/builtins.md": `${note}# Builtins

${table(["builtin", "what it is", "probes", "Linux since"], builtinRows)}

## Map functions

They are assigned to a map: \`@x = count()\`, \`@size[comm] = hist(args.ret)\`.

${table(
  ["function", "what it keeps"],
  mapFunctions.map((entry) => [`\`${entry.name}(${entry.params.map(param).join(", ")})\``, entry.doc]),
)}

## Settings

In a \`config = { name = value; }\` block in front of the probes, or in the environment as \`BPFTRACE_NAME\`, which wins.

${table(
  ["name", "default", "what it does"],
  Object.entries(configKeys).map(([name, key]) => [`\`${name}\``, `\`${String(key.fallback)}\``, key.doc]),
)}
`,
  "docs/probes.md": `${note}# Probe types

${table(
  ["probe type", "short names", "written as", "what it is"],
  probes.map((probe) => [
    `\`${probe.name}\``,
    probe.aliases.map((alias) => `\`${alias}\``).join(", "),
    probe.forms.map((form) => `\`${form}\``).join(", "),
    probe.doc,
  ]),
)}
`,
};

let stale = false;
for (const [path, text] of Object.entries(files)) {
  const full = join(root, path);
  const same = existsSync(full) && readFileSync(full, "utf8") === text;
  if (same) continue;
  stale = true;
  if (process.argv.includes("--check")) console.error(`${path} is not what the tables say: npm run gen`);
  else writeFileSync(full, text);
}
process.exit(stale && process.argv.includes("--check") ? 1 : 0);
