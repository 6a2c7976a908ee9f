// The conformance command; scripts/conformance.mjs compiles and starts it. See usage below.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { endianness, machine, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Machine, modulesFact, parseInfo, variablesFact } from "./applicable.js";
import { type Case, fullName } from "./case.js";
import { conformancePage } from "./page.js";
import { installPrograms } from "./programs.js";
import { reasons, required } from "./reasons.js";
import {
  type CaseRecord,
  caseLine,
  mergeReports,
  parseReport,
  printReport,
  type RunRecord,
  scoreTable,
} from "./report.js";
import { readSuite, runSuite } from "./suite.js";
import { runTools } from "./tools.js";

const usage = `usage: npm run conformance -- --suite DIR [options]

       npm run conformance -- --tools DIR [options]
       npm run conformance -- --page FILE RESULTS...

The first runs the cases of bpftrace's runtime suite. DIR is tests/ of a built tree of bpftrace: runtime/, self/, testprogs/, testlibs/.

The second attaches each script *.bt of a directory and ends it with Ctrl-C. The third writes docs/conformance.md of what
runs wrote with --out; of several on one kernel each case's last result counts.

  --kernel NAME   live (default), or a virtual machine's: 6.1, 6.12, newest, everything
  --filter REGEX  only cases whose suite.name it matches; again for more, with a leading - to leave some out
  --jobs N        so many at a time (default 1); what fails runs again alone
  --out FILE      writes the results as JSON, a line each, which docs/conformance.md is made of
  --program CMD   another program, e.g. bpftrace itself
  --patience N    multiplies time limits (default 1, in virtual machines, where processors are emulated, 15)
  --machines N    so many virtual machines share the cases (default 1); each keeps one core busy
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
    machines: { type: "string", default: "1" },
    // What the host tells the machine: which cases to run, by their numbers, and to report them as records, not lines.
    cases: { type: "string" },
    records: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** More than any case takes in a machine. */
const silentMilliseconds = 300_000;

/** Cases ask for these to be there; a kernel that has them built in, or not at all, starts without a word. */
const modulesOfCases = ["nf_tables", "xfs", "kvm"];

const root = resolve(fileURLToPath(import.meta.url), "../../../../..");
const say = (text: string): void => {
  process.stdout.write(text);
};

if (values.page !== undefined) {
  const reports = positionals.map((file) => parseReport(readFileSync(file, "utf8")));
  const before = existsSync(values.page) ? readFileSync(values.page, "utf8") : undefined;
  writeFileSync(values.page, conformancePage({ reports: mergeReports(reports), reasons, required, before }));
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
  facts.set(modulesFact, existsSync("/proc/modules"));
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
  const records = await runSuite(
    chosen().map(({ test }) => test),
    {
      ...context,
      jobs: Number(values.jobs),
      machine: machineFacts,
      onCase,
      ...(values.records
        ? {
            onStart: (test) => say(`${JSON.stringify({ starts: fullName(test) } satisfies Progress)}\n`),
            onRetry: (test) => say(`${JSON.stringify({ waits: fullName(test) } satisfies Progress)}\n`),
          }
        : {}),
    },
  );
  return { run, records };
}

function info(program: string): Map<string, boolean> {
  return parseInfo(spawnSync(program, ["--info"], { encoding: "utf8" }).stdout ?? "");
}

function chosen(): readonly { readonly test: Case; readonly number: number }[] {
  const positive = values.filter.filter((text) => !text.startsWith("-")).map((text) => new RegExp(text));
  const negative = values.filter.filter((text) => text.startsWith("-")).map((text) => new RegExp(text.slice(1)));
  const numbers = values.cases === undefined ? undefined : parseNumbers(values.cases);
  const every = readSuite(directory).map((test, number) => ({ test, number }));
  return every.filter(({ test, number }) => {
    if (numbers !== undefined && !numbers.has(number)) return false;
    const name = fullName(test);
    return (positive.length === 0 || positive.some((regex) => regex.test(name))) && !negative.some((r) => r.test(name));
  });
}

/** What a machine tells of a case that has no result yet. */
type Progress = { readonly starts: string } | { readonly waits: string };

/** The same command in machines that share the cases. */
async function runInMachine(kernel: string): Promise<Results> {
  if (values.suite === undefined) return await oneMachine(kernel, undefined);
  // By numbers: two cases of a suite may have one name.
  const numbers = chosen().map(({ number }) => number);
  if (numbers.length === 0) throw new Error("no case was chosen");
  const count = Math.min(Math.max(1, Number(values.machines) || 1), numbers.length);
  // Neighbours take as long as each other: they go to different machines.
  const shares = Array.from({ length: count }, (_, at) => numbers.filter((_number, index) => index % count === at));
  const parts = await Promise.all(shares.map((share) => machineAfterMachine(kernel, share)));
  return { run: (parts[0] as Results).run, records: parts.flatMap(({ records }) => records) };
}

/** Results come as records. A case may bring the machine down: another goes on. */
async function machineAfterMachine(kernel: string, numbers: readonly number[]): Promise<Results> {
  const all = readSuite(directory).map(fullName);
  const records: CaseRecord[] = [];
  const suspects: string[] = [];
  let run: RunRecord | undefined;
  let rest = numbers;
  const nameOf = (number: number): string => all[number] ?? "";
  const go = async (numbers: readonly number[]): Promise<MachineResults> => {
    const results = await oneMachine(kernel, numbers);
    run = results.run;
    records.push(...results.records);
    return results;
  };
  while (rest.length > 0) {
    const { running } = await go(rest);
    const known = new Set(records.map((record) => `${record.suite}.${record.name}`));
    suspects.push(...running);
    const left = rest.filter((number) => !known.has(nameOf(number)) && !running.has(nameOf(number)));
    if (left.length === rest.length)
      throw new Error(`no machine comes as far as its first case: ${nameOf(left[0] ?? 0)}`);
    rest = left;
  }
  for (const name of suspects) {
    say(`alone, because the machine ended while it ran: ${name}\n`);
    const { running } = await go([all.indexOf(name)]);
    if (running.size === 0) continue;
    const [suite = "", ...words] = name.split(".");
    const record: CaseRecord = { suite, name: words.join("."), status: "fail", reason: "the machine ends", seconds: 0 };
    records.push(record);
    say(`${caseLine(record)}\n`);
  }
  return { run: run as RunRecord, records };
}

interface MachineResults extends Results {
  /** Cases that had begun when the machine ended. */
  readonly running: ReadonlySet<string>;
}

async function oneMachine(kernel: string, cases: readonly number[] | undefined): Promise<MachineResults> {
  const options = [
    values.suite === undefined ? "--tools" : "--suite",
    directory,
    "--records",
    "--jobs",
    values.jobs,
    "--patience",
    values.patience ?? "15",
  ];
  if (cases !== undefined) options.push("--cases", printNumbers(cases));
  if (values.program !== undefined) options.push("--program", values.program);
  const vm = ["scripts/vm.mjs", "--kernel", kernel, "--seconds", "28800"];
  const withModules = [
    "/bin/sh",
    "-c",
    `busybox modprobe -qa ${modulesOfCases.join(" ")} 2>/dev/null; exec "$@"`,
    "conformance",
  ];
  const command = [...withModules, process.execPath, process.argv[1] ?? "", ...options];
  const child = spawn(process.execPath, [...vm, "--", ...command], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let run: RunRecord = { kernel: "", where: kernel, program: "", day: "" };
  const records: CaseRecord[] = [];
  const running = new Set<string>();
  let pending = "";
  let heard = Date.now();
  // A kernel that hangs says nothing more.
  const watch = setInterval(() => {
    if (running.size > 0 && Date.now() - heard > silentMilliseconds) child.kill();
  }, 1000);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard = Date.now();
    const lines = (pending + text).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith("{")) continue;
      const record = JSON.parse(line) as CaseRecord | RunRecord | Progress;
      if ("starts" in record) running.add(record.starts);
      else if ("waits" in record) running.delete(record.waits);
      else if ("kernel" in record) run = { ...record, where: kernel };
      else {
        running.delete(`${record.suite}.${record.name}`);
        records.push(record);
        say(`${caseLine(record)}\n`);
      }
    }
  });
  const status = await new Promise<number>((done) => child.on("close", (code) => done(code ?? 1)));
  clearInterval(watch);
  // vm.mjs has said why; 1 is the run's own way of saying that cases failed.
  if (run.kernel === "" || (status > 1 && running.size === 0)) process.exit(Math.max(status, 1));
  return { run, records, running };
}

/** `0-3,7`: the numbers of cases in the suite. */
function parseNumbers(text: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const [first = 0, last = first] = part.split("-").map(Number);
    for (let n = first; n <= last; n++) numbers.add(n);
  }
  return numbers;
}

function printNumbers(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; i++) {
    const first = numbers[i] ?? 0;
    let last = first;
    while (numbers[i + 1] === last + 1) last = numbers[++i] ?? last;
    parts.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return parts.join(",");
}
