// Writes docs/builtins.md and docs/probes.md from the tables in src/language, and the scripts of pages from src/page.
// `--check` only says whether they are up to date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileTests, output, root } from "./compile-tests.mjs";
import { pageScripts, pageScriptsFile } from "./page-scripts.mjs";

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
const targets = { task: "task", attachment: "-p", nothing: "none" };
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
  ["probe type", "short names", "written as", "what it is", "targets"],
  probes.map((probe) => [
    `\`${probe.name}\``,
    probe.aliases.map((alias) => `\`${alias}\``).join(", "),
    probe.forms.map((form) => `\`${form}\``).join(", "),
    probe.doc,
    targets[probe.limitedBy ?? "task"],
  ]),
)}

## Targets

With \`-p\`, \`--tree\`, \`--cgroup\`, \`--container\`, \`--uid\` and \`--comm\` any script looks at some tasks only: the programs
ask in front of the action whether the current task is one of them. All that is given must hold; of several entries of one
option one must. The last column says what that means to a probe type: **task**, the probe fires for the task that it finds
running, which must be one of the targets; **-p**, the probe is attached to the process, and other targets do not apply
(beetrace warns); **none**, the task that runs then has nothing to do with it.

- \`-p PID\`: all threads of the process, by its number in the tracer's pid namespace. The trace ends with the process.
- \`--tree PID\`, or \`--tree\` with \`-c\`: the process and its descendants, those that are there and those that come. A
  process whose parent had ended before the trace began is nobody's descendant. At most 32,768 at one time; those beyond are
  counted as lost. The trace ends with the last process, with \`-c\` when the command ends.
- \`--cgroup PATH\`: the control group (version 2) and all below it, by its directory, or its path below the mount point.
- \`--container ID\`: the control group of the container with that id, or of which these are the first digits: docker,
  podman, containerd, CRI-O, Kubernetes; LXC and systemd-machined by name. It must be running.
- \`--uid USER\`: tasks of the user, by name (/etc/passwd) or number in the initial user namespace.
- \`--comm NAME\`: threads of that name, as in /proc/PID/comm.

\`-c\` alone limits what can be attached to a process (user probes, software and hardware events, watchpoints) to the
command, and nothing else, as in bpftrace, where \`-c 'sleep 10'\` is a way to trace everything for ten seconds; \`--tree -c\`
limits all probes.

beetrace runs on Node.js. A script with user probes in the very file that it runs from (\`uprobe:/usr/bin/node:*\`) would trace
beetrace itself, whose calls make events whose handling makes calls; therefore beetrace copies that file into memory and goes
on in the copy, where the probes are not. It takes the time to start once more and 100 MB. Where that cannot be
(\`vm.memfd_noexec\`, a script from a pipe, \`attach()\` of the library) a warning says so; \`-p\` limits a trace to another
process, too.
`,
  [pageScriptsFile]: await pageScripts(),
};

let stale = false;
for (const [path, text] of Object.entries(files)) {
  const full = join(root, path);
  const same = existsSync(full) && readFileSync(full, "utf8") === text;
  if (same) continue;
  stale = true;
  if (process.argv.includes("--check")) console.error(`${path} is not what its sources say: npm run gen`);
  else {
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
}
process.exit(stale && process.argv.includes("--check") ? 1 : 0);
