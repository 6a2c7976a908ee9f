import { Disposables } from "../base/disposable.js";
import type { MapSpec } from "../bpf/object.js";
import type { Host } from "../events/host.js";
import { allProcesses } from "../kernel/process-files.js";
import { placeAs } from "../language/attach-place.js";
import type { KernelView } from "../language/kernel-view.js";
import type { AttachPoint, Moment } from "../language/probe.js";
import { probeOf } from "../language/probes/index.js";
import { looksAtTasks } from "../language/task-filter.js";
import { AttachError } from "../load/attach-error.js";
import { KernelAttachPort } from "../load/attach-port.js";
import { type LoadedObject, loadObject } from "../load/loaded-object.js";
import { readClock } from "../sys/clock.js";
import type { Sys } from "../sys/sys.js";
import type { ShownType } from "../types/shown-type.js";
import type { Unit } from "../unit.js";
import type { TraceEvent } from "../wire/event.js";
import { startWords, systemMaps } from "../wire/map-storage.js";
import type { RecordMode } from "../wire/record.js";
import type { MapSnapshot, Value } from "../wire/value.js";
import { attachOrder } from "./attach-order.js";
import type { Child } from "./child.js";
import { Effects } from "./effects.js";
import { readIterator } from "./iterators.js";
import { readLosses, readLostExit } from "./losses.js";
import { Names } from "./names.js";
import { PendingStacks } from "./pending-stacks.js";
import { probedFiles } from "./probed-files.js";
import { seedTree } from "./process-tree.js";
import { ProcessWatch } from "./process-watch.js";
import { type Measured, measure, type ProgramRun } from "./programs.js";
import { Records } from "./records.js";
import { Refusals } from "./refusals.js";
import { ScriptMaps } from "./script-maps.js";
import { watchTargets } from "./target-watch.js";
import { enterCgroups, type TaskTargets } from "./task-targets.js";
import { itemsOf, runsAt } from "./unit-programs.js";
import { Unwinding } from "./unwinding.js";

export interface TraceOptions {
  readonly sys: Sys;
  readonly kernel: KernelView;
  /** Directories with debugging information of programs, searched first. */
  readonly debugFolders?: readonly string[];
  readonly unit: Unit;
  /** Told every event, in the kernel's order. What it answers is waited for before more is read: it has enough for now. */
  readonly onEvent: (event: TraceEvent) => Promise<void> | undefined | void;
  /**
   * Stacks get their names each time they are looked at, which must be before `onEvent` returns, or, in maps, before what it
   * answers settles: of a map with many they need not all be in memory. Else events stay as they are.
   */
  readonly namesWhenShown?: boolean;
  /** Told what only somebody wants to know who asks how it works. */
  readonly onNote?: (text: string) => void;
  /** Told when a batch of events has been handled. */
  readonly afterTurn?: () => void;
  /** Settles when what `onEvent` was told has been shown. */
  readonly shown?: () => Promise<void>;
  /** The command of -c, stopped in front of its start. */
  readonly child?: Child | undefined;
  /** The trace ends when this process does. */
  readonly pid?: number | undefined;
  /** Processes that dw_ustack is to know beside these. */
  readonly unwound?: readonly number[] | undefined;
  /** Tasks that it is limited to, for which `unit` was compiled. */
  readonly targets?: Pick<TaskTargets, "root" | "cgroups" | "filter"> | undefined;
}

/** One of the programs of runPrograms(). */
export interface ProgramRequest {
  /** Of all that are to run, and which of them this is. */
  readonly names: readonly string[];
  readonly index: number;
  readonly run: () => Promise<ProgramRun>;
  readonly measure: () => Promise<Measured | undefined>;
}

/** What runs at the ends of a trace only. */
const runAtEnds: ReadonlySet<Moment | undefined> = new Set<Moment>(["begin", "end", "test", "bench"]);

/** Events of begin that are told behind the number of probes; with more than that it is not waited for. */
const mostHeldBack = 10_000;

/** How often the rings are looked at while a program runs beside. */
const lookMilliseconds = 2;

