import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readSync, type Stats, statSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { resolve } from "node:path";
import type { Duplex } from "node:stream";
import { E2BIG, EACCES, ENOENT, ENOEXEC } from "../abi/errno.js";
import { launcherFile } from "../abi/launcher.js";
import { decodeBytes, pathOf } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import { errnoText } from "../output/errno-text.js";
import { currentFolder } from "../sys/byte-files.js";
import { ownEnvironment, ownVariable } from "../sys/own-words.js";
import { memoryFile } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { shellParameters } from "./shell-words.js";

/** The command of -c cannot be run. */
export class CommandError extends BeetraceError {}

/** Descriptor by which a command that waits hears that it is to begin, and says why it could not. */
const wordFd = 3;

/**
 * A shell in place of the launcher where files in memory may not be executed (vm.memfd_noexec): it does not end with this
 * process.
 */
const shellScript = `read word <&${wordFd} && { trap 'echo >&${wordFd}' EXIT; shift; exec "$@" ${wordFd}>&-; }`;

/**
 * A command that waits in front of its execve until the probes are attached. It ends with this process, however that ends:
 * a program of ours (abi/launcher.ts) asks the kernel for that, waits and becomes the command; the pid stays. Node has no
 * fork without exec.
 */
export class Child {
  readonly pid: number;
  /** Path of what it will run. */
  readonly program: string;
  /** Settles when it has ended. */
  readonly ended: Promise<void>;
  /** Exit status, or 128 + the signal's number as a shell has it; undefined while it runs. */
  exitCode: number | undefined;
  /** Why the program could not be executed, known when the child has ended. */
  failure: CommandError | undefined;
  private readonly process: ChildProcess;
  private readonly word: Duplex;

  private constructor(child: ChildProcess, pid: number, program: string) {
    this.process = child;
    this.pid = pid;
    this.program = program;
    this.word = child.stdio[wordFd] as Duplex;
    const said: Buffer[] = [];
    this.word.on("data", (bytes: Buffer) => said.push(bytes));
    // It is gone before it was told to begin.
    this.word.on("error", () => undefined);
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.exitCode = code ?? (signal === null ? 1 : 128 + (constants.signals[signal] ?? 0));
      });
      child.once("close", () => {
        const bytes = Buffer.concat(said);
        if (bytes.length > 0) this.failure = notExecuted(program, bytes.length < 4 ? 0 : bytes.readInt32LE(0));
        resolve();
      });
    });
  }

  /** Starts a command, which waits for {@link go}. Throws CommandError if there is no such program, or it is none. */
  static async start(sys: Sys, command: string): Promise<Child> {
    const words = splitWords(command);
    const [file] = words;
    if (file === undefined) throw new CommandError("-c needs a command", { hint: "e.g. -c 'ls -l'" });
    const program = findExecutable(file);
    // What execvp(3) does with a script that does not say who runs it.
    const [path, args] = isPlainScript(program) ? ["/bin/sh", ["sh", program, ...words.slice(1)]] : [program, words];
    const child = await launch(sys, path, args);
    if (child?.pid === undefined) throw new CommandError(`cannot start '${file}'`);
    return new Child(child, child.pid, program);
  }

  go(): void {
    this.word.write("\n");
  }

  /** Ends a command that is still running: the trace it was started for is over. */
  end(): void {
    if (this.exitCode !== undefined) return;
    this.process.kill("SIGTERM");
    this.process.kill("SIGCONT");
  }
}

