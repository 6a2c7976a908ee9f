// Commands as the suite's cases mean them: through the shell, each in a session of its own, so that what it leaves behind
// can be ended with it.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, constants, existsSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { constants as os } from "node:os";

export interface CommandOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Name for a pipe that does not exist yet. */
  readonly pipe: string;
  readonly onOutput?: ((bytes: Uint8Array) => void) | undefined;
}

/** A command that runs, with its two outputs in one pipe. */
export class Command {
  readonly pid: number;
  private readonly child: ChildProcess;
  private readonly chunks: Uint8Array[] = [];
  /** Its exit status; a signal's number negated, as in Python. */
  readonly ended: Promise<number>;
  /** Nobody writes any more, which may be later than its end. */
  readonly closed: Promise<void>;

  constructor(argv: readonly string[], options: CommandOptions) {
    // Node's own pipes are sockets: cases that open /dev/stdout would fail on them.
    spawnSync("mkfifo", [options.pipe]);
    const reading = openSync(options.pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writing = openSync(options.pipe, constants.O_WRONLY);
    spawnSync("rm", [options.pipe]);
    const [file = "", ...args] = argv;
    this.child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: ["ignore", writing, writing],
    });
    closeSync(writing);
    this.pid = this.child.pid ?? 0;
    this.ended = new Promise((resolve) => {
      this.child.on("error", () => resolve(127));
      this.child.on("exit", (code, signal) => resolve(code ?? (signal === null ? 127 : -os.signals[signal])));
    });
    const socket = new Socket({ fd: reading, readable: true, writable: false });
    this.closed = new Promise((resolve) => socket.on("close", () => resolve()));
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Uint8Array) => {
      this.chunks.push(bytes);
      options.onOutput?.(bytes);
    });
  }

  output(): Uint8Array {
    return Buffer.concat(this.chunks);
  }

  /** To all processes of its session that have not made a group of their own. */
  signal(name: NodeJS.Signals): void {
    if (this.pid === 0) return;
    try {
      process.kill(-this.pid, name);
    } catch {
      // It has ended.
    }
  }

  /** Ends it at once; what it has written is there afterwards. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await Promise.race([Promise.all([this.ended, this.closed]), delay(1000)]);
  }
}

/** Whether the promise settles within the time. */
export async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([promise.then(() => true), over]);
  } finally {
    clearTimeout(timer);
  }
}

export function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The cases are written for a shell whose echo leaves backslashes alone, which Debian's sh does not. */
const shells = ["/bin/bash", "/usr/bin/bash", "/bin/sh"];

export function shell(command: string): string[] {
  return [shells.find((path) => existsSync(path)) ?? "sh", "-c", command];
}
