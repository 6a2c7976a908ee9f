// Runs one case.
import { readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type Case, isExact } from "./case.js";
import { decodeOutput, problemWith } from "./expect.js";
import { Command, delay, shell, within } from "./process.js";

export interface RunContext {
  /** The suite's directory, which is the cases' working directory. */
  readonly directory: string;
  /** The program, as a word of a shell command. */
  readonly program: string;
  /** The directory with `bpftrace` in it, in front of PATH. */
  readonly path: string;
  /** A directory for pipes. */
  readonly scratch: string;
  /** Time limits are multiplied by this, for machines that are emulated. */
  readonly patience: number;
  /** Tells cases that run at the same time apart. */
  readonly slot: number;
}

export interface RunResult {
  /** What is not as the case expects; undefined if it passed. */
  readonly problem: string | undefined;
  readonly command: string;
  readonly output: string;
  readonly seconds: number;
}

/** What bpftrace and beetrace print, alone on a line, when their probes are attached and this is in the environment. */
export const attachedMarker = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/** From the start until the probes are attached; a command that never says so has no more than this. */
const attachSeconds = 10;

export async function runCase(test: Case, context: RunContext): Promise<RunResult> {
  const begun = performance.now();
  const run = new CaseRun(test, context);
  let problem: string | undefined;
  try {
    problem = await run.problem();
  } finally {
    await run.end();
  }
  const cleanup = await run.complete("CLEANUP", test.cleanup);
  return {
    problem: problem ?? cleanup,
    command: run.command,
    output: run.output(),
    seconds: (performance.now() - begun) / 1000,
  };
}

class CaseRun {
  command = "";
  private readonly test: Case;
  private readonly context: RunContext;
  private readonly before: Command[] = [];
  private main: Command | undefined;
  private after: Command | undefined;
  private pipes = 0;
  /** Bytes that were there before the probes were attached, where they do not count. */
  private ignored = 0;

  constructor(test: Case, context: RunContext) {
    this.test = test;
    this.context = context;
  }

  async problem(): Promise<string | undefined> {
    const { test, context } = this;
    const setup = await this.complete("SETUP", test.setup);
    if (setup !== undefined) return setup;
    const enter: string[] = [];
    const early = await (test.newPidNamespace ? this.startInNamespace(enter) : this.startBefore());
    if (early !== undefined) return early;
    const prefix = enter.map((word) => `${word} `).join("");
    this.command = prefix + this.commandLine();
    const limits = { attach: attachSeconds * 1000 * context.patience, rest: test.timeout * 1000 * context.patience };
    const status = await this.runMain(limits, enter);
    const output = this.output();
    const problems = test.expectations.flatMap((expectation) => {
      const readFile = (name: string): string => readFileSync(join(context.directory, name), "utf8");
      return problemWith(expectation, output, { readFile, localTime: test.localTime }) ?? [];
    });
    // One that had to be ended has no exit status of its own.
    if (status === undefined) return problems.length > 0 ? `time is over; ${problems.join("; ")}` : undefined;
    if (test.willFail ? status === 0 : status !== test.returnCode)
      problems.unshift(`exit status ${status}, wants ${test.willFail ? "a failure" : test.returnCode}`);
    return problems.length > 0 ? problems.join("; ") : undefined;
  }

  /** The exit status, or undefined if the time was over. */
  private async runMain(
    limits: { attach: number; rest: number },
    enter: readonly string[],
  ): Promise<number | undefined> {
    const { test } = this;
    let over: () => void = () => undefined;
    const timeOver = new Promise<void>((resolve) => {
      over = resolve;
    });
    let timer = setTimeout(over, limits.attach);
    let seen = 0;
    let attached = false;
    const lookForMarker = (): void => {
      if (attached || this.main === undefined) return;
      const bytes = this.main.output();
      for (let end = bytes.indexOf(10, seen); end >= 0; end = bytes.indexOf(10, seen)) {
        const line = Buffer.from(bytes.subarray(seen, end)).toString("latin1");
        seen = end + 1;
        if (line !== attachedMarker) continue;
        attached = true;
        if (isExact(test)) this.ignored = seen;
        clearTimeout(timer);
        timer = setTimeout(over, limits.rest);
        if (test.after !== undefined) this.after = this.start(this.afterCommand(test.after, enter));
        return;
      }
    };
    const env = { test: test.name, [attachedMarker]: "1", ...this.environment(), ...test.env };
    this.main = this.start(shell(this.command), { env, onOutput: lookForMarker });
    const main = this.main;
    const done = Promise.all([main.ended, main.closed]).then(([status]) => status);
    const status = await Promise.race([done, timeOver.then(() => undefined)]);
    clearTimeout(timer);
    if (status !== undefined) return status;
    main.signal("SIGTERM");
    await within(done, 1000 * this.context.patience);
    await main.kill();
    return undefined;
  }

