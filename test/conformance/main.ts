// The conformance command; scripts/conformance.mjs compiles and starts it. See usage below.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { endianness, machine, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Machine, parseInfo, variablesFact } from "./applicable.js";
import { fullName } from "./case.js";
import { conformancePage } from "./page.js";
import { installPrograms } from "./programs.js";
import { reasons, required } from "./reasons.js";
import { type CaseRecord, caseLine, parseReport, printReport, type RunRecord, scoreTable } from "./report.js";
import { readSuite, runSuite } from "./suite.js";
import { runTools } from "./tools.js";

const usage = `usage: npm run conformance -- --suite DIR [options]

       npm run conformance -- --tools DIR [options]
       npm run conformance -- --page FILE RESULTS...

The first runs the cases of bpftrace's runtime suite. DIR is tests/ of a built tree of bpftrace: runtime/, self/, testprogs/, testlibs/.

The second attaches each script *.bt of a directory and ends it with Ctrl-C. The third writes docs/conformance.md of what
runs wrote with --out, on one kernel each.

  --kernel NAME   live (default), or a virtual machine's: 6.1, 6.12, newest, everything
  --filter REGEX  only cases whose suite.name it matches; again for more, with a leading - to leave some out
  --jobs N        so many at a time (default 1); what fails runs again alone
  --out FILE      writes the results as JSON, a line each, which docs/conformance.md is made of
  --program CMD   another program, e.g. bpftrace itself
  --patience N    multiplies time limits (default 1, in virtual machines 6)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    suite: { type: "string" },
    tools: { type: "string" },
    page: { type: "string" },
    kernel: { type: "string", default: "live" },
    filter: { type: "string", multiple: true, default: [] },
    jobs: { type: "string", default: "1" },
    out: { type: "string" },
    program: { type: "string" },
    patience: { type: "string" },
    // How the machine's results reach the host: as records instead of lines.
    records: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const root = resolve(fileURLToPath(import.meta.url), "../../../../..");
const say = (text: string): void => {
  process.stdout.write(text);
};

if (values.page !== undefined) {
  const reports = positionals.map((file) => parseReport(readFileSync(file, "utf8")));
  writeFileSync(values.page, conformancePage({ reports, reasons, required }));
  process.exit(0);
}
const wanted = values.suite ?? values.tools;
if (values.help || wanted === undefined || positionals.length > 0) {
  say(usage);
  process.exit(values.help ? 0 : 64);
}
const directory = resolve(wanted);
if (process.getuid?.() !== 0) {
  process.stderr.write("the cases trace the kernel: this needs root\n");
  process.exit(64);
}
const cases = values.kernel === "live" ? await runHere() : await runInMachine(values.kernel);
if (!values.records) {
  say(`\n${scoreTable(cases.records)}`);
  if (values.out !== undefined) writeFileSync(values.out, printReport({ run: cases.run, cases: cases.records }));
}
process.exitCode = cases.records.some(({ status }) => status === "fail") ? 1 : 0;

interface Results {
  readonly run: RunRecord;
  readonly records: CaseRecord[];
}

async function runHere(): Promise<Results> {
  const scratch = mkdtempSync(join(tmpdir(), "conformance-"));
  // An interrupted run leaves nothing behind either; what it has started ends by its own time limit.
  process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  const own = join(root, "dist/beetrace.js");
  const path = join(scratch, "bin");
  const program = installPrograms(path, values.program === undefined ? { file: own } : { words: values.program });
  // What the other program's --info does not tell of the kernel, our own does.
  const facts = new Map([...info(own), ...info(program)]);
  // A variable that every kernel has.
  facts.set(variablesFact, / runqueues$/m.test(readFileSync("/proc/kallsyms", "latin1")));
  const machineFacts: Machine = {
    release: release(),
    machine: machine(),
    endianness: endianness(),
    env: process.env,
    facts,
  };
  const run: RunRecord = {
    kernel: release(),
    where: "live",
    program: spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.trim(),
    day: new Date().toISOString().slice(0, 10),
  };
  if (values.records) say(`${JSON.stringify(run)}\n`);
  const onCase = (record: CaseRecord): void =>
    say(values.records ? `${JSON.stringify(record)}\n` : `${caseLine(record)}\n`);
  const context = { directory, program, path, scratch, patience: Number(values.patience ?? 1) };
  if (values.suite === undefined)
    return { run, records: await runTools({ ...context, slot: 0, facts, onTool: onCase }) };
  const records = await runSuite(chosen(), {
    ...context,
    jobs: Number(values.jobs),
    machine: machineFacts,
    onCase,
  });
  return { run, records };
}

function info(program: string): Map<string, boolean> {
  return parseInfo(spawnSync(program, ["--info"], { encoding: "utf8" }).stdout ?? "");
}

function chosen(): ReturnType<typeof readSuite> {
  const positive = values.filter.filter((text) => !text.startsWith("-")).map((text) => new RegExp(text));
  const negative = values.filter.filter((text) => text.startsWith("-")).map((text) => new RegExp(text.slice(1)));
  return readSuite(directory).filter((test) => {
    const name = fullName(test);
    return (positive.length === 0 || positive.some((regex) => regex.test(name))) && !negative.some((r) => r.test(name));
  });
}

/** The same command in a machine; its results come as records. */
async function runInMachine(kernel: string): Promise<Results> {
  const options = [
    values.suite === undefined ? "--tools" : "--suite",
    directory,
    "--records",
    "--jobs",
    values.jobs,
    "--patience",
    values.patience ?? "6",
  ];
  for (const text of values.filter) options.push(`--filter=${text}`);
  if (values.program !== undefined) options.push("--program", values.program);
  const vm = ["scripts/vm.mjs", "--kernel", kernel, "--seconds", "28800"];
  const child = spawn(process.execPath, [...vm, "--", process.execPath, process.argv[1] ?? "", ...options], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let run: RunRecord = { kernel: "", where: kernel, program: "", day: "" };
  const records: CaseRecord[] = [];
  let pending = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (pending + text).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const record = JSON.parse(line) as CaseRecord | RunRecord;
      if ("kernel" in record) run = { ...record, where: kernel };
      else {
        records.push(record);
        say(`${caseLine(record)}\n`);
      }
    }
  });
  const status = await new Promise<number>((done) => child.on("close", (code) => done(code ?? 1)));
  // vm.mjs has said why; 1 is the run's own way of saying that cases failed.
  if (status > 1 || run.kernel === "") process.exit(Math.max(status, 1));
  return { run, records };
}