async function launch(sys: Sys, path: string, args: readonly string[]): Promise<ChildProcess | undefined> {
  const stdio = ["inherit", "inherit", "inherit", "pipe"] as const;
  try {
    using launcher = memoryFile(sys, "beetrace-c");
    const image = launcherFile(sys.arch, ["beetrace", path, ...args], ownEnvironment());
    for (let at = 0; at < image.length; ) at += writeSync(launcher.raw, image, at);
    const child = spawn(`/proc/${process.pid}/fd/${launcher.raw}`, [], {
      stdio: [...stdio],
      argv0: "beetrace",
    });
    if (await hasStarted(child)) return child;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
  const words = [...args.slice(0, 1), path, ...args.slice(1)];
  const script = shellParameters(words, ownEnvironment()) + shellScript;
  const child = spawn("/bin/sh", ["-c", script, "sh", ...words], { stdio: [...stdio] });
  return (await hasStarted(child)) ? child : undefined;
}

/** It is known at once, but told later. */
function hasStarted(child: ChildProcess): Promise<boolean> | boolean {
  if (child.pid !== undefined) return true;
  return new Promise((resolve) => {
    child.once("error", () => resolve(false));
  });
}

/** By the error of execve(2); 0 if a shell has told why already. */
function notExecuted(program: string, errno: number): CommandError {
  if (errno === 0) return new CommandError(`cannot run '${program}'`);
  const interpreter = errno === ENOENT ? interpreterOf(program) : undefined;
  if (interpreter !== undefined)
    return new CommandError(`cannot run '${program}': there is no ${interpreter}, which is to interpret it`, {
      hint: "it is named in the file's first line, or by the linker that made it",
    });
  const hints: Readonly<Record<number, string>> = {
    [ENOEXEC]: "it is no program of this machine, or damaged: file(1) tells what it is",
    [EACCES]: "its file system may be mounted noexec, or a security module forbids it",
    [E2BIG]: "its arguments and its environment are too long",
  };
  const hint = hints[errno];
  return new CommandError(`cannot run '${program}': ${errnoText(errno)}`, hint === undefined ? {} : { hint });
}

/** Bytes at the beginning of a file, and at most so many of its interpreter's name. */
const headSize = 4096;

function headOf(file: string): Buffer {
  const bytes = Buffer.alloc(headSize);
  const fd = openSync(pathOf(file), "r");
  try {
    return bytes.subarray(0, readSync(fd, bytes, 0, headSize, 0));
  } catch {
    return bytes.subarray(0, 0);
  } finally {
    closeSync(fd);
  }
}

/** Text without a first line that says who runs it. */
function isPlainScript(file: string): boolean {
  try {
    const head = headOf(file);
    return head.length > 0 && head[0] !== 0x7f && !head.includes(0) && head.toString("latin1", 0, 2) !== "#!";
  } catch {
    // Not to be read, perhaps to be executed.
    return false;
  }
}

/** What a file's first line, or its PT_INTERP if that is in its first page, says who runs it. */
function interpreterOf(file: string): string | undefined {
  try {
    const head = headOf(file);
    const text = decodeBytes(head);
    return /^#! *(\S+)/.exec(text)?.[1] ?? /\/[\w./+-]*ld[\w.+-]*\.so[\w.]*/.exec(text)?.[0];
  } catch {
    return undefined;
  }
}

function lookAt(path: string): Stats | undefined {
  try {
    return statSync(pathOf(path));
  } catch {
    // Not there, or in a folder that is closed to us.
    return undefined;
  }
}

/** What execvp(3) would find, found before anything is attached. */
function findExecutable(file: string): string {
  const places = file.includes("/")
    ? [file]
    : (ownVariable("PATH") ?? "/usr/bin:/bin").split(":").map((folder) => `${folder}/${file}`);
  let why = file.includes("/") ? "there is no such program" : "there is no such program in PATH";
  for (const place of places) {
    const found = lookAt(place);
    if (found === undefined) continue;
    if (found.isDirectory()) why = `${place} is a directory`;
    else if (!found.isFile()) why = `${place} is no file`;
    else if ((found.mode & 0o111) === 0) why = `${place} may not be executed: chmod +x makes a file a program`;
    else return resolve(currentFolder(), place);
  }
  throw new CommandError(`cannot run '${file}': ${why}`);
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
