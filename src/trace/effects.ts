import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { decodeBytes, pathOf } from "../base/byte-text.js";
import { errnoText } from "../output/errno-text.js";
import { ownEnvironment } from "../sys/own-words.js";
import { waitReadable } from "../sys/poll.js";
import type { Sys } from "../sys/sys.js";
import type { TraceEvent } from "../wire/event.js";
import { Captures } from "./captures.js";
import { startedBy } from "./process-tree.js";
import { shellCommand } from "./shell-words.js";

/** How long commands of system() are still run and waited for after Ctrl-C. */
const endMilliseconds = 1000;

/** What of a command's output is kept. */
const mostOutput = 1 << 26;

/** How often a file that has nothing to read yet is looked at: between these, Ctrl-C is heard. */
const patience = 100;

export interface EffectsOptions {
  readonly sys: Sys;
  readonly emit: (event: TraceEvent) => void;
  /** Settles when all that was emitted before has been shown. */
  readonly shown: () => Promise<void>;
  /** Bytes of a file that cat() prints. */
  readonly maxCatBytes: number;
  /** Nanoseconds since 1970 of a moment of the monotonic clock. */
  readonly since1970: (nanoseconds: bigint) => bigint;
}

/** What a script does outside the kernel beside printing: commands of system(), files of cat(), packets of skboutput(). */
export class Effects implements Disposable {
  private readonly options: EffectsOptions;
  private readonly captures = new Captures();
  private isHurried = false;
  /** The time that somebody in a hurry gives to commands is over. */
  private isOver = false;
  private running: ChildProcess | undefined;
  /** Commands and files that were left out, or left, because somebody did not want to wait for them. */
  leftOut = 0;

  constructor(options: EffectsOptions) {
    this.options = options;
  }

  [Symbol.dispose](): void {
    this.captures[Symbol.dispose]();
  }

  /** Somebody waits at the keyboard: a file that has nothing to read is left now, commands have a second in all. */
  hurry(): void {
    if (this.isHurried) return;
    this.isHurried = true;
    const stop = (): void => {
      this.isOver = true;
      const { pid } = this.running ?? {};
      if (pid === undefined) return;
      // The shell first, which would tell of what happens to the others.
      for (const each of [pid, ...startedBy(pid)]) endProcess(each);
    };
    setTimeout(stop, endMilliseconds).unref();
  }

  /** Runs a command in a shell, to its end. */
  async runCommand(command: string): Promise<void> {
    const { emit } = this.options;
    // What was said before must stand before what the command says itself on standard error.
    await this.options.shown();
    if (this.isOver) {
      this.leftOut++;
      return;
    }
    const child = spawn("/bin/sh", ["-c", shellCommand(command, ownEnvironment())], {
      stdio: ["inherit", "pipe", "inherit"],
    });
    this.running = child;
    const pieces: Buffer[] = [];
    let length = 0;
    child.stdout.on("data", (piece: Buffer) => {
      if (length < mostOutput) pieces.push(piece);
      length += piece.length;
    });
    const problem = await new Promise<string | undefined>((resolve) => {
      child.once("error", (error) => resolve(`command could not be started: ${error.message}`));
      child.once("close", (code, signal) => resolve(endOf(code, signal)));
      // Processes that it has left behind may still write; who waits at the keyboard does not wait for them.
      child.once("exit", (code, signal) => {
        if (this.isHurried) setTimeout(() => resolve(endOf(code, signal)), patience);
      });
    });
    this.running = undefined;
    // What it has left behind may keep the pipe, and us, alive.
    child.stdout.destroy();
    child.unref();
    if (this.isOver) this.leftOut++;
    if (length > 0) emit({ kind: "system", text: decodeBytes(Buffer.concat(pieces)) });
    if (length > mostOutput)
      emit({
        kind: "warning",
        message: `system("${command}"): only the first ${mostOutput >> 20} MiB of it are shown`,
      });
    if (problem !== undefined) emit({ kind: "error", message: `${problem}: system("${command}")` });
  }

  /** Prints the beginning of a file. */
  async readFile(path: string): Promise<void> {
    const { emit, maxCatBytes } = this.options;
    try {
      const found = await this.readPrefix(path, maxCatBytes);
      if (found === undefined) return;
      emit({ kind: "cat", text: decodeBytes(found.bytes) });
      if (found.hasMore)
        emit({
          kind: "warning",
          message: `cat("${path}"): only the first ${maxCatBytes} bytes of it are shown, as many as max_cat_bytes says`,
        });
    } catch (error) {
      const { errno = 0 } = error as NodeJS.ErrnoException;
      emit({ kind: "error", message: `failed to open file '${path}' (${errnoText(Math.abs(errno))})` });
    }
  }

  /**
   * The first bytes of a file; files of /proc have no size to ask for. A pipe, a terminal or trace_pipe may have nothing to read
   * for ever: it is waited for in pieces, and given up when somebody hurries.
   */
  private async readPrefix(path: string, limit: number): Promise<Prefix | undefined> {
    const file = await open(pathOf(path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const stats = await file.stat();
      const bytes = Buffer.alloc(limit);
      let length = 0;
      const mayWait = !stats.isFile() && !stats.isDirectory();
      while (length < limit) {
        if (mayWait && !(await this.readable(file))) {
          this.leftOut++;
          return undefined;
        }
        let read: number;
        try {
          ({ bytesRead: read } = await file.read(bytes, length, limit - length, null));
        } catch (error) {
          // trace_pipe is a regular file that has nothing to read.
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          if (!(await this.readable(file))) {
            this.leftOut++;
            return undefined;
          }
          continue;
        }
        if (read === 0) break;
        length += read;
      }
      const hasMore = length === limit && (!mayWait || (await this.readable(file, 0))) && (await hasByte(file));
      return { bytes: bytes.subarray(0, length), hasMore };
    } finally {
      await file.close();
    }
  }

  /** Waits until there is something to read, or the end; false if somebody hurries, or after a look if `time` is 0. */
  private async readable(file: FileHandle, time = patience): Promise<boolean> {
    while (!(await waitReadable(this.options.sys, [{ raw: file.fd }], time)))
      if (this.isHurried || time === 0) return false;
    return true;
  }

  /** Writes a packet to a file of them; `nanoseconds` as CLOCK_MONOTONIC counts. */
  writePacket(path: string, nanoseconds: bigint, bytes: Uint8Array, originalLength: number): void {
    const { emit, since1970 } = this.options;
    try {
      this.captures.write(path, since1970(nanoseconds), bytes, originalLength);
    } catch (error) {
      emit({ kind: "error", message: `failed to write file '${path}': ${(error as Error).message}` });
    }
  }
}

/** The beginning of a file, and whether there is more of it. */
interface Prefix {
  readonly bytes: Buffer;
  readonly hasMore: boolean;
}

/** Whether there is one more byte to read now. */
async function hasByte(file: FileHandle): Promise<boolean> {
  try {
    return (await file.read(Buffer.alloc(1), 0, 1, null)).bytesRead > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    return false;
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It has ended by itself.
  }
}

/** What is wrong with how a command ended, in the words of bpftrace where it has some. */
function endOf(code: number | null, signal: NodeJS.Signals | null): string | undefined {
  if (signal !== null) return `command was ended by ${signal}`;
  return code === 0 || code === null ? undefined : `command exited with code ${code}`;
}
