import { type Diagnostic, renderDiagnostic } from "../base/diagnostics.js";
import { BeetraceError } from "../base/errors.js";
import { compile } from "../compile.js";
import { openHeaders } from "../kernel/headers.js";
import { importFiles } from "../kernel/import-files.js";
import { openKernelView } from "../kernel/kernel-view.js";
import { checkPrivileges } from "../kernel/privileges.js";
import { openSys } from "../sys/ffi.js";
import { lookAtFramePointers } from "../trace/frame-pointers.js";
import { ownProgramAmong, tracesItself } from "../trace/probed-files.js";
import { resolveTargets, type TargetOptions } from "../trace/task-targets.js";
import { Trace } from "../trace/trace.js";
import type { TraceEvent } from "../wire/event.js";

/** The script is wrong; `diagnostics` says where and why. */
export class ScriptError extends BeetraceError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(renderDiagnostic).join("\n"));
    this.diagnostics = diagnostics;
  }
}

/** `pid` and the others of {@link TargetOptions} limit all probes to some tasks. */
export interface AttachOptions extends TargetOptions {
  /** Ends the trace; what has happened until then is still delivered. */
  readonly signal?: AbortSignal;
  /** `$1`, `$2` ... of the script. */
  readonly positional?: readonly string[];
  /** What the script's getopt() finds: `{ limit: "20" }` is `--limit=20`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Allows system() and others that change the system. */
  readonly unsafe?: boolean;
  /** Settings as in the script's config block, e.g. `{ max_map_keys: "10000" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Directories where the script's #include looks first. */
  readonly includePath?: readonly string[];
  /** What messages call the script. */
  readonly name?: string;
}

/** A trace whose probes are attached: an endless list of events, over when the script exits or the loop is left. */
export interface RunningTrace extends AsyncIterable<TraceEvent>, AsyncDisposable {
  /** Warnings about the script. */
  readonly warnings: readonly Diagnostic[];
  /** Detaches, runs the end probes and reads the maps; their events can still be read. */
  stop(): void;
}

/**
 * Compiles a script and attaches its probes. Throws ScriptError, TargetError, PrivilegeError, VerifierError or AttachError. Leaving the
 * block of `await using` or a `for await` loop detaches every probe.
 */
export async function attach(script: string, options: AttachOptions = {}): Promise<RunningTrace> {
  checkPrivileges();
  const sys = openSys();
  const kernel = openKernelView(sys);
  const targets = resolveTargets(options, kernel);
  const { diagnostics, unit } = compile({ name: options.name ?? "script", text: script }, kernel, {
    settings: options.settings ?? {},
    positional: options.positional ?? [],
    named: new Map(Object.entries(options.parameters ?? {})),
    unsafe: options.unsafe ?? false,
    pid: options.pid,
    filter: targets.filter,
    framePointers: () => lookAtFramePointers({ pids: [options.pid, targets.root], program: undefined }),
    imports: importFiles,
    headers: openHeaders({ directories: options.includePath ?? [], release: kernel.release, arch: kernel.arch }),
  });
  if (unit === undefined) throw new ScriptError(diagnostics);
  const own = ownProgramAmong(unit.attachPoints);
  const queue = new EventQueue();
  const { pid } = options;
  const onEvent = (event: TraceEvent): Promise<void> | undefined => queue.push(event);
  const trace = new Trace({ sys, kernel, unit, pid, targets, onEvent });
  const stop = (): void => trace.stop();
  options.signal?.addEventListener("abort", stop, { once: true });
  const ended = trace.run().then(
    () => queue.end(undefined),
    (error: unknown) => queue.end(error),
  );
  const close = async (): Promise<void> => {
    queue.takeAll();
    stop();
    await ended;
    options.signal?.removeEventListener("abort", stop);
    trace[Symbol.dispose]();
  };
  try {
    await Promise.race([trace.attached, ended]);
    queue.throwIfFailed();
  } catch (error) {
    await close();
    throw error;
  }
  if (options.signal?.aborted === true) stop();
  return {
    warnings: own === undefined ? diagnostics : [...diagnostics, warningOf(own)],
    stop,
    [Symbol.asyncIterator]: () => queue.iterate(close),
    [Symbol.asyncDispose]: close,
  };
}

const warningOf = (own: string): Diagnostic => ({
  severity: "warning",
  code: "own-program",
  span: undefined,
  message: tracesItself(own),
  hint: "pid limits a trace to another process; or run this program by a copy of Node.js",
  notes: [],
});

/** Events that wait for the loop before the trace waits, too, and what the kernel has no room for is counted as lost. */
const enough = 10_000;

/** Events between the trace, which calls, and the loop, which asks. */
class EventQueue {
  private readonly events: TraceEvent[] = [];
  private over = false;
  private error: unknown;
  private wake: () => void = () => undefined;
  private room: Promise<void> | undefined;
  private tellRoom: () => void = () => undefined;
  private endless = false;

  /** What it answers settles when the loop has taken what is there. */
  push(event: TraceEvent): Promise<void> | undefined {
    this.events.push(event);
    this.wake();
    if (this.events.length < enough || this.endless) return undefined;
    this.room ??= new Promise((resolve) => {
      this.tellRoom = resolve;
    });
    return this.room;
  }

  /** The loop may not ask any more: nothing waits for it. */
  takeAll(): void {
    this.endless = true;
    this.taken();
  }

  private taken(): void {
    this.room = undefined;
    this.tellRoom();
  }

  end(error: unknown): void {
    this.over = true;
    this.error = error;
    this.wake();
  }

  throwIfFailed(): void {
    if (this.over && this.error !== undefined) throw this.error;
  }

  async *iterate(close: () => Promise<void>): AsyncGenerator<TraceEvent, void, void> {
    try {
      for (;;) {
        const batch = this.events.splice(0);
        this.taken();
        yield* batch;
        if (batch.length > 0) continue;
        if (this.over) break;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      this.throwIfFailed();
    } finally {
      await close();
    }
  }
}
