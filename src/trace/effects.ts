import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { errnoText } from "../output/errno-text.js";
import type { TraceEvent } from "../wire/event.js";
import { Captures } from "./captures.js";

/** How long commands of system() are still run after Ctrl-C. */
const endMilliseconds = 1000;

export interface EffectsOptions {
  readonly emit: (event: TraceEvent) => void;
  /** Has what was emitted before shown. */
  readonly flush: () => void;
  /** Bytes of a file that cat() prints. */
  readonly maxCatBytes: number;
  /** Nanoseconds since 1970 of a moment of the monotonic clock. */
  readonly since1970: (nanoseconds: bigint) => bigint;
}

/** What a script does outside the kernel beside printing: commands of system(), files of cat(), packets of skboutput(). */
export class Effects implements Disposable {
  private readonly options: EffectsOptions;
  private readonly captures = new Captures();
  /** When commands are no longer run, in milliseconds of performance.now(). */
  private commandsUntil = Number.POSITIVE_INFINITY;
  /** Commands that were not run because somebody did not want to wait for them. */
  commandsLeftOut = 0;

  constructor(options: EffectsOptions) {
    this.options = options;
  }

  [Symbol.dispose](): void {
    this.captures[Symbol.dispose]();
  }

  /** Runs `work` with an end to the time that commands take: somebody waits at the keyboard. */
  hurried(work: () => void): void {
    this.commandsUntil = performance.now() + endMilliseconds;
    work();
    this.commandsUntil = Number.POSITIVE_INFINITY;
  }

  /** Runs a command in a shell, to its end. */
  runCommand(command: string): void {
    if (performance.now() > this.commandsUntil) {
      this.commandsLeftOut++;
      return;
    }
    const { emit } = this.options;
    // What was said before must stand before what the command says itself on standard error.
    this.options.flush();
    const { stdout, error } = spawnSync("/bin/sh", ["-c", command], {
      stdio: ["inherit", "pipe", "inherit"],
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    if (error !== undefined) emit({ kind: "warning", message: `system("${command}"): ${error.message}` });
    if (stdout !== null) emit({ kind: "system", text: stdout });
  }

  /** Prints the beginning of a file. */
  readFile(path: string): void {
    const { emit, maxCatBytes } = this.options;
    try {
      emit({ kind: "cat", text: readPrefix(path, maxCatBytes) });
    } catch (error) {
      const { errno = 0 } = error as NodeJS.ErrnoException;
      emit({ kind: "error", message: `failed to open file '${path}' (${errnoText(Math.abs(errno))})` });
    }
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

/** The first bytes of a file; files of /proc have no size to ask for. */
function readPrefix(path: string, limit: number): string {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(limit);
    let length = 0;
    while (length < limit) {
      const read = readSync(fd, bytes, length, limit - length, null);
      if (read === 0) break;
      length += read;
    }
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(fd);
  }
}
