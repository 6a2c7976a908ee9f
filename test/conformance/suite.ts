// Reads the cases of a directory, and runs them.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Machine, missingInKernel, reasonNotToRun } from "./applicable.js";
import { type Case, fullName, parseCases } from "./case.js";
import { shell } from "./process.js";
import type { CaseRecord } from "./report.js";
import { type RunContext, runCase } from "./run.js";

/** Folders of runtime/ without cases. */
const noCases = new Set(["engine", "scripts", "outputs"]);

/** A file of test: probes reports each on a line; all of them must pass within this time. */
const selfTestSeconds = 60;

/** The cases of runtime/ and one for each script of self/, in the order of their names. */
export function readSuite(directory: string): Case[] {
  const runtime = join(directory, "runtime");
  if (!existsSync(runtime)) throw new Error(`${directory} is no directory tests/ of bpftrace: it has no runtime/`);
  const names = readdirSync(runtime, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith(".") && !noCases.has(entry.name))
    .map(({ name }) => name)
    .sort();
  const cases = names.flatMap((name) => parseCases(readFileSync(join(runtime, name), "utf8"), name));
  const self = join(directory, "self");
  const scripts = existsSync(self) ? readdirSync(self).filter((name) => name.endsWith(".bt")) : [];
  const selfTests = scripts
    .sort()
    .flatMap((name) =>
      parseCases(
        `NAME ${name}\nRUN {{BPFTRACE}} --test ./self/${name}\nRETURN_CODE 0\nTIMEOUT ${selfTestSeconds}\n`,
        "self",
      ),
    );
  return [...cases, ...selfTests];
}

export interface SuiteOptions extends Omit<RunContext, "slot"> {
  readonly jobs: number;
  readonly machine: Machine;
  /** Told of each case when its result is final. */
  readonly onCase: (record: CaseRecord) => void;
  /** Told of each that begins to run, and of each that will run again. */
  readonly onStart?: (test: Case) => void;
  readonly onRetry?: (test: Case) => void;
}

/** Runs all; those that fail run once more, alone, because several traces at a time disturb each other. */
export async function runSuite(cases: readonly Case[], options: SuiteOptions): Promise<CaseRecord[]> {
  const records: CaseRecord[] = [];
  const settle = (record: CaseRecord): void => {
    records.push(record);
    options.onCase(record);
  };
  const readScript = (name: string): string => {
    const path = join(options.directory, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };
  const queue = [...cases];
  const again: Case[] = [];
  const worker = async (slot: number): Promise<void> => {
    for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
      options.onStart?.(test);
      const record = await runOne(test, options, slot);
      if (record.status === "fail") {
        again.push(test);
        options.onRetry?.(test);
      } else settle(record);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, (_, slot) => worker(slot)));
  for (const test of again) {
    options.onStart?.(test);
    const record = await runOne(test, options, 0);
    const reason = record.status === "fail" ? missingInKernel(test, options.machine.facts, readScript) : undefined;
    if (reason === undefined) settle({ ...record, retried: true });
    else settle({ ...record, status: "not-applicable", reason });
  }
  return records.sort((a, b) => (`${a.suite}.${a.name}` < `${b.suite}.${b.name}` ? -1 : 1));
}

async function runOne(test: Case, options: SuiteOptions, slot: number): Promise<CaseRecord> {
  const { suite, name } = test;
  const reason = reasonNotToRun(test, options.machine) ?? unmet(test, options);
  if (reason !== undefined) return { suite, name, status: "not-applicable", reason, seconds: 0 };
  try {
    const { problem, command, output, seconds } = await runCase(test, { ...options, slot });
    if (problem === undefined) return { suite, name, status: "pass", seconds };
    return { suite, name, status: "fail", reason: problem, seconds, command, output: output.slice(0, 20_000) };
  } catch (error) {
    throw new Error(`${fullName(test)}: ${(error as Error).message}`, { cause: error });
  }
}

function unmet(test: Case, { directory, path }: RunContext | Omit<RunContext, "slot">): string | undefined {
  const env = { ...process.env, PATH: `${path}:${process.env["PATH"]}` };
  for (const command of test.requires) {
    const [file = "", ...args] = shell(command);
    if (spawnSync(file, args, { cwd: directory, env, stdio: "ignore" }).status !== 0) return `needs: ${command}`;
  }
  return undefined;
}
