import { EACCES, EMFILE, ENOENT, EOPNOTSUPP, EPERM, ESRCH } from "../abi/errno.js";
import { attrFlags, PERF_TYPE_TRACEPOINT } from "../abi/perf.js";
import { cString } from "../abi/struct.js";
import { Disposables } from "../base/disposable.js";
import { BeetraceError } from "../base/errors.js";
import { readCpus } from "../kernel/cpus.js";
import { readPmu } from "../kernel/pmu.js";
import type { Attachment, AttachPort, PerfEventTarget, ProgramName } from "../language/attach-port.js";
import type { Fd } from "../sys/fd.js";
import { linkKprobeMulti, linkPerfEvent, linkTracing, linkUprobeMulti, rawTracepointOpen } from "../sys/link-calls.js";
import { type NewPerfEvent, perfEventOpen } from "../sys/perf-calls.js";
import { progTestRun } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import { closeEvents } from "./event-closer.js";
import type { LoadedObject } from "./loaded-object.js";

/** A program could not be attached; `target` is what to, and `cause` the system call that failed. */
export class AttachError extends BeetraceError {
  readonly target: string;
  /** Of the failed system call, if it was one. */
  readonly errno: number | undefined;

  constructor(target: string, cause: unknown) {
    const errno = cause instanceof SyscallError ? cause.errno : undefined;
    const hint = errno === undefined ? undefined : hints[errno];
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`cannot attach to ${target}: ${reason}`, hint === undefined ? { cause } : { cause, hint });
    this.target = target;
    this.errno = errno;
  }
}

const hints: Readonly<Record<number, string>> = {
  [EPERM]: "root, or CAP_BPF and CAP_PERFMON are needed; a locked down kernel refuses some probes even to root",
  [EACCES]: "root, or CAP_BPF and CAP_PERFMON are needed; see also /proc/sys/kernel/perf_event_paranoid",
  [ENOENT]: "this kernel or file has no such place; beetrace -l lists what there is",
  [ESRCH]: "this kernel has no such function, or the process has ended",
  [EMFILE]: "raise the limit of open files (ulimit -n) or attach to fewer places",
  [EOPNOTSUPP]: "this kernel cannot trace that place, or the machine has no such counter",
};

/** The probes of one loaded object; disposing it detaches all that are still attached. */
export class KernelAttachPort implements AttachPort, Disposable {
  private readonly sys: Sys;
  private readonly loaded: LoadedObject;
  private readonly attached = new Set<Attachment>();
  /** Events of probes that are detached; closing them is slow and done for many at once. */
  private leftovers: Fd[] = [];
  private sweeping = false;

  constructor(sys: Sys, loaded: LoadedObject) {
    this.sys = sys;
    this.loaded = loaded;
  }

  perfEvent(program: ProgramName, target: PerfEventTarget, cookie: bigint): Attachment {
    const what = `perf event ${target.type}:${target.config}`;
    return this.attach(what, (owned) => {
      const { sample } = target;
      const attr = {
        type: target.type,
        config: target.config,
        ...("period" in sample
          ? { sample_period: sample.period, flags: 0n }
          : { sample_freq: sample.frequency, flags: BigInt(attrFlags.freq) }),
      };
      const pid = target.pid ?? -1;
      const cpus = target.cpu !== "all" ? [target.cpu] : pid >= 0 ? [-1] : readCpus("online");
      for (const cpu of cpus) {
        const event = owned.use(perfEventOpen(this.sys, { attr, pid, cpu, what }));
        this.link(owned, program, event, cookie);
      }
      return undefined;
    });
  }

  tracepoint(
    program: ProgramName,
    target: { readonly category: string; readonly event: string; readonly id: number },
    cookie: bigint,
  ): Attachment {
    return this.perfProbe(program, cookie, {
      attr: { type: PERF_TYPE_TRACEPOINT, config: BigInt(target.id), sample_period: 1n },
      ...anywhere,
      what: `tracepoint ${target.category}:${target.event}`,
    });
  }

  rawTracepoint(program: ProgramName, target: { readonly name: string }, cookie: bigint): Attachment {
    const what = `raw tracepoint ${target.name}`;
    return this.attach(what, (owned) => {
      const fd = this.loaded.program(program, cookie);
      const spec = this.loaded.spec(program);
      const linkCookie = this.linkCookie(program, cookie);
      // Cookies of fentry and the like are older than those of raw tracepoints (6.0, 6.10) and have their own command.
      if (spec.type !== "tracing") owned.use(rawTracepointOpen(this.sys, fd, target.name, linkCookie));
      else if (linkCookie === 0n) owned.use(rawTracepointOpen(this.sys, fd, undefined));
      else owned.use(linkTracing(this.sys, fd, spec.expectedAttachType, linkCookie));
      return undefined;
    });
  }

  kprobe(
    program: ProgramName,
    target: { readonly symbol: string; readonly offset: number; readonly ret: boolean },
    cookie: bigint,
  ): Attachment {
    const what = `${target.ret ? "kretprobe" : "kprobe"} ${target.symbol}${target.offset === 0 ? "" : `+${target.offset}`}`;
    return this.perfProbe(program, cookie, {
      attr: {
        type: this.pmuType("kprobe", what),
        // Bit 0: /sys/bus/event_source/devices/kprobe/format/retprobe, v4.17.
        config: target.ret ? 1n : 0n,
        kprobe_func: cString(target.symbol),
        probe_offset: BigInt(target.offset),
      },
      ...anywhere,
      what,
    });
  }

