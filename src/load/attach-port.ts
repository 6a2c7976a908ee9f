import { readdirSync } from "node:fs";
import { EINVAL, ENOENT, ENOTSUPP, EOPNOTSUPP, ESRCH } from "../abi/errno.js";
import { attrFlags, HW_BREAKPOINT_X, PERF_TYPE_BREAKPOINT, PERF_TYPE_TRACEPOINT } from "../abi/perf.js";
import { BPF_TRACE_RAW_TP } from "../abi/program-type.js";
import { cString } from "../abi/struct.js";
import { BeetraceError } from "../base/errors.js";
import { readCpus } from "../kernel/cpus.js";
import { fileOf } from "../kernel/open-elf.js";
import { type Pmu, readPmu } from "../kernel/pmu.js";
import type {
  Attachment,
  AttachPort,
  IteratorTarget,
  KprobeMoment,
  KprobeTarget,
  PerfEventTarget,
  ProgramName,
  TracedFunction,
  UprobePlace,
  UprobeTarget,
  WatchpointTarget,
} from "../language/attach-port.js";
import type { AttachItems, AttachPoint } from "../language/probe.js";
import type { Fd } from "../sys/fd.js";
import {
  linkIter,
  linkKprobeMulti,
  linkPerfEvent,
  linkTracing,
  linkUprobeMulti,
  rawTracepointOpen,
} from "../sys/link-calls.js";
import { missedCalls } from "../sys/link-life.js";
import { type NewPerfEvent, perfEventOpen } from "../sys/perf-calls.js";
import { progRunInThread, progTestRun } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";
import {
  type Advice,
  AttachError,
  adviceOnFiles,
  adviceOnFrequencies,
  adviceOnFunctions,
  adviceOnWatchpoints,
} from "./attach-error.js";
import { closeEvents, closeLinks } from "./detach.js";
import { atEntries, noEntry, noSymbols, type Symbols } from "./kprobe-entries.js";
import type { LoadedObject } from "./loaded-object.js";
import { type KernelIterator, pinWhere } from "./pinned-iterator.js";
import { VerifierError } from "./verifier-error.js";

/** What attaching in one way is like. */
interface Manner {
  /** Whether closing it takes the kernel long: see detach.ts. */
  readonly slow: boolean;
  /** What may help if it fails, beside what helps with every probe. */
  readonly advice?: Advice | undefined;
}

const quick: Manner = { slow: false };
const slow: Manner = { slow: true };

/** What one attachment holds. */
interface Held {
  /** Their programs run while these are open. */
  readonly links: Fd[];
  /** Perf events that the links are on. */
  readonly events: Fd[];
  readonly slow: boolean;
  /** Of links of kprobes, which the kernel counts missed calls of. */
  kprobesOf?: ProgramName;
}

/** Told of an attach point that the kernel refuses. */
export type OnRefused = (target: AttachPoint, error: AttachError | VerifierError) => void;

const rethrow: OnRefused = (_target, error) => {
  throw error;
};

/** What the kernel says of a link for many places if it is one of them that it does not like. */
const ofOneTarget: readonly (number | undefined)[] = [EINVAL, ENOENT, ESRCH, EOPNOTSUPP, ENOTSUPP];

/** The probes of one loaded object; disposing it detaches all that are still attached. */
export class KernelAttachPort implements AttachPort, Disposable {
  private readonly sys: Sys;
  private readonly loaded: LoadedObject;
  private readonly pmus = new Map<string, Pmu>();
  private readonly attached = new Map<Attachment, Held>();
  /** Events of probes that are detached; closing them is slow and done for many at once. */
  private leftovers: Fd[] = [];
  private sweeping = false;
  /** What may be missing, to be told. */
  readonly warnings: string[] = [];
  /** Those that are attached, to be read. */
  readonly iterators: KernelIterator[] = [];
  private readonly onRefused: OnRefused;
  private readonly symbols: Symbols;

  /** `onRefused` throws, or the rest is attached without it. */
  constructor(sys: Sys, loaded: LoadedObject, onRefused: OnRefused = rethrow, symbols: Symbols = noSymbols) {
    this.symbols = symbols;
    this.sys = sys;
    this.loaded = loaded;
    this.onRefused = onRefused;
  }

  perfEvent(program: ProgramName, target: PerfEventTarget, cookie: bigint): Attachment {
    const what = `perf event ${target.type}:${target.config}`;
    const advice = "frequency" in target.sample ? adviceOnFrequencies : undefined;
    return this.attach(what, { ...quick, advice }, (held) => {
      const { sample, pid } = target;
      const flags = ("frequency" in sample ? attrFlags.freq : 0n) | (pid === undefined ? 0n : attrFlags.inherit);
      const attr = {
        type: target.type,
        config: target.config,
        ...("period" in sample ? { sample_period: sample.period } : { sample_freq: sample.frequency }),
        flags,
      };
      if (pid !== undefined) this.linkToThreads(held, program, { attr, what }, pid, cookie);
      else
        for (const cpu of target.cpu === "all" ? readCpus("online") : [target.cpu])
          this.linkEvent(held, program, { attr, pid: -1, cpu, what }, cookie);
    });
  }