/** What is ready to run once the trace has begun, though not attached to the kernel. */
const countedAsAttached: ReadonlySet<Moment | undefined> = new Set<Moment>(["begin", "end", "signal"]);

/** Milliseconds in which processes that are there already are looked at before probes are attached, where stacks need it. */
const seedMilliseconds = 50;

/** Milliseconds between looks at the mappings of the traced process, at first and at most. */
const rememberFirst = 5;
const rememberLast = 1000;

/** The life of one trace: load, begin, attach, read, detach, end, maps, losses. */
export class Trace implements Disposable {
  private readonly options: TraceOptions;
  private readonly owned = new Disposables();
  private readonly loaded: LoadedObject;
  private readonly port: KernelAttachPort;
  private readonly refusals: Refusals;
  private readonly maps: ScriptMaps;
  private readonly names: Names;
  /** There if addresses of processes will have to be named. */
  private readonly watcher: ProcessWatch | undefined;
  private readonly effects: Effects;
  private readonly host: Host;
  private readonly records: Records;
  private readonly unwinding: Unwinding | undefined;
  private readonly pending: PendingStacks | undefined;
  private exiting = false;
  /** Somebody waits at the keyboard for the end. */
  private isHurried = false;
  private isDetached = false;
  /** Maps that were printed since then and have not been emptied, in a hurry. */
  private readonly shownAtEnd = new Set<string>();
  private exitCode = 0;
  /** Iterators are being read, which an exit() in them does not end. */
  private iterating = false;
  private stopped = false;
  /** Records are handled; after exit() those behind it are not, until the end probes run. */
  private handling = true;
  private wakeUp: () => void = () => undefined;
  private holdBack: TraceEvent[] | undefined;

  /** Settles when every probe is attached. */
  readonly attached: Promise<void>;
  private tellAttached: () => void = () => undefined;

  /** Loads the programs; throws VerifierError and the errors of system calls. */
  constructor(options: TraceOptions) {
    this.options = options;
    this.attached = new Promise((resolve) => {
      this.tellAttached = resolve;
    });
    const { sys, kernel, unit } = options;
    const object = { ...unit.object, maps: unit.object.maps.map((map) => withStartTime(sys, map)) };
    this.loaded = this.owned.use(loadObject(sys, object, kernel));
    enterCgroups(sys, this.loaded, options.targets?.cgroups ?? []);
    this.refusals = new Refusals(unit.config.missing_probes);
    this.port = this.owned.use(new KernelAttachPort(sys, this.loaded, this.refusals.refused, kernel));
    const { attachPoints, maps, texts, config } = unit;
    this.watcher = unit.userAddresses ? this.owned.use(new ProcessWatch(sys)) : undefined;
    const keepsAddresses = [...maps.values()].some(({ key, value }) =>
      [...(key ?? []), value].some(holdsUserAddresses),
    );
    this.pending = unit.unwinds ? new PendingStacks(() => this.names.users, keepsAddresses) : undefined;
    this.names = this.owned.use(
      new Names(sys, this.loaded, attachPoints, texts, config, {
        debugFolders: options.debugFolders ?? [],
        whenShown: options.namesWhenShown ?? false,
        records: this.watcher?.records,
        // What is in maps may be as old as the trace.
        pending: this.pending,
        since: () => (keepsAddresses ? 0n : this.records.emptyAt),
      }),
    );
    if (unit.unwinds)
      this.unwinding = this.owned.use(
        new Unwinding(sys, this.loaded, {
          warn: (message) => this.emit({ kind: "warning", message }),
          isToldOfExec: unit.trackers.length > 0,
          remember: (process) => this.names.users.remember(process),
        }),
      );
    this.maps = new ScriptMaps(sys, maps, this.loaded, { cpus: kernel.possibleCpus, pending: this.pending });
    this.effects = this.owned.use(
      new Effects({
        sys,
        emit: (event) => this.emit(event),
        shown: async () => await options.shown?.(),
        maxCatBytes: config.max_cat_bytes,
        since1970: (nanoseconds) => this.names.time.of("monotonic", nanoseconds),
      }),
    );
    this.host = this.makeHost();
    this.records = this.owned.use(
      new Records(sys, this.loaded, unit.records, this.host, {
        isDone: (record) => this.isDone(record),
        afterTurn: () => this.afterTurn(),
      }),
    );
  }

