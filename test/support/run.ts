import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { pause, program, root } from "./program.js";

export { pause, program, root };

/** Far more than any run takes on a real machine; an emulated one is twenty times slower. */
const limitMilliseconds = 120_000;

/** What a failed test has left behind keeps its file from ending, for longer than all other tests take. */
const endMilliseconds = 20_000;
after(() => {
  const end = (): never => {
    console.error("something that a test has started is still there; this file fails for it");
    process.exit(1);
  };
  setTimeout(end, endMilliseconds).unref();
});

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

/** What the program says of the kernel; asked once in a run of all files (scripts/run-tests.mjs). */
export function info(): Info {
  if (cached === undefined) {
    const folder = process.env["BEETRACE_TESTS_FOLDER"];
    const kept = folder === undefined ? undefined : join(folder, "info.json");
    const isKept = kept !== undefined && existsSync(kept);
    const said = isKept ? readFileSync(kept, "utf8") : askForInfo();
    if (kept !== undefined && !isKept) writeFileSync(kept, said);
    cached = JSON.parse(said) as Info;
  }
  return cached;
}

function askForInfo(): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [program, "--info", "-f", "json"], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`--info failed: ${stderr}`);
  return stdout;
}

/** The reason to skip a test that needs a feature, or false. */
export const lacks = (feature: string): string | false =>
  info().features[feature] === "yes" ? false : `this kernel has no ${feature} (${info().system.kernel})`;

/** Why not, for a test of what came with that kernel and cannot be asked for. */
export const sinceLinux = (major: number, minor: number): string | false => {
  const [has = 0, hasMinor = 0] = release().split(".").map(Number);
  return has > major || (has === major && hasMinor >= minor) ? false : `not before Linux ${major}.${minor}`;
};

/** Lines of a text without the empty ones. */
export const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** Whether this is QEMU without KVM, some twenty times slower than the machine; scripts/virtual-machine.mjs says so, too. */
export const isEmulated = (): boolean =>
  process.env["BEETRACE_TESTS_EMULATED"] === "1" || readFileSync("/proc/cpuinfo", "latin1").includes("QEMU TCG");

/**
 * The reason to skip where it would only take time: a test that needs no other kernel than the machine's own, as it is about what
 * beetrace does itself. That every kernel accepts such programs is seen by verifier.test.ts.
 */
export const sameEverywhere: string | false =
  isEmulated() && "the same on every kernel, and slow where the processor is emulated";

/** The same of a test that needs what this machine's own kernel may lack: one of the emulated kernels runs it (scripts/test.mjs). */
export const sameElsewhere: string | false =
  process.env["BEETRACE_TESTS_ELSEWHERE"] === "1" && "the same on another kernel, under which it runs";