  private afterCommand(command: string, enter: readonly string[]): string[] {
    if (enter.length === 0) return shell(command);
    return shell([...enter, ...this.absolute(command)].join(" "));
  }

  private commandLine(): string {
    const { test, context } = this;
    const program = context.program;
    if ("command" in test.run) {
      const pid = this.before[0]?.pid;
      const line = test.run.command.replaceAll("{{BPFTRACE}}", () => program);
      return pid === undefined ? line : line.replaceAll("{{BEFORE_PID}}", String(pid));
    }
    const json = test.expectations[0]?.mode === "json" ? " -q -f json" : "";
    return `${program}${json} -e '${test.run.program.replaceAll("'", "'\\''")}'`;
  }

  /** Starts what is to run meanwhile, and waits until each has become the program that its last word names. */
  private async startBefore(): Promise<string | undefined> {
    for (const command of this.test.before) this.before.push(this.start(command.split(/\s+/)));
    for (const [i, started] of this.before.entries()) {
      const name = basename(this.test.before[i]?.split(/\s+/).at(-1) ?? "").slice(0, 15);
      if (!(await this.eventually(() => processName(started.pid) === name)))
        return `BEFORE does not become '${name}': ${decodeOutput(started.output())}`;
    }
    return undefined;
  }

  /** The first BEFORE is the first process of the new namespace; the other commands enter it with `enter`. */
  private async startInNamespace(enter: string[]): Promise<string | undefined> {
    const [first = "", ...others] = this.test.before;
    const unshare = ["unshare", "--fork", "--pid", "--mount-proc", "-r", "--kill-child", "--", ...first.split(/\s+/)];
    const outer = this.start(unshare);
    this.before.push(outer);
    if (!(await this.eventually(() => childrenOf(outer.pid).length > 0)))
      return `no new namespace of processes: ${decodeOutput(outer.output())}`;
    enter.push("nsenter", "-p", "-m", "-t", String(childrenOf(outer.pid)[0]));
    for (const command of others) {
      const name = basename(command.split(/\s+/)[0] ?? "").slice(0, 15);
      const started = this.start([...enter, ...this.absolute(command)]);
      this.before.push(started);
      const inside = (): boolean => childrenOf(started.pid).some((pid) => processName(pid) === name);
      if (!(await this.eventually(inside))) return `BEFORE does not become '${name}' in the namespace`;
    }
    return undefined;
  }

  private absolute(command: string): string[] {
    return command.split(/\s+/).map((word) => resolve(this.context.directory, word));
  }

  private async eventually(condition: () => boolean): Promise<boolean> {
    const end = performance.now() + this.test.timeout * 1000 * this.context.patience;
    while (performance.now() < end) {
      if (condition()) return true;
      await delay(20);
    }
    return condition();
  }

  /** Runs a command to its end; answers what went wrong. */
  async complete(what: string, command: string | undefined): Promise<string | undefined> {
    if (command === undefined) return undefined;
    const started = this.start(shell(command));
    const limit = 30_000 * this.context.patience;
    const ended = await within(started.ended, limit);
    await started.kill();
    const status = ended ? await started.ended : undefined;
    if (status === 0) return undefined;
    return `${what} fails (${status === undefined ? "time is over" : `exit status ${status}`}): ${decodeOutput(started.output())}`;
  }

  private environment(): NodeJS.ProcessEnv {
    // What `pkill bpftrace` of a case may reach: see programs.ts.
    const sessions = [...this.before, ...(this.main === undefined ? [] : [this.main])].map(({ pid }) => pid);
    return { PATH: `${this.context.path}:${process.env["PATH"]}`, CONFORMANCE_SESSIONS: sessions.join(",") };
  }

  private start(argv: readonly string[], more: { env?: NodeJS.ProcessEnv; onOutput?: () => void } = {}): Command {
    const { directory, scratch, slot } = this.context;
    const env = more.env ?? { ...process.env, ...this.environment() };
    return new Command(argv, {
      cwd: directory,
      env,
      pipe: join(scratch, `${slot}-${this.pipes++}`),
      onOutput: more.onOutput,
    });
  }

  /** Ends everything that was started. */
  async end(): Promise<void> {
    await Promise.all([this.main?.kill(), ...this.before.map((command) => command.kill())]);
    if (this.after === undefined) return;
    await within(this.after.ended, 1000);
    await this.after.kill();
  }

  output(): string {
    return this.main === undefined ? "" : decodeOutput(this.main.output().subarray(this.ignored));
  }
}

function processName(pid: number): string {
  return readOr(`/proc/${pid}/comm`).trim();
}

function childrenOf(pid: number): number[] {
  const text = readOr(`/proc/${pid}/task/${pid}/children`).trim();
  return text === "" ? [] : text.split(/\s+/).map(Number);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