  [Symbol.dispose](): void {
    this.owned[Symbol.dispose]();
  }

  /** Ends the trace from outside; what is in the ring is still handled. `hurry`: somebody waits for it (Ctrl-C). */
  stop(hurry = false): void {
    this.isHurried ||= hurry;
    if (hurry) this.effects.hurry();
    this.stopped = true;
    this.endSoon();
  }

  private endSoon(): void {
    this.exiting = true;
    this.wakeUp();
  }

  /** Runs until exit(), stop(), or the end of the traced process; answers the exit status that the script wants. */
  async run(): Promise<number> {
    const { child } = this.options;
    const { watcher } = this;
    if (watcher?.refused !== undefined)
      this.options.onNote?.(
        `the kernel does not tell what processes map (${watcher.refused}): addresses of processes that end soon have no names`,
      );
    if (child !== undefined) this.names.users.expectExec(child.pid);
    // Whose stack is taken may end before there is time to look at it.
    const isForAll = this.unwinding !== undefined && child === undefined && this.options.pid === undefined;
    this.unwinding?.prepare();
    watcher?.follow(this.names.users, isForAll ? seedMilliseconds : 0);
    try {
      return await this.trace();
    } finally {
      await this.unwinding?.settled();
      await watcher?.stop();
    }
  }

  private async trace(): Promise<number> {
    const { child } = this.options;
    const stopped = new Promise<void>((resolve) => {
      this.wakeUp = resolve;
    });
    this.followProcesses();
    // What begin says is handled now, because it may end the trace, but told behind the number of probes, if it is not much.
    const early: TraceEvent[] = [];
    this.holdBack = early;
    await this.runMoment("begin");
    await this.drain();
    await this.unwinding?.settled();
    // Also after an exit() in begin: whether probes can be attached is what such a script asks.
    const attached = this.attachAll();
    this.holdBack = undefined;
    this.tellAttached();
    this.emit({ kind: "attached", probes: attached });
    // With nothing attached nothing more can happen than what begin has said.
    const types = this.options.unit.attachPoints.map(probeOf);
    for (const event of early) {
      this.emit(event);
      await this.records.settled();
    }
    this.options.afterTurn?.();
    await this.readIterators();
    if (types.every(({ finite, moment }) => finite === true || runAtEnds.has(moment))) this.exiting = true;
    await this.follow(stopped);
    if (child?.failure !== undefined) throw child.failure;
    await this.finish();
    return this.exitCode;
  }

  /** Handles what comes until the trace is to end. */
  private async follow(stopped: Promise<void>): Promise<void> {
    const { child, pid } = this.options;
    using timers = new Disposables();
    let following: Promise<void> | undefined;
    try {
      if (!this.exiting) following = this.records.follow();
      this.unwinding?.start();
      if (child !== undefined) {
        child.go();
        void child.ended.then(() => this.stop());
      }
      if (child === undefined) {
        const root = this.options.targets?.root;
        timers.defer(watchTargets(this.options.sys, this.loaded, { pid, root, onEnd: () => this.stop() }));
      }
      const traced = child?.pid ?? pid;
      if (traced !== undefined && this.options.unit.userAddresses) timers.defer(this.remember(traced));
      // Without a ring nothing else keeps Node's event loop alive.
      const alive = setInterval(() => undefined, 1 << 30);
      timers.defer(() => clearInterval(alive));
      if (!this.exiting) await (following === undefined ? stopped : Promise.race([stopped, following]));
    } finally {
      await this.records.stop();
    }
  }

