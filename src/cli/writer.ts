import { closeSync, openSync, writeSync } from "node:fs";
import { encodeBytes, pathOf, writeBytes } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";

/** Enough that one write(2) serves thousands of lines, little enough to stay in the cache. */
const chunk = 1 << 16;
/** Larger pieces, of one large value, get memory of their own. */
const maxReused = 1 << 20;

/** Collects text and writes it in large pieces; a full pipe blocks, a closed one is told once. */
export class Writer {
  private readonly fd: number;
  private readonly onClosed: () => void;
  private pending: (string | Uint8Array)[] = [];
  private length = 0;
  private buffer = Buffer.alloc(0);
  private closed = false;
  private readonly owned: boolean;

  constructor(target: number | string, onClosed: () => void) {
    this.onClosed = onClosed;
    this.owned = typeof target === "string";
    try {
      this.fd = typeof target === "string" ? openSync(pathOf(target), "w") : target;
    } catch (error) {
      throw new BeetraceError(`cannot write to ${target}: ${(error as Error).message}`);
    }
  }

  write(text: string): void {
    if (text === "" || this.closed) return;
    this.pending.push(text);
    this.length += text.length;
    if (this.length >= chunk) this.flush();
  }

  writeBytes(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.closed) return;
    this.pending.push(bytes);
    this.length += bytes.length;
    this.flush();
  }

  flush(): void {
    if (this.length === 0) return;
    const bytes = this.encoded();
    this.pending = [];
    this.length = 0;
    let at = 0;
    while (at < bytes.length && !this.closed) {
      try {
        at += writeSync(this.fd, bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EAGAIN") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        else {
          this.closed = true;
          this.onClosed();
          if (code !== "EPIPE") throw new BeetraceError(`cannot write the output: ${(error as Error).message}`);
        }
      }
    }
  }

  /** What is pending, in memory that is used again: a stack a time comes to hundreds of megabytes. */
  private encoded(): Uint8Array {
    // A character of UTF-16 has three bytes in UTF-8 at most.
    const most = 3 * this.length;
    if (most > maxReused) {
      return Buffer.concat(this.pending.map((part) => (typeof part === "string" ? encodeBytes(part) : part)));
    }
    if (this.buffer.length < most) this.buffer = Buffer.allocUnsafeSlow(most);
    const { buffer } = this;
    let length = 0;
    for (const part of this.pending) {
      if (typeof part === "string") length += writeBytes(part, buffer, length);
      else {
        buffer.set(part, length);
        length += part.length;
      }
    }
    return buffer.subarray(0, length);
  }

  close(): void {
    this.flush();
    if (this.owned) closeSync(this.fd);
  }
}

/**
 * Writes to standard error at once. Not by process.stderr, which makes a pipe non-blocking (libuv, uv_pipe_open()): the programs
 * that share it, `grep` in `{ beetrace ...; } 2>&1 | grep x >&2` for one, would fail with EAGAIN.
 */
export function printError(text: string): void {
  const writer = new Writer(2, () => undefined);
  try {
    writer.write(text);
    writer.close();
  } catch (error) {
    // Nobody is left who could be told.
    if (!(error instanceof BeetraceError)) throw error;
  }
}