  watchpoint(program: ProgramName, target: WatchpointTarget, cookie: bigint): Attachment {
    const what = `watchpoint 0x${target.address.toString(16)}`;
    return this.attach(what, { ...quick, advice: adviceOnWatchpoints }, (held) => {
      const attr = {
        type: PERF_TYPE_BREAKPOINT,
        bp_type: target.access,
        bp_addr: target.address,
        // perf_event_open(2), bp_len: what is run is watched with sizeof(long).
        bp_len: BigInt((target.access & HW_BREAKPOINT_X) === 0 ? target.length : 8),
        sample_period: 1n,
        // Threads that are made later are watched, too.
        flags: attrFlags.inherit,
      };
      if (target.pid !== undefined) this.linkToThreads(held, program, { attr, what }, target.pid, cookie);
      else for (const cpu of readCpus("online")) this.linkEvent(held, program, { attr, pid: -1, cpu, what }, cookie);
    });
  }

  tracepoint(
    program: ProgramName,
    target: { readonly category: string; readonly event: string; readonly id: number },
    cookie: bigint,
  ): Attachment {
    const what = `tracepoint ${target.category}:${target.event}`;
    const attr = { type: PERF_TYPE_TRACEPOINT, config: BigInt(target.id), sample_period: 1n };
    return this.attach(what, slow, (held) => this.linkEvent(held, program, { attr, ...anywhere, what }, cookie));
  }

  rawTracepoint(program: ProgramName, target: { readonly name: string }, cookie: bigint): Attachment {
    const { type, expectedAttachType } = this.loaded.spec(program);
    const what = type === "tracing" ? target.name : `raw tracepoint ${target.name}`;
    // Programs on functions (fentry) go through a trampoline, which waits when it changes; tracepoints do not wait.
    const manner = type === "tracing" && expectedAttachType !== BPF_TRACE_RAW_TP ? slow : quick;
    return this.attach(what, manner, (held) => {
      const fd = this.loaded.program(program, cookie);
      const linkCookie = this.linkCookie(program, cookie);
      // Cookies of fentry and the like are older than those of raw tracepoints (6.0, 6.10) and have their own command.
      if (type !== "tracing") held.links.push(rawTracepointOpen(this.sys, fd, target.name, linkCookie));
      else if (linkCookie === 0n) held.links.push(rawTracepointOpen(this.sys, fd, undefined));
      else held.links.push(linkTracing(this.sys, fd, expectedAttachType, linkCookie));
    });
  }

  kprobe(program: ProgramName, target: KprobeTarget, cookie: bigint): Attachment {
    const { symbol, offset, address, ret } = target;
    const place = address === undefined ? (offset === 0 ? symbol : `${symbol}+${offset}`) : `0x${address.toString(16)}`;
    const what = `${ret ? "kretprobe" : "kprobe"} ${place}`;
    return this.attach(what, { ...slow, advice: adviceOnFunctions }, (held) => {
      held.kprobesOf = program;
      const attr = {
        type: this.pmu("kprobe").type,
        // Bit 0: /sys/bus/event_source/devices/kprobe/format/retprobe, v4.17.
        config: ret ? 1n : 0n,
        // Without a name the other field is an address: perf_kprobe_init(), kernel/trace/trace_event_perf.c, v4.17.
        kprobe_func: address === undefined ? cString(symbol) : undefined,
        probe_offset: address ?? BigInt(offset),
      };
      this.linkEvent(held, program, { attr, ...anywhere, what }, cookie);
    });
  }

  kprobeMulti(
    program: ProgramName,
    targets: readonly Omit<KprobeTarget, "ret">[],
    at: KprobeMoment,
    items: AttachItems,
  ): readonly Attachment[] {
    const name = at === "both" ? "kprobe and kretprobe" : at === "return" ? "kretprobe" : "kprobe";
    const what = (count: number): string => (count === 1 ? name : `${name} of ${count} functions`);
    const places = this.loaded.cookieFrom(program) === "link" ? atEntries(this.symbols, targets) : targets;
    items.forEach(({ target }, i) => {
      if (places[i] === undefined) this.onRefused(target, new AttachError(target.name, new BeetraceError(noEntry)));
    });
    const known = items.filter((_, i) => places[i] !== undefined);
    // It waits once, however many functions it has; and while the kernel patches thousands of them we had better wait than
    // run through them: emulated processors stumble over instructions that change under them.
    return this.inOneLink(
      { ...quick, advice: adviceOnFunctions },
      what,
      places.flatMap((place) => place ?? []),
      known,
      (held, some, cookies) => {
        held.kprobesOf = program;
        const addresses = some.flatMap(({ address }) => address ?? []);
        const functions = addresses.length === some.length ? addresses : some.map(({ symbol }) => symbol);
        const fd = this.loaded.program(program, 0n);
        held.links.push(linkKprobeMulti(this.sys, fd, { functions, at }, cookies));
      },
    );
  }

