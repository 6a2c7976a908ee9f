import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { BeetraceError } from "../base/errors.js";
import { parseProcStat } from "../formats/proc-stat.js";

/** The command of -c cannot be run. */
export class CommandError extends BeetraceError {}

/** A command that waits in front of its execve until the probes are attached. */
export class Child {
  readonly pid: number;
  /** Path of what it will run. */
  readonly program: string;
  /** Settles when it has ended: exit status, or 128 + the signal's number as a shell has it. */
  readonly ended: Promise<void>;
  exitCode: number | undefined;
  private readonly process: ChildProcess;

  private constructor(child: ChildProcess, pid: number, program: string) {
    this.process = child;
    this.pid = pid;
    this.program = program;
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.exitCode = code ?? (signal === null ? 1 : 128);
        resolve();
      });
    });
  }

  /** Starts a shell that stops itself and, continued, becomes the command; the pid stays. Node has no fork without exec. */
  static async start(command: string): Promise<Child> {
    const words = splitWords(command);
    const [file] = words;
    if (file === undefined) throw new CommandError("-c needs a command", { hint: "e.g. -c 'ls -l'" });
    const program = findExecutable(file);
    const child = spawn("/bin/sh", ["-c", 'kill -STOP $$; exec "$@"', "sh", ...words], { stdio: "inherit" });
    const { pid } = child;
    if (pid === undefined) throw new CommandError(`cannot start '${file}'`);
    const started = new Child(child, pid, program);
    await started.stopped(file);
    return started;
  }

  /** Waits until the shell has stopped itself. */
  private async stopped(file: string): Promise<void> {
    for (;;) {
      if (this.exitCode !== undefined) throw new CommandError(`cannot start '${file}'`);
      let stat = "";
      try {
        stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
      } catch {
        throw new CommandError(`cannot start '${file}'`);
      }
      if (parseProcStat(stat)?.state === "T") return;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  go(): void {
    this.process.kill("SIGCONT");
  }

  /** Ends a command that is still running: the trace it was started for is over. */
  end(): void {
    if (this.exitCode !== undefined) return;
    this.process.kill("SIGTERM");
    this.process.kill("SIGCONT");
  }
}

/** What execvp(3) would find, found before anything is attached. */
function findExecutable(file: string): string {
  const places = file.includes("/")
    ? [file]
    : (process.env["PATH"] ?? "/usr/bin:/bin").split(":").map((folder) => `${folder}/${file}`);
  for (const place of places) {
    try {
      accessSync(place, constants.X_OK);
      return resolve(place);
    } catch {
      // Perhaps it is in the next one.
    }
  }
  throw new CommandError(
    `cannot run '${file}': ${file.includes("/") ? "there is no such program" : "there is no such program in PATH"}`,
  );
}

/** Words of a command line, with quotes and backslashes as a shell has them; no other expansion. */
export function splitWords(command: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < command.length; i++) {
    const c = command[i] ?? "";
    if (quote !== "") {
      if (c === quote) quote = "";
      else if (c === "\\" && quote === '"' && /["\\$`]/.test(command[i + 1] ?? "")) word = (word ?? "") + command[++i];
      else word = (word ?? "") + c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= "";
    } else if (c === "\\" && i + 1 < command.length) word = (word ?? "") + command[++i];
    else if (/\s/.test(c)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}
