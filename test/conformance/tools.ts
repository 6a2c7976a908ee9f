// Runs whole scripts, e.g. the tools of a package: each must compile, load and attach, and end at Ctrl-C.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Facts, missingInKernel } from "./applicable.js";
import { decodeOutput } from "./expect.js";
import { Command, within } from "./process.js";
import type { CaseRecord } from "./report.js";
import { attachedMarker, type RunContext } from "./run.js";

export interface ToolsOptions extends RunContext {
  readonly facts: Facts;
  readonly onTool: (record: CaseRecord) => void;
}

/** From the start until the probes are attached, and from Ctrl-C until the end. */
const attachSeconds = 30;
const endSeconds = 10;

/** Arguments of tools that want some. */
const toolArguments: Readonly<Record<string, readonly string[]>> = { "stackcount.bt": ["vfs_read"] };

/** What is said of functions, libraries, kernel symbols and events that are not on this machine, though their kind is. */
const missingHere =
  /\.so\S* has no function|there is no kernel function|there is no program or library|there is no event|Failed to resolve kernel symbol|has no tracepoint/;

/** Runs the scripts of a directory one after the other, in the order of their names. */
export async function runTools(options: ToolsOptions): Promise<CaseRecord[]> {
  const records: CaseRecord[] = [];
  const names = readdirSync(options.directory).filter((name) => name.endsWith(".bt"));
  for (const name of names.sort()) {
    const record = await runTool(name, options);
    records.push(record);
    options.onTool(record);
  }
  return records;
}

async function runTool(name: string, options: ToolsOptions): Promise<CaseRecord> {
  const begun = performance.now();
  const result = await attachAndEnd(name, options);
  const seconds = (performance.now() - begun) / 1000;
  const base = { suite: "tools", name, seconds };
  if (result.problem === undefined) return { ...base, status: "pass" };
  const reason = whyNot(name, result.output, options);
  if (reason !== undefined) return { ...base, status: "not-applicable", reason };
  return { ...base, status: "fail", reason: result.problem, output: result.output.slice(0, 20_000) };
}

async function attachAndEnd(name: string, options: ToolsOptions): Promise<{ problem?: string; output: string }> {
  let attach: () => void = () => undefined;
  const attached = new Promise<void>((resolve) => {
    attach = resolve;
  });
  const script = join(options.directory, name);
  const argv = [options.program, "--unsafe", script, ...(toolArguments[name] ?? [])];
  const command = new Command(argv, {
    cwd: options.directory,
    env: { ...process.env, [attachedMarker]: "1" },
    pipe: join(options.scratch, `tool-${name}`),
    onOutput: () => {
      if (Buffer.from(command.output()).includes(attachedMarker)) attach();
    },
  });
  const output = (): string => decodeOutput(command.output());
  try {
    const begun = within(Promise.race([attached, command.ended]), attachSeconds * 1000 * options.patience);
    if (!(await begun)) return { problem: `not attached within ${attachSeconds} s`, output: output() };
    command.signal("SIGINT");
    if (!(await within(command.ended, endSeconds * 1000 * options.patience)))
      return { problem: `no end within ${endSeconds} s of Ctrl-C`, output: output() };
    const status = await command.ended;
    if (status === 0) return { output: output() };
    const [first = ""] = /^.*ERROR: .*$/m.exec(output()) ?? [];
    return { problem: `exit status ${status}: ${first}`, output: output() };
  } finally {
    await command.kill();
  }
}

/** What this machine lacks, as far as the script or the message tells. */
function whyNot(name: string, output: string, { directory, facts }: ToolsOptions): string | undefined {
  const program = readFileSync(join(directory, name), "utf8");
  const missing = missingInKernel({ suite: "tools", name, run: { program } }, facts, () => "");
  if (missing !== undefined) return missing;
  // What is said of it first; without its probes a script has other faults, as maps that nobody fills.
  const first = /^.*ERROR: .*$/m.exec(output)?.[0];
  return first !== undefined && missingHere.test(first) ? first.replace(/^.*ERROR: /, "") : undefined;
}
