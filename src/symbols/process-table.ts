import type { MapRecord, PerfRecord } from "../formats/perf-records.js";
import { AddressSpace, type Mapping } from "./address-space.js";
import { KnownProcess, readIdentity, readProcessImage } from "./process-maps.js";

/** Processes and mappings remembered, some 40 MB; those that ended first go first, then the ones not asked for the longest. */
const maxProcesses = 16384;
const maxMappings = 262144;
/** Numbers of forgotten processes that are told from those that were never seen. */
const maxForgotten = 65536;
/** How long a process is taken for the one that it was, where the kernel does not tell. */
const trustMilliseconds = 100;

export interface ProcessTableOptions {
  readonly procRoot: string;
  /** Milliseconds, only differences count. */
  readonly now: () => number;
  /** Nanoseconds of the monotonic clock. */
  readonly clock: () => bigint;
  /** What the kernel has told of processes since the last call, oldest first; undefined if it tells nothing. */
  readonly records: (() => readonly PerfRecord[]) | undefined;
  /** Told what a process has mapped to run, while it probably still has it. */
  readonly onMapping: (known: KnownProcess, mapping: Mapping) => void;
  /** Told of a process that was looked at for the first time. */
  readonly onSeen: (known: KnownProcess) => void;
}

/** What is known of the mappings of processes, of those that have ended, too. */
export class ProcessTable implements Disposable {
  /** Records that the kernel had no room for. */
  lostRecords = 0n;
  private readonly options: ProcessTableOptions;
  /** In the order of last use. */
  private readonly processes = new Map<number, KnownProcess>();
  /** In the order in which they ended. */
  private readonly ended = new Set<KnownProcess>();
  private mappings = 0;
  private lostAt = -1n;
  private readonly forgotten = new Set<number>();
  private readonly missed = new Set<number>();

  constructor(options: ProcessTableOptions) {
    this.options = options;
  }

  /** Processes whose mappings were dropped for want of room, and asked for afterwards. */
  get missedProcesses(): number {
    return this.missed.size;
  }

  isForgotten(pid: number): boolean {
    return this.missed.has(pid);
  }

  /** The kernel tells of the process, and nothing of what it told was lost since its program began. */
  isWatched(known: KnownProcess): boolean {
    return this.options.records !== undefined && (known.space === undefined || known.space.from > this.lostAt);
  }

  /** Takes in what the kernel has told. */
  refresh(): void {
    const { records } = this.options;
    if (records === undefined) return;
    const told = records();
    for (const record of told) this.apply(record);
    if (told.length > 0) this.makeRoom();
  }

  /** The next program that a process runs is the first that counts. */
  expectExec(pid: number): void {
    this.peek(pid).expectsExec = true;
  }

  /** A process and those that it was forked off, `most` of them. */
  family(pid: number, most: number): readonly number[] {
    const pids = [pid];
    let known = this.processes.get(pid);
    while (pids.length < most && known?.parent !== undefined && !pids.includes(known.parent)) {
      pids.push(known.parent);
      known = this.processes.get(known.parent);
    }
    return pids;
  }

  /** The process of that number; it is looked at, unless all is known of it. */
  get(pid: number): KnownProcess {
    const now = this.options.now();
    const known = this.processes.get(pid);
    if (known === undefined) return this.see(pid);
    this.processes.delete(pid);
    this.processes.set(pid, known);
    if (known.space === undefined && !known.gone && !known.ended) this.read(known);
    if (this.complete(known) && !this.isWatched(known) && now - known.checkedAt > trustMilliseconds) {
      known.checkedAt = now;
      const identity = readIdentity(this.options.procRoot, pid);
      if (identity === undefined) known.gone = true;
      else if (identity !== known.identity) this.read(known);
    }
    return known;
  }

  /** Reads what a process that nothing is known of has mapped to run, so that its addresses have names when it has ended. */
  seed(pid: number): void {
    if (!this.processes.has(pid)) this.read(this.add(pid), "code");
  }

