import { closeSync, fstatSync, openSync, readFileSync, readSync, type Stats, statSync } from "node:fs";
import { PerfMap, type PerfMapSymbol } from "../formats/perf-map.js";
import { isSystemError } from "./elf-file.js";

const chunkSize = 1 << 20;

/**
 * Names of code that a process makes while it runs (Node.js with --perf-basic-prof, JVMs with an agent), from
 * `/tmp/perf-PID.map` in its own root directory, by its number in its own pid namespace. Anybody may write to /tmp: only a
 * file of the process's user, or of root, is believed.
 */
export class JitNames implements Disposable {
  private fd: number | undefined;
  private inode = 0;
  private read = 0;
  private map = new PerfMap();
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
      const { uid: owner } = statSync(path);
      if (owner !== uid && owner !== 0) return "untrusted";
      const names = new JitNames(path, uid);
      names.refresh();
      return names;
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  get memory(): number {
    return this.map.memory;
  }

  at(address: bigint): PerfMapSymbol | undefined {
    return this.map.at(address);
  }

  /** Reads what was written since; what is known stays if the file is gone. */
  refresh(): void {
    try {
      this.reopen();
      const { fd } = this;
      if (fd === undefined) return;
      // Begun anew: an exec of the same kind of program.
      if (fstatSync(fd).size < this.read) this.begin();
      const chunk = Buffer.allocUnsafe(chunkSize);
      while (!this.map.cut) {
        const got = readSync(fd, chunk, 0, chunk.length, this.read);
        if (got === 0) break;
        this.map.add(chunk.subarray(0, got));
        this.read += got;
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }

  private reopen(): void {
    let now: Stats | undefined;
    try {
      now = statSync(this.path);
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
    if (now === undefined || (this.fd !== undefined && now.ino === this.inode)) return;
    const fd = openSync(this.path, "r");
    const { ino, uid } = fstatSync(fd);
    if (uid !== this.uid && uid !== 0) {
      closeSync(fd);
      return;
    }
    this[Symbol.dispose]();
    this.fd = fd;
    this.inode = ino;
    this.begin();
  }

  private begin(): void {
    this.read = 0;
    this.map = new PerfMap();
  }

  [Symbol.dispose](): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }
}
