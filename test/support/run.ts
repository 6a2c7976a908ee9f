import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, seen from build/js/test/support. */
export const root = join(fileURLToPath(import.meta.url), "../../../../..");
export const program = join(root, "dist/beetrace.js");

/** Far more than any run takes on a real machine; an emulated one is twenty times slower. */
const limitMilliseconds = 120_000;

export interface Run {
  readonly out: string;
  readonly err: string;
  /** Exit status; 128 + n if a signal ended it. */
  readonly status: number;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** A run of the program as a user starts it. */
export class Tracer {
  readonly process: ChildProcess;
  out = "";
  err = "";
  private readonly ended: Promise<Run>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.process = spawn(process.execPath, [program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TZ: "UTC", ...env },
    });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.out += text;
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.err += text;
    });
    this.ended = new Promise((resolve) => {
      const timer = setTimeout(() => this.process.kill("SIGKILL"), limitMilliseconds);
      this.process.once("close", (code, signal) => {
        clearTimeout(timer);
        resolve({ out: this.out, err: this.err, status: code ?? 128 + (signalNumbers[signal ?? ""] ?? 0) });
      });
    });
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  /** Waits for a text on either stream; throws with what was printed if the run ends first. */
  async says(text: string | RegExp): Promise<void> {
    const found = (): boolean => {
      const all = this.out + this.err;
      return typeof text === "string" ? all.includes(text) : text.test(all);
    };
    let over = false;
    void this.ended.then(() => {
      over = true;
    });
    while (!found()) {
      if (over) throw new Error(`it never said ${text}; it said: ${this.out}${this.err}`);
      await pause(5);
    }
  }

  /** The probes are attached. */
  attached(): Promise<void> {
    return this.says(/Attached \d+ probe|"attached_probes"/);
  }

  end(): Promise<Run> {
    return this.ended;
  }

  stop(signal: NodeJS.Signals = "SIGINT"): Promise<Run> {
    this.process.kill(signal);
    return this.ended;
  }
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs to the end by itself. */
export const run = (...args: string[]): Promise<Run> => new Tracer(args).end();

/** Runs a script, does the work once the probes are attached, then presses Ctrl-C. */
export async function trace(args: readonly string[], work: (tracer: Tracer) => void | Promise<void>): Promise<Run> {
  const tracer = new Tracer(args);
  await tracer.attached();
  await work(tracer);
  return tracer.stop();
}

interface Info {
  readonly system: { readonly kernel: string };
  readonly features: Readonly<Record<string, "yes" | "no" | "unknown">>;
  readonly btf: { readonly available: boolean };
}

let cached: Info | undefined;

/** What the program says of the kernel. */
export function info(): Info {
  if (cached === undefined) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, "--info", "-f", "json"], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`--info failed: ${stderr}`);
    cached = JSON.parse(stdout) as Info;
  }
  return cached;
}

/** The reason to skip a test that needs a feature, or false. */
export const lacks = (feature: string): string | false =>
  info().features[feature] === "yes" ? false : `this kernel has no ${feature} (${info().system.kernel})`;

/** Lines of a text without the empty ones. */
/** Why not, for a test of what came with that kernel and cannot be asked for. */
export const sinceLinux = (major: number, minor: number): string | false => {
  const [has = 0, hasMinor = 0] = release().split(".").map(Number);
  return has > major || (has === major && hasMinor >= minor) ? false : `not before Linux ${major}.${minor}`;
};

export const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** Whether this is QEMU without KVM, some twenty times slower than the machine. */
export const isEmulated = (): boolean => readFileSync("/proc/cpuinfo", "latin1").includes("QEMU TCG");

/** The reason to skip where it would only take time; a test that needs no other kernel than the machine's own. */
export const sameEverywhere: string | false =
  isEmulated() && "the same on every kernel, and slow where the processor is emulated";