  /** Reads what a process has mapped now; `code`: of many processes at once, only what matters when they have ended. */
  read(known: KnownProcess, what: "all" | "code" = "all"): void {
    const { procRoot, now, clock } = this.options;
    const space = known.space;
    const image = known.ended ? undefined : readProcessImage(procRoot, known.pid);
    known.readAt = now();
    known.checkedAt = known.readAt;
    // What was read may be another program's already.
    this.refresh();
    if (known.space !== space) return;
    known.denied = image === "denied";
    if (image === undefined || image === "denied") {
      known.gone = true;
      return;
    }
    const maps = what === "all" ? image.maps : image.maps.filter(({ execute }) => execute);
    known.gone = false;
    const isNew = space === undefined || (known.identity !== undefined && known.identity !== image.identity);
    if (isNew && known.expectsExec) known.forget();
    const target = isNew ? known.begin(new AddressSpace(space === undefined ? 0n : clock(), true)) : space;
    known.identity = image.identity;
    this.changing(known, target, () => target.read(maps, clock()));
    if (what === "code") return;
    for (const mapping of target.mappings) if (mapping.execute) this.options.onMapping(known, mapping);
  }

  /** Looks at a process that the table has nothing of. */
  private see(pid: number): KnownProcess {
    const known = this.add(pid);
    this.read(known);
    if (known.gone && this.forgotten.has(pid)) this.missed.add(pid);
    this.options.onSeen(known);
    this.makeRoom();
    return known;
  }

  /** Reads what is not known of a process that was there before, or of the one that it was forked off. */
  private complete(known: KnownProcess): boolean {
    const { space } = known;
    if (space === undefined || space.complete) return true;
    if (!known.ended && !known.gone) this.read(known);
    const { origin } = space;
    if (space.complete || origin === undefined) return space.complete;
    const parent = known.parent === undefined ? undefined : this.processes.get(known.parent);
    if (!origin.complete && parent !== undefined && parent.space === origin) this.complete(parent);
    if (origin.complete) space.inherit(origin.mappings);
    return space.complete;
  }

  private apply(record: PerfRecord): void {
    switch (record.kind) {
      case "map":
        // Outside of our pid namespace.
        if (record.pid !== 0) this.applyMap(record);
        break;
      case "exec": {
        const known = this.peek(record.pid);
        if (known.expectsExec) known.forget();
        known.begin(new AddressSpace(record.time, true));
        break;
      }
      case "fork": {
        const parent = this.peek(record.parent);
        const origin = parent.space ?? parent.begin(new AddressSpace(0n, false));
        const known = this.peek(record.pid);
        known.parent = record.parent;
        known.ended = false;
        this.ended.delete(known);
        known.begin(new AddressSpace(record.time, origin.complete, origin));
        break;
      }
      case "exit": {
        const known = this.processes.get(record.pid);
        if (known === undefined) break;
        known.ended = true;
        this.ended.add(known);
        break;
      }
      case "lost":
        this.lostRecords += record.count;
        this.lostAt = record.time;
        break;
    }
  }

  private applyMap(record: MapRecord): void {
    const known = this.peek(record.pid);
    const space = known.space ?? known.begin(new AddressSpace(0n, false));
    this.changing(known, space, () => space.add(record, record.time));
    if (record.execute) this.options.onMapping(known, record);
  }

  /** Does something to a space, and counts what it has more or less afterwards. */
  private changing(known: KnownProcess, space: AddressSpace, change: () => void): void {
    const before = space.mappings.length;
    change();
    known.size += space.mappings.length - before;
    this.mappings += space.mappings.length - before;
  }

  private peek(pid: number): KnownProcess {
    return this.processes.get(pid) ?? this.add(pid);
  }

  private add(pid: number): KnownProcess {
    const known = new KnownProcess(pid, this.options.now());
    this.processes.set(pid, known);
    return known;
  }

  private makeRoom(): void {
    while (this.processes.size > maxProcesses || this.mappings > maxMappings) {
      const [first] = this.ended.size > 0 ? this.ended : this.processes.values();
      if (first === undefined) return;
      this.ended.delete(first);
      this.processes.delete(first.pid);
      this.mappings -= first.size;
      first[Symbol.dispose]();
      if (this.forgotten.size < maxForgotten) this.forgotten.add(first.pid);
    }
  }

  [Symbol.dispose](): void {
    for (const known of this.processes.values()) known[Symbol.dispose]();
    this.processes.clear();
    this.ended.clear();
  }
}