  /**
   * Runs programs of test or bench probes instead of tracing, between begin and end. `each` is told the name of one and
   * how to run it.
   */
  async runPrograms(moment: "test" | "bench", each: (request: ProgramRequest) => Promise<void>): Promise<void> {
    this.unwinding?.prepare();
    await this.runMoment("begin");
    await this.drain();
    this.options.afterTurn?.();
    const found = runsAt(this.options.unit, moment);
    const names = found.map(({ point }) => placeAs(point.place, "run").name ?? "");
    for (const [index, { program, id }] of found.entries()) {
      const run = (): Promise<ProgramRun> => this.runProgram(program.name, id);
      const { sys } = this.options;
      await each({ names, index, run, measure: () => measure(sys, this.loaded, program.name, run) });
    }
    await this.finish(false);
    await this.unwinding?.settled();
  }

  /** Runs what iterates: for each object that there is now, until the last. */
  private async readIterators(): Promise<void> {
    this.iterating = true;
    for (const { link, pin } of this.exiting ? [] : this.port.iterators) {
      if (pin !== undefined) this.emit({ kind: "pinned", path: pin });
      else
        await readIterator(this.options.sys, link, async () => {
          await this.drain();
          this.options.afterTurn?.();
          return !this.stopped;
        });
    }
    this.iterating = false;
  }

  private async runProgram(program: string, id: bigint): Promise<ProgramRun> {
    const events: TraceEvent[] = [];
    this.holdBack = events;
    const begun = process.hrtime.bigint();
    const result = this.port.runOnce(program, id);
    const nanoseconds = Number(process.hrtime.bigint() - begun);
    await this.drain();
    this.holdBack = undefined;
    const { exitCode } = this;
    // The next one begins anew.
    this.exitCode = 0;
    this.exiting = false;
    this.handling = true;
    return { result, events, exitCode, nanoseconds };
  }

  /** SIGUSR1: the script's own programs for it, else all maps. */
  signalled(): void {
    if (runsAt(this.options.unit, "signal").length > 0) void this.runMoment("signal");
    else this.printMaps();
  }

  private async finish(printMaps = this.options.unit.config.print_maps_on_exit): Promise<void> {
    const missedCalls = this.port.missedCalls();
    // All at once: one after the other takes 36 ms each.
    this.port[Symbol.dispose]();
    this.isDetached = true;
    // All that was recorded is told, however long it takes. Only commands, which may take as long as they like, have an
    // end when somebody waits at the keyboard.
    await this.drain();
    this.handling = true;
    await this.runMoment("end");
    await this.drain();
    const { unit } = this.options;
    this.emit({ kind: "end" });
    if (printMaps) {
      for (const name of this.maps.names()) {
        this.emit({ kind: "map", map: await this.maps.snapshotInPieces(name, this.names) });
        await this.records.settled();
      }
    }
    // Not before: the stacks in the maps have their names from what it has mapped.
    this.options.child?.end();
    const losses = [...readLosses(this.options.sys, this.loaded, unit.maps.values())];
    this.pending?.addLosses(losses);
    for (const [subject, count] of missedCalls) losses.push({ reason: "missed-calls", subject, count });
    const { leftOut } = this.effects;
    if (leftOut > 0) losses.push({ reason: "unhandled", count: BigInt(leftOut) });
    const { missedProcesses } = this.names.users;
    const lostRecords = this.watcher?.lost() ?? this.names.users.lostRecords;
    if (lostRecords > 0n) losses.push({ reason: "mappings-lost", count: lostRecords });
    if (missedProcesses > 0) losses.push({ reason: "mappings-dropped", count: BigInt(missedProcesses) });
    if (losses.length > 0) this.emit({ kind: "lost", losses });
    const unnamed = [...this.names.unnamed].map(([reason, count]) => `${count} ${reason}`);
    if (unnamed.length > 0) this.options.onNote?.(`addresses without a name: ${unnamed.join(", ")}`);
    this.emit({ kind: "exit", code: this.exitCode });
    this.options.afterTurn?.();
    await this.records.settled();
  }