  trampoline(program: ProgramName, target: TracedFunction, cookie: bigint): Attachment {
    return this.attach(target.name, slow, (held) => {
      const fd = this.loaded.programFor(program, target, cookie);
      held.links.push(rawTracepointOpen(this.sys, fd, undefined));
    });
  }

  each(items: AttachItems, attach: (item: AttachItems[number]) => Attachment): readonly Attachment[] {
    return items.flatMap((item) => {
      try {
        return [attach(item)];
      } catch (error) {
        if (!(error instanceof AttachError || error instanceof VerifierError)) throw error;
        this.onRefused(item.target, error);
        return [];
      }
    });
  }

  uprobe(program: ProgramName, target: UprobeTarget, cookie: bigint): Attachment {
    const what = `${target.ret ? "uretprobe" : "uprobe"} ${target.path}:0x${target.offset.toString(16)}`;
    return this.attach(what, { ...slow, advice: adviceOnFiles }, (held) => {
      const { path, start } = fileOf(target.path);
      const attr = {
        type: this.pmu("uprobe").type,
        // Bit 0 retprobe, bits 32-63 ref_ctr_offset: /sys/bus/event_source/devices/uprobe/format/, v4.20.
        config:
          (target.ret ? 1n : 0n) | (BigInt(target.refCounter === undefined ? 0 : start + target.refCounter) << 32n),
        uprobe_path: cString(path),
        probe_offset: BigInt(start + target.offset),
      };
      const where = target.pid === undefined ? anywhere : { pid: target.pid, cpu: -1 };
      this.linkEvent(held, program, { attr, ...where, what }, cookie);
    });
  }

  uprobeMulti(
    program: ProgramName,
    file: { readonly path: string; readonly ret: boolean; readonly pid?: number | undefined },
    places: readonly UprobePlace[],
    items: AttachItems,
  ): readonly Attachment[] {
    const { ret, pid } = file;
    const what = (count: number): string => `${ret ? "uretprobe" : "uprobe"} of ${count} places in ${file.path}`;
    return this.inOneLink({ ...slow, advice: adviceOnFiles }, what, places, items, (held, some, cookies) => {
      const { path, start } = fileOf(file.path);
      const target = {
        path,
        ret,
        pid,
        offsets: some.map(({ offset }) => start + offset),
        // 0 is none.
        refCounters: some.some(({ refCounter }) => refCounter !== undefined)
          ? some.map(({ refCounter }) => (refCounter === undefined ? 0 : start + refCounter))
          : undefined,
      };
      held.links.push(linkUprobeMulti(this.sys, this.loaded.program(program, 0n), target, cookies));
    });
  }

  /** One link for all targets; if the kernel refuses one of them, which it does not name, more links without it. */
  private inOneLink<T>(
    manner: Manner,
    what: (count: number) => string,
    targets: readonly T[],
    items: AttachItems,
    link: (held: Held, targets: readonly T[], cookies: readonly bigint[]) => void,
  ): readonly Attachment[] {
    const attach = (): Attachment =>
      this.attach(what(items.length), manner, (held) =>
        link(
          held,
          targets,
          items.map(({ id }) => id),
        ),
      );
    if (items.length === 0) return [];
    if (items.length === 1) return this.each(items, attach);
    try {
      return [attach()];
    } catch (error) {
      if (!(error instanceof AttachError) || !ofOneTarget.includes(error.errno)) throw error;
      const middle = items.length >> 1;
      return [
        ...this.inOneLink(manner, what, targets.slice(0, middle), items.slice(0, middle), link),
        ...this.inOneLink(manner, what, targets.slice(middle), items.slice(middle), link),
      ];
    }
  }

  iterator(program: ProgramName, target: IteratorTarget): Attachment {
    const what = `iterator over ${target.type}`;
    return this.attach(what, quick, (held) => {
      const link = linkIter(this.sys, this.loaded.program(program, 0n), target);
      held.links.push(link);
      if (target.pin !== undefined) pinWhere(this.sys, target.pin, link);
      this.iterators.push({ what, link, pin: target.pin });
    });
  }

  runOnce(program: ProgramName, cookie: bigint): number {
    try {
      return progTestRun(this.sys, this.loaded.program(program, cookie));
    } catch (cause) {
      if (cause instanceof SyscallError) throw new AttachError(`${program} (run once)`, cause);
      throw cause;
    }
  }

