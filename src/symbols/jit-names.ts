import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, type Stats, statSync } from "node:fs";
import { PerfMap, type PerfMapSymbol } from "../formats/perf-map.js";
import { isSystemError } from "./elf-file.js";

const chunkSize = 1 << 18;
/** Of a longer file only the end is read, and again only the end each time that it has grown by so much. */
const maxFile = 16 << 20;
/** Bytes in front of what was read, by which a file is known that was written anew under the same name. */
const markSize = 64;

/**
 * Names of code that a process makes while it runs (Node.js with --perf-basic-prof, JVMs with an agent), from
 * `/tmp/perf-PID.map` in its own root directory, by its number in its own pid namespace. Anybody may write to /tmp: only a
 * file of the process's user, or of root, is believed. Of a long file the end counts, which has the newest code: what is
 * found there is right, and where nothing is found the reason is that it is too long.
 */
export class JitNames implements Disposable {
  private fd: number | undefined;
  private inode = 0;
  /** What of the file was read: from where, and up to where. */
  private first = 0;
  private read = 0;
  /** The last bytes of it. */
  private mark: Uint8Array = new Uint8Array(0);
  private map = new PerfMap();
  private dropped = false;
  private readonly path: string;
  private readonly uid: number;

  private constructor(path: string, uid: number) {
    this.path = path;
    this.uid = uid;
  }

  /** Undefined if the process has no such file; "untrusted" if it is another user's. */
  static open(procRoot: string, pid: number): JitNames | "untrusted" | undefined {
    try {
      const status = readFileSync(`${procRoot}/${pid}/status`, "utf8");
      const inside = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? `${pid}`;
      const uid = Number(/^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN);
      const path = `${procRoot}/${pid}/root/tmp/perf-${inside}.map`;
      const found = statSync(path);
      if (!found.isFile()) return undefined;
      if (found.uid !== uid && found.uid !== 0) return "untrusted";
      const names = new JitNames(path, uid);
      names.refresh();
      return names;
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  /** Bytes of names in memory. */
  get memory(): number {
    return this.dropped ? 0 : this.map.memory;
  }

  /** The code at an address; "too-large" if it may be in what is not read of the file. */
  at(address: bigint): PerfMapSymbol | "too-large" | undefined {
    if (this.dropped) this.refresh();
    return this.map.at(address) ?? (this.first > 0 || this.map.cut ? "too-large" : undefined);
  }

  /** Gives its memory back; the file stays open and is read again when a name is wanted. */
  drop(): void {
    this.begin(0);
    this.dropped = true;
  }

  /** Reads what was written since; what is known stays if the file is gone. */
  refresh(): void {
    this.dropped = false;
    try {
      this.reopen();
      const { fd } = this;
      if (fd === undefined) return;
      // What is written while this reads is left for the next time: a writer may be as fast as we are.
      const { size } = fstatSync(fd);
      // Begun anew: an exec of the same kind of program.
      if (size < this.read || !this.isSame(fd)) this.begin(0);
      if (size - this.first > maxFile) this.begin(size - maxFile / 2);
      const chunk = Buffer.allocUnsafeSlow(Math.min(chunkSize, Math.max(size - this.read, 1)));
      // In the middle of a line, unless it follows a line's end.
      let skips = this.read > 0 && this.read === this.first;
      while (!this.map.cut && this.read < size) {
        const got = readSync(fd, chunk, 0, Math.min(chunk.length, size - this.read), this.read);
        if (got === 0) break;
        this.read += got;
        let bytes = chunk.subarray(0, got);
        this.mark = Uint8Array.from(bytes.subarray(-markSize));
        if (skips) {
          const end = bytes.indexOf(10);
          if (end < 0) continue;
          bytes = bytes.subarray(end + 1);
          skips = false;
        }
        this.map.add(bytes);
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }

  /** Whether what was read last is still there. */
  private isSame(fd: number): boolean {
    const { mark } = this;
    if (mark.length === 0) return true;
    const now = Buffer.alloc(mark.length);
    return readSync(fd, now, 0, now.length, this.read - mark.length) === mark.length && now.equals(mark);
  }

  private reopen(): void {
    let now: Stats | undefined;
    try {
      now = statSync(this.path);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    if (now === undefined || (this.fd !== undefined && now.ino === this.inode)) return;
    // A pipe would wait for a writer.
    const fd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    const opened = fstatSync(fd);
    if (!opened.isFile() || (opened.uid !== this.uid && opened.uid !== 0)) {
      closeSync(fd);
      return;
    }
    this[Symbol.dispose]();
    this.fd = fd;
    this.inode = opened.ino;
  }

  private begin(at: number): void {
    this.first = at;
    this.read = at;
    this.mark = new Uint8Array(0);
    this.map = new PerfMap();
  }

  [Symbol.dispose](): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
    this.begin(0);
  }
}

/** Perf maps of all processes together. Those that have not been asked for the longest time are read again when they are. */
export class JitMemory {
  private readonly most: number;
  /** In the order of last use. */
  private readonly used = new Set<JitNames>();

  /** `most`: bytes of all of them. */
  constructor(most: number) {
    this.most = most;
  }

  /** Says that one is wanted now. */
  use(names: JitNames): void {
    this.used.delete(names);
    this.used.add(names);
  }

  /** After some have grown: drops what is over the limit, but not the one that was used last. */
  makeRoom(): void {
    let memory = 0;
    for (const names of this.used) memory += names.memory;
    let left = this.used.size;
    for (const names of this.used) {
      if (memory <= this.most || --left === 0) return;
      memory -= names.memory;
      names.drop();
      this.used.delete(names);
    }
  }
}
