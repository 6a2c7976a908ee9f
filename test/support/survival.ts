// Runs of the program that are killed, or told to end, at random moments: what they leave behind, and how long they go on.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Sys } from "../../src/sys/sys.js";
import { randomNumbers } from "../fixtures/fuzz.js";
import { heldObjects, kernelObjects } from "./kernel-objects.js";
import { pause, program } from "./program.js";
import type { Strain } from "./strains.js";

/** Milliseconds from the second signal to the end, at most. */
export const endsWithin = 2000;
/** Milliseconds until the kernel has freed what a process held: after a grace period of RCU, in a worker. */
const freedWithin = 15_000;
/** Milliseconds for what needs no number to be right: nothing is waited for longer. */
const patience = 10_000;

export interface Round {
  readonly seed: number;
  readonly what: string;
  /** What was done and when, for whoever repeats it. */
  readonly story: string;
  /** What was wrong; empty if nothing was. */
  readonly problems: readonly string[];
}

/** Each process of a run has this in its environment, children of children included. */
const mark = "BEETRACE_SURVIVAL";
let runs = 0;

interface Started {
  readonly process: ChildProcess;
  readonly marked: string;
  readonly at: number;
  readonly ended: Promise<string>;
  readonly err: () => string;
}

function start(args: readonly string[], stdio: StdioOptions): Started {
  const marked = `${mark}=${process.pid}.${runs++}`;
  const child = spawn(process.execPath, [program, ...args], {
    stdio,
    env: { ...process.env, [mark]: marked.slice(mark.length + 1) },
  });
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (err.length < 100_000) err += text;
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `status ${code}`));
  });
  return { process: child, marked, at: performance.now(), ended, err: () => err };
}

/** Processes that a run has started, itself included, zombies left out: they have ended. */
function processesOf({ marked }: Started): readonly string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, "latin1").split("\0").includes(marked);
    } catch {
      return false;
    }
  });
}

/** Waits until there is none of them any more; answers what is left. */
async function left<T>(look: () => readonly T[], milliseconds: number): Promise<readonly T[]> {
  for (const end = performance.now() + milliseconds; ; await pause(20)) {
    const found = look();
    if (found.length === 0 || performance.now() > end) return found;
  }
}

/**
 * What came into the kernel since `before`, and neither goes nor belongs to a living process. Others may trace on the same machine:
 * what they have open is theirs.
 */
async function objectsLeft(sys: Sys, before: ReadonlySet<string>): Promise<readonly string[]> {
  const after = [...kernelObjects(sys)].filter((object) => !before.has(object));
  const still = (): readonly string[] => {
    const now = kernelObjects(sys);
    return after.filter((object) => now.has(object));
  };
  const stayed = await left(() => {
    const found = still();
    const held = found.length === 0 ? new Set<string>() : heldObjects();
    return found.filter((object) => !held.has(object));
  }, freedWithin);
  const there = new Set(still());
  return stayed.filter((object) => there.has(object));
}

async function leftovers(sys: Sys, run: Started, before: ReadonlySet<string>): Promise<readonly string[]> {
  const processes = await left(() => processesOf(run), patience);
  for (const pid of processes) endProcess(Number(pid), "SIGKILL");
  const objects = await objectsLeft(sys, before);
  return [
    ...(processes.length > 0 ? [`processes that still run: ${processes.join(" ")}`] : []),
    ...(objects.length > 0 ? [`still in the kernel: ${objects.join(", ")}`] : []),
  ];
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** Parts of scripts; several of them make one. */
const parts = [
  "uprobe:/bin/bash:main { @u[pid] = count(); }",
  "uprobe:libc:malloc { @sizes = hist(arg0); }",
  "uretprobe:/bin/bash:main { @r[ustack] = count(); }",
  't:syscalls:sys_enter_openat { @opened[str(args.filename)] = count(); printf("%s\\n", comm); }',
  "t:sched:sched_switch { @switches[cpu] = count(); }",
  "profile:hz:999 { @stacks[kstack, ustack] = count(); }",
  "interval:ms:10 { print(@n); @n++; clear(@opened2); @opened2[nsecs] = 1; }",
  "begin { for ($i : 0..20000) { @filled[$i] = $i; } }",
];

/** Kills a run at a random moment after its start, without a chance to clean up. */
export async function kill(sys: Sys, seed: number): Promise<Round> {
  const below = randomNumbers(seed * 2654435761);
  below(2);
  const chosen = parts.filter(() => below(2) === 0);
  const script = (chosen.length > 0 ? chosen : parts).join(" ");
  const command = below(2) === 0 ? ["-c", "sleep 100"] : [];
  const moment = below(1500);
  const before = kernelObjects(sys);
  const run = start(["-e", script, ...command], ["ignore", "ignore", "ignore"]);
  const early = await Promise.race([run.ended, pause(moment).then(() => undefined)]);
  endProcess(run.process.pid ?? 0, "SIGKILL");
  await run.ended;
  const problems = [
    ...(early === undefined ? [] : [`it ended by itself with ${early}`]),
    ...(await leftovers(sys, run, before)),
  ];
  const story = `SIGKILL after ${moment} ms: beetrace -e '${script}' ${command.join(" ")}`;
  return { seed, what: "SIGKILL", story, problems };
}

/** Sends two signals at random moments to a run that is busy with what could keep it from hearing them. */
export async function signalTwice(sys: Sys, strain: Strain, seed: number): Promise<Round> {
  const below = randomNumbers(seed * 2654435761);
  below(2);
  const pick = (): NodeJS.Signals => (below(2) === 0 ? "SIGINT" : "SIGTERM");
  const signals = [pick(), pick()] as const;
  const [from, to] = strain.moments;
  const first = from + below(to - from);
  const between = below(1001);
  const before = kernelObjects(sys);
  const variant = strain.variants[below(strain.variants.length)] ?? [];
  const ready = strain.prepare();
  const args = variant.map((arg) => arg.replaceAll("FOLDER", ready.folder));
  const run = start(args, ["ignore", ready.stdout, "pipe"]);
  try {
    const problems: string[] = [];
    await Promise.race([run.ended, pause(first)]);
    endProcess(run.process.pid ?? 0, signals[0]);
    await Promise.race([run.ended, pause(between)]);
    const second = performance.now();
    endProcess(run.process.pid ?? 0, signals[1]);
    let ending = await Promise.race([run.ended, pause(endsWithin).then(() => undefined)]);
    if (ending === undefined) {
      const late = await Promise.race([run.ended, pause(patience).then(() => undefined)]);
      const after =
        late === undefined ? "and not 10 s later either" : `but ${Math.round(performance.now() - second)} ms after it`;
      problems.push(`it had not ended ${endsWithin} ms after the second signal, ${after}`);
      endProcess(run.process.pid ?? 0, "SIGKILL");
      ending = await run.ended;
    }
    if (/internal:|^\s+at .*:\d+:\d+/m.test(run.err())) problems.push(`it says: ${run.err().slice(0, 500)}`);
    problems.push(...(await leftovers(sys, run, before)));
    const story = `${signals[0]} after ${first} ms, ${signals[1]} ${between} ms later, ended by ${ending}: beetrace ${args.join(" ")}`;
    return { seed, what: strain.name, story, problems };
  } finally {
    ready.dispose();
  }
}