  kprobeMulti(
    program: ProgramName,
    target: { readonly symbols: readonly string[]; readonly ret: boolean },
    cookies: readonly bigint[],
  ): Attachment {
    const what = `${target.ret ? "kretprobe" : "kprobe"} of ${target.symbols.length} functions`;
    return this.attach(what, (owned) => {
      owned.use(linkKprobeMulti(this.sys, this.loaded.program(program, 0n), target, cookies));
      return undefined;
    });
  }

  uprobe(
    program: ProgramName,
    target: {
      readonly path: string;
      readonly offset: number;
      readonly ret: boolean;
      readonly pid?: number | undefined;
      readonly refCounter?: number | undefined;
    },
    cookie: bigint,
  ): Attachment {
    const what = `${target.ret ? "uretprobe" : "uprobe"} ${target.path}:0x${target.offset.toString(16)}`;
    return this.perfProbe(program, cookie, {
      attr: {
        type: this.pmuType("uprobe", what),
        // Bit 0 retprobe, bits 32-63 ref_ctr_offset: /sys/bus/event_source/devices/uprobe/format/, v4.20.
        config: (target.ret ? 1n : 0n) | (BigInt(target.refCounter ?? 0) << 32n),
        uprobe_path: cString(target.path),
        probe_offset: BigInt(target.offset),
      },
      ...(target.pid === undefined ? anywhere : { pid: target.pid, cpu: -1 }),
      what,
    });
  }

  uprobeMulti(
    program: ProgramName,
    target: {
      readonly path: string;
      readonly offsets: readonly number[];
      readonly ret: boolean;
      readonly pid?: number | undefined;
      readonly refCounters?: readonly number[] | undefined;
    },
    cookies: readonly bigint[],
  ): Attachment {
    const what = `${target.ret ? "uretprobe" : "uprobe"} of ${target.offsets.length} places in ${target.path}`;
    return this.attach(what, (owned) => {
      owned.use(linkUprobeMulti(this.sys, this.loaded.program(program, 0n), target, cookies));
      return undefined;
    });
  }

  runOnce(program: ProgramName, cookie: bigint): void {
    try {
      progTestRun(this.sys, this.loaded.program(program, cookie));
    } catch (cause) {
      if (cause instanceof SyscallError) throw new AttachError(`${program} (run once)`, cause);
      throw cause;
    }
  }

  /** Detaches everything; programs stop with this call, what the kernel has to tidy up goes on behind it. */
  [Symbol.dispose](): void {
    for (const attachment of [...this.attached]) attachment[Symbol.dispose]();
    this.sweep();
  }

  /** One event at which the kernel runs programs on any CPU, whichever CPU the event is opened on. */
  private perfProbe(program: ProgramName, cookie: bigint, event: NewPerfEvent): Attachment {
    return this.attach(event.what, (owned) => {
      const fd = perfEventOpen(this.sys, event);
      try {
        this.link(owned, program, fd, cookie);
      } catch (error) {
        fd[Symbol.dispose]();
        throw error;
      }
      return fd;
    });
  }

  private link(owned: Disposables, program: ProgramName, event: Fd, cookie: bigint): void {
    owned.use(linkPerfEvent(this.sys, this.loaded.program(program, cookie), event, this.linkCookie(program, cookie)));
  }

  private linkCookie(program: ProgramName, cookie: bigint): bigint {
    return this.loaded.cookieFrom(program) === "link" ? cookie : 0n;
  }

  private pmuType(name: "kprobe" | "uprobe", what: string): number {
    const pmu = readPmu(name);
    if (pmu === undefined) throw new AttachError(what, new BeetraceError(`this kernel was built without ${name}s`));
    return pmu.type;
  }

  /** `open` puts what stops the program into `owned` and returns an event that may be closed late. */
  private attach(what: string, open: (owned: Disposables) => Fd | undefined): Attachment {
    const owned = new Disposables();
    let event: Fd | undefined;
    try {
      event = open(owned);
    } catch (cause) {
      owned[Symbol.dispose]();
      if (cause instanceof SyscallError) throw new AttachError(what, cause);
      throw cause;
    }
    const attachment: Attachment = {
      [Symbol.dispose]: () => {
        if (!this.attached.delete(attachment)) return;
        owned[Symbol.dispose]();
        if (event !== undefined) this.leave(event);
      },
    };
    this.attached.add(attachment);
    return attachment;
  }

  /** All that are detached in one go are closed together, also if the port lives on. */
  private leave(event: Fd): void {
    this.leftovers.push(event);
    if (this.sweeping) return;
    this.sweeping = true;
    setImmediate(() => this.sweep());
  }

  private sweep(): void {
    const events = this.leftovers;
    this.leftovers = [];
    this.sweeping = false;
    closeEvents(events);
  }
}

const anywhere = { pid: -1, cpu: 0 } as const;
