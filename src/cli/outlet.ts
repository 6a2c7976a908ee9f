import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { EAGAIN, EPIPE } from "../abi/errno.js";
import { zeroed } from "../abi/struct.js";
import { encodeBytes, pathOf, writeBytes } from "../base/byte-text.js";
import { BeetraceError } from "../base/errors.js";
import { waitWritable } from "../sys/poll.js";
import { sendNow } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";

/** Enough that one write(2) serves thousands of lines, little enough to stay in the cache. */
const chunk = 1 << 16;
/** Larger pieces, of one large value, get memory of their own. */
const maxReused = 1 << 20;
/** A wait ends after this time even if nothing happened; who closes the outlet meanwhile is not kept longer. */
const patience = 500;

/**
 * Writes text to a descriptor and never blocks the thread, which hears signals: what a pipe, a terminal or a socket has no room for
 * stays here until {@link Outlet.room} has waited for some. A closed pipe is told once.
 *
 * The descriptor itself is left as it is, because other programs share it: a pipe or a terminal is opened once more, by
 * /proc/self/fd, to be non-blocking for us alone; a socket is asked not to block for each message. Files do not block.
 */
export class Outlet {
  private readonly sys: Sys;
  private readonly fd: number;
  private readonly owned: boolean;
  private readonly onClosed: () => void;
  private way: Way | undefined;
  private pending: (string | Uint8Array)[] = [];
  private length = 0;
  private buffer = Buffer.alloc(0);
  /** What did not fit, in its order. */
  private left: Uint8Array[] = [];
  private leftBytes = 0;
  private closed = false;

  constructor(sys: Sys, target: number | string, onClosed: () => void) {
    this.sys = sys;
    this.onClosed = onClosed;
    this.owned = typeof target === "string";
    try {
      this.fd = typeof target === "string" ? openSync(pathOf(target), "w") : target;
    } catch (error) {
      throw new BeetraceError(`cannot write to ${target}: ${(error as Error).message}`);
    }
  }

  /** Bytes that there was no room for. */
  get backlog(): number {
    return this.leftBytes;
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

  /** Writes what there is room for. Throws BeetraceError if it cannot be written at all. */
  flush(): void {
    this.writeLeft();
    if (this.length === 0) return;
    const bytes = this.encoded();
    this.pending = [];
    this.length = 0;
    const written = this.leftBytes > 0 ? 0 : this.put(bytes);
    if (written === bytes.length || this.closed) return;
    // The memory that it is in is used again.
    const rest = Uint8Array.from(bytes.subarray(written));
    this.left.push(rest);
    this.leftBytes += rest.length;
  }

  /** Waits for some room, or until nobody reads any more, and writes what had none. */
  async room(): Promise<void> {
    await waitWritable(this.sys, [{ raw: this.way?.fd ?? this.fd }], patience);
    this.flush();
  }

  private writeLeft(): void {
    while (!this.closed) {
      const [first] = this.left;
      if (first === undefined) return;
      const written = this.put(first);
      this.leftBytes -= written;
      if (written < first.length) {
        this.left[0] = first.subarray(written);
        return;
      }
      this.left.shift();
    }
  }

  /** How many of the bytes were written. */
  private put(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.closed) {
      try {
        this.way ??= openWay(this.sys, this.fd);
        const written = this.way.write(bytes, at);
        if (written === 0) return at;
        at += written;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EAGAIN") return at;
        this.drop();
        this.onClosed();
        if (code !== "EPIPE") throw new BeetraceError(`cannot write the output: ${(error as Error).message}`);
      }
    }
    return at;
  }

  private drop(): void {
    this.closed = true;
    this.left = [];
    this.leftBytes = 0;
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

  /** What is left is not written: who wants it waits for {@link room} before. */
  close(): void {
    if (this.leftBytes === 0) this.flush();
    this.way?.close();
    if (this.owned) closeSync(this.fd);
  }
}

/** How bytes reach a descriptor. */
interface Way {
  /** What is waited for. */
  readonly fd: number;
  /** How many of the bytes from `at` on were taken; 0, or EAGAIN, if there is no room. */
  write(bytes: Uint8Array, at: number): number;
  close(): void;
}

const straight = (fd: number): Way => ({
  fd,
  write: (bytes, at) => writeSync(fd, bytes, at),
  close: () => undefined,
});

function openWay(sys: Sys, fd: number): Way {
  const stats = fstatSync(fd);
  if (stats.isSocket()) return socket(sys, fd);
  if (!stats.isFIFO() && !stats.isCharacterDevice()) return straight(fd);
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    const again = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return { ...straight(again), close: () => closeSync(again) };
  } catch {
    // Somebody else's terminal, which we were given but may not open; or nobody reads the pipe any more.
    return straight(fd);
  }
}

function socket(sys: Sys, fd: number): Way {
  return {
    fd,
    write: (bytes, at) => {
      const piece = zeroed(Math.min(chunk, bytes.length - at));
      piece.set(bytes.subarray(at, at + piece.length));
      const sent = sendNow(sys, fd, piece);
      if (sent >= 0) return sent;
      if (sent === -EAGAIN) return 0;
      throw Object.assign(new Error(`send: error ${-sent}`), { code: sent === -EPIPE ? "EPIPE" : undefined });
    },
    close: () => undefined,
  };
}