  /** The same, in another thread, of a program that may wait for what this one does; undefined if it is none of those. */
  runBeside(program: ProgramName): Promise<void> | undefined {
    if (this.loaded.spec(program).type !== "syscall") return undefined;
    return progRunInThread(this.sys, this.loaded.program(program, 0n));
  }

  /**
   * Detaches everything, in a few milliseconds; what the kernel has to tidy up goes on behind it. For a moment a program
   * may still run: who needs to know that one has stopped disposes its attachment, which waits.
   */
  [Symbol.dispose](): void {
    const all = [...this.attached.values()];
    this.attached.clear();
    for (const { links } of all.filter((held) => !held.slow)) dispose(links);
    closeLinks(
      this.sys,
      all.filter((held) => held.slow).flatMap((held) => held.links),
    );
    for (const held of all) this.leaveEvents(held);
    this.sweep();
  }

  /** Calls that kprobes have missed until now, by program; what is detached counts no more. */
  missedCalls(): ReadonlyMap<ProgramName, bigint> {
    const missed = new Map<ProgramName, bigint>();
    for (const { kprobesOf, links } of this.attached.values()) {
      if (kprobesOf === undefined) continue;
      const calls = links.reduce((sum, link) => sum + missedCalls(this.sys, link), missed.get(kprobesOf) ?? 0n);
      if (calls > 0n) missed.set(kprobesOf, calls);
    }
    return missed;
  }

  private linkEvent(held: Held, program: ProgramName, event: NewPerfEvent, cookie: bigint): void {
    const fd = perfEventOpen(this.sys, event);
    held.events.push(fd);
    const loaded = this.loaded.program(program, cookie);
    held.links.push(linkPerfEvent(this.sys, loaded, fd, this.linkCookie(program, cookie)));
  }

  /**
   * Events of a process are those of each thread. Threads that are made later inherit them, and the program with them, but
   * not the attach cookie (kernel/events/core.c, perf_event_alloc(), v6.18). A thread that another one makes before its
   * own event is there has none; whether that happened cannot be known, so that the least is said if it may have.
   */
  private linkToThreads(
    held: Held,
    program: ProgramName,
    event: Pick<NewPerfEvent, "attr" | "what">,
    process: number,
    cookie: bigint,
  ): void {
    const threads = threadsOf(process);
    for (const pid of threads) {
      try {
        this.linkEvent(held, program, { ...event, pid, cpu: -1 }, cookie);
      } catch (error) {
        // A thread that has ended meanwhile.
        if (!(error instanceof SyscallError) || error.errno !== ESRCH || pid === threads.at(-1)) throw error;
      }
    }
    const unsure = threadsOf(process).filter((pid) => !threads.includes(pid));
    if (unsure.length > 0)
      this.warnings.push(
        `${unsure.length} threads of process ${process} began while it was attached to; what they do may not be counted`,
      );
  }

  private linkCookie(program: ProgramName, cookie: bigint): bigint {
    return this.loaded.cookieFrom(program) === "link" ? cookie : 0n;
  }

  private pmu(name: "kprobe" | "uprobe"): Pmu {
    const pmu = this.pmus.get(name) ?? readPmu(name);
    if (pmu === undefined) throw new BeetraceError(`this kernel was built without ${name}s`);
    this.pmus.set(name, pmu);
    return pmu;
  }

  private attach(what: string, manner: Manner, open: (held: Held) => void): Attachment {
    const held: Held = { links: [], events: [], slow: manner.slow };
    try {
      open(held);
    } catch (cause) {
      dispose([...held.links, ...held.events]);
      // The verifier's word on a copy of a program is said as it is.
      if (cause instanceof VerifierError || !(cause instanceof BeetraceError)) throw cause;
      throw new AttachError(what, cause, { advice: manner.advice });
    }
    const attachment: Attachment = {
      [Symbol.dispose]: () => {
        if (!this.attached.delete(attachment)) return;
        dispose(held.links);
        this.leaveEvents(held);
      },
    };
    this.attached.set(attachment, held);
    return attachment;
  }

  /** Events of all probes that are detached in one go are closed together. */
  private leaveEvents(held: Held): void {
    if (!held.slow) {
      dispose(held.events);
      return;
    }
    this.leftovers.push(...held.events);
    if (this.sweeping || this.leftovers.length === 0) return;
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

/** The threads of a process; itself where that cannot be read. */
function threadsOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [pid];
  }
}

/** One event is enough for probes at which the kernel runs programs on any CPU, whichever CPU the event is on. */
const anywhere = { pid: -1, cpu: 0 } as const;

function dispose(fds: readonly Fd[]): void {
  for (const fd of fds) fd[Symbol.dispose]();
}