  private printMap(name: string, limits: Pick<MapSnapshot, "top" | "div">): Promise<void> | undefined {
    if (this.isDetached && this.isHurried) {
      // Nothing has changed it since: somebody waits, and a map may be large, and asked for a hundred times.
      const what = JSON.stringify([name, limits.top, String(limits.div)]);
      if (this.shownAtEnd.has(what)) {
        this.effects.leftOut++;
        return undefined;
      }
      this.shownAtEnd.add(what);
    }
    if (!this.maps.isLarge(name)) {
      this.emit({ kind: "map", map: { ...this.maps.snapshotToPrint(name, this.names), ...limits } });
      return undefined;
    }
    const emit = (map: MapSnapshot): void => this.emit({ kind: "map", map: { ...map, ...limits } });
    return this.maps.snapshotInPieces(name, this.names).then(emit);
  }

  /** Prints every map now. */
  printMaps(): void {
    for (const name of this.maps.names()) this.emit({ kind: "map", map: this.maps.snapshot(name, this.names) });
    this.options.afterTurn?.();
  }

  private emit(event: TraceEvent): void {
    const { holdBack } = this;
    if (holdBack !== undefined && holdBack.length < mostHeldBack) {
      holdBack.push(event);
      return;
    }
    if (holdBack !== undefined) {
      this.holdBack = undefined;
      for (const each of holdBack.splice(0)) this.emit(each);
    }
    const enough = this.options.onEvent(event);
    if (enough !== undefined) this.records.hold(enough);
  }

  private async drain(): Promise<void> {
    await this.records.drain();
    this.lookForLostExit();
  }

  private afterTurn(): void {
    this.lookForLostExit();
    this.maps.afterTurn();
    this.options.afterTurn?.();
  }

  /** An exit() that found the ring full; there were records then, so that a turn comes after it. */
  private lookForLostExit(): void {
    if (this.exiting) return;
    const status = readLostExit(this.options.sys, this.loaded);
    if (status === undefined) return;
    // What is still in the ring was there before: unlike behind a recorded exit(), it is handled.
    this.exitCode = status;
    this.endSoon();
  }

  private isDone({ outlivesExit, alwaysDone }: RecordMode): boolean {
    return this.handling || (this.iterating && outlivesExit === true) || alwaysDone === true;
  }

  /** What waits for room in the rings runs in another thread, while this one makes room. */
  private async runMoment(moment: "begin" | "end" | "signal"): Promise<void> {
    for (const { program, id } of runsAt(this.options.unit, moment)) {
      const running = this.port.runBeside(program.name);
      if (running === undefined) this.port.runOnce(program.name, id);
      else await this.drainUntil(running);
    }
  }

  private async drainUntil(running: Promise<void>): Promise<void> {
    let isOver = false;
    const over = running.finally(() => {
      isOver = true;
    });
    over.catch(() => undefined);
    while (!isOver) {
      await this.drain();
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, lookMilliseconds))]);
    }
    await over;
  }

  private countMoments(): number {
    return this.options.unit.attachPoints.filter((point) => countedAsAttached.has(probeOf(point).moment)).length;
  }

  /** Attaches everything; answers the number of attach points. */
  private attachAll(): number {
    const { unit, kernel } = this.options;
    const attached = new Set<AttachPoint>();
    for (const program of attachOrder(unit, kernel)) {
      const items = itemsOf(unit, program);
      const [first] = items;
      if (first === undefined) continue;
      const type = probeOf(first.target);
      // What is part of a session is attached by it, and counted as one with it.
      if (type.moment !== undefined || program.isInSession) continue;
      try {
        type.attach(this.port, program.name, program.variant, items);
        for (const { target } of items) attached.add(target);
      } catch (error) {
        if (!(error instanceof AttachError)) throw error;
        attached.add(first.target);
        this.refusals.refused(first.target, error);
      }
    }
    for (const message of [...this.port.warnings, ...this.refusals.warnings()]) this.emit({ kind: "warning", message });
    return this.countMoments() + attached.size - this.refusals.count;
  }

  /** Looks at the traced process soon and often at first: programs map their libraries when they start, and may be short. */
  private remember(pid: number): () => void {
    let wait = rememberFirst;
    let timer: NodeJS.Timeout;
    const look = (): void => {
      this.names.users.remember(pid);
      wait = Math.min(wait * 2, rememberLast);
      timer = setTimeout(look, wait);
    };
    timer = setTimeout(look, wait);
    return () => clearTimeout(timer);
  }

  /** Attaches what keeps the maps of processes, then looks for those that are there. */
  private followProcesses(): void {
    const { sys, unit, targets, child, pid, unwound = [] } = this.options;
    for (const { program, category, event, id } of unit.trackers) {
      if (id === undefined) this.port.rawTracepoint(program, { name: event }, 0n);
      else this.port.tracepoint(program, { category, event, id }, 0n);
    }
    if (targets?.root !== undefined) seedTree(sys, this.loaded, targets.root);
    if (this.unwinding === undefined) return;
    const named = [pid, targets?.root, ...unwound].flatMap((each) => each ?? []);
    for (const each of named) this.unwinding.follow(each);
    if (child !== undefined) this.unwinding.expect(child.pid, child.program);
    // Those who come by the first time find tables there.
    for (const file of probedFiles(unit.attachPoints)) this.unwinding.expectFile(file);
    const isLimited = named.length > 0 || (targets !== undefined && looksAtTasks(targets.filter));
    if (!isLimited) void this.unwinding.seed(allProcesses());
  }

  private makeHost(): Host {
    const { names, maps, effects } = this;
    return {
      cut: names.cut,
      kernelSymbol: (address) => names.kernelSymbol(address),
      userSymbol: (pid, address) => names.userSymbol(pid, address),
      userName: (uid) => names.userName(uid),
      probeName: (id) => names.probeName(id),
      functionName: (id) => names.functionName(id),
      cgroupPath: (id, pattern) => names.cgroupPath(id, pattern),
      formatTime: (nanoseconds, format, clock) => names.formatTime(nanoseconds, format, clock),
      stack: (id, pid, type) => names.stack(id, pid, type),
      frames: (view, at, count, pid, type) => names.frames(view, at, count, pid, type),
      emit: (event) => this.emit(event),
      printMap: (map, limits) => this.printMap(map, limits),
      entry: (map, key): Value | undefined => maps.entry(map, key, names),
      takeMap: (map, limits, how) =>
        maps.take(map, how, names, async (taken) => {
          this.shownAtEnd.clear();
          this.emit({ kind: "map", map: { ...taken, ...limits } });
        }),
      emptyMap: (map, how) => {
        this.shownAtEnd.clear();
        return how === "clear" ? maps.clear(map) : maps.zero(map);
      },
      exit: (code) => {
        this.exitCode = code;
        this.exiting = true;
        this.handling = false;
        this.wakeUp();
      },
      formatNow: (format) => {
        const { time } = names;
        return time.text(format, time.now());
      },
      runCommand: (command) => effects.runCommand(command),
      wantTables: () => this.unwinding?.wish(),
      pendingStack: (view, at, depth) => {
        this.pending?.take(view, at, depth);
        this.unwinding?.wish();
      },
      writePacket: (path, nanoseconds, bytes, originalLength) =>
        effects.writePacket(path, nanoseconds, bytes, originalLength),
      readFile: (path) => effects.readFile(path),
    };
  }
}

/** `elapsed` counts from here; intervals of tseries() are those of the wall clock. */
function withStartTime(sys: Sys, map: MapSpec): MapSpec {
  if (map.name !== systemMaps.start) return map;
  const initial = new Uint8Array(startWords.size);
  const view = new DataView(initial.buffer);
  const now = readClock(sys, "monotonic");
  view.setBigUint64(startWords.monotonic, now, true);
  view.setBigUint64(startWords.wallOffset, readClock(sys, "realtime") - now, true);
  return { ...map, initial };
}

/** Whether values of the type are addresses of a process, which are named when they are shown. */
function holdsUserAddresses(type: ShownType): boolean {
  if (type.kind === "tuple") return type.items.some(holdsUserAddresses);
  return type.kind === "usym" || (type.kind === "stack" && type.user);
}
