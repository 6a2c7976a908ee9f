import type { CallRule } from "../formats/call-frame.js";
import type { PerfRecord } from "../formats/perf-records.js";
import { debugRoot } from "../kernel/debug-info.js";
import type { DebugPlaces } from "../kernel/separate-files.js";
import type { AddressSpace, Mapping, MappingIndex } from "./address-space.js";
import { type ElfFile, noRule } from "./elf-file.js";
import { JitMemory, JitNames } from "./jit-names.js";
import { MappedFiles } from "./mapped-files.js";
import { type KnownProcess, mappingAt } from "./process-maps.js";
import { ProcessTable } from "./process-table.js";
import { ShownNames } from "./shown-names.js";
import { type MissingName, type Symbolized, unknown } from "./symbolized.js";

export interface UserSymbolsOptions {
  /** Of proc(5). */
  readonly procRoot?: string;
  /** Whether C++ names are shown as they were written; true if not given. */
  readonly demangle?: boolean;
  /** Where debugging information is, beside what files carry themselves. */
  readonly debug?: DebugPlaces;
  /** Bytes of symbol tables and debugging information to keep. */
  readonly maxMemory?: number;
  /** Bytes of names of code that was made at run time to keep. */
  readonly maxJitMemory?: number;
  /** Milliseconds, only differences count. */
  readonly now?: () => number;
  /** Nanoseconds of the monotonic clock. */
  readonly clock?: () => bigint;
  /** What the kernel has told of processes since the last call, oldest first; not given where it tells nothing. */
  readonly records?: (() => readonly PerfRecord[]) | undefined;
}

/** How an address is looked up. */
export interface Lookup {
  /** It is where a call goes on: the call itself stands in front of it, maybe at the end of its function. */
  readonly isReturn?: boolean;
  /** Debugging information is asked for the place in the source, too. */
  readonly code?: boolean;
  /** When it was recorded at the earliest, in nanoseconds of the monotonic clock; any time if not given. */
  readonly since?: bigint;
}

/** What stacks in perf mode show as the file of code that was made at run time. */
const jitModule = "[jit]";
/** How long what a process says of its code is taken for all of it, and how long an address without a name for one. */
const trustMilliseconds = 100;
/** Bytes of symbol tables and debugging information; what is dropped is read again when it is wanted. */
const defaultMemory = 16 << 20;
/** The same of perf maps; one of them may take some more. */
const defaultJitMemory = 20 << 20;
/** Addresses below this are exact as numbers; programs have none above, unless they ask for it (5 levels of page tables). */
const exactAddresses = 2 ** 53;
/** A process, and how many of those it was forked off, have the same root directory, as likely as not. */
const maxRoots = 3;

/**
 * Names of addresses in processes. What was seen of a process is kept when it ends: its mappings, and the files in them.
 * Where the kernel tells of mappings (`records`) that is all that has run since; else what /proc/PID/maps had when the
 * process was looked at.
 */
export class UserSymbols implements Disposable {
  private readonly procRoot: string;
  private readonly now: () => number;
  private readonly table: ProcessTable;
  private readonly files: MappedFiles;
  private readonly jits: JitMemory;

  constructor(options: UserSymbolsOptions = {}) {
    this.procRoot = options.procRoot ?? "/proc";
    this.jits = new JitMemory(options.maxJitMemory ?? defaultJitMemory);
    const names = new ShownNames(options.demangle ?? true, () => this.files.forgetNames());
    this.now = options.now ?? (() => performance.now());
    const { procRoot, now } = this;
    const clock = options.clock ?? (() => process.hrtime.bigint());
    this.files = new MappedFiles({
      procRoot,
      now,
      debug: options.debug ?? { folders: [], root: debugRoot },
      shown: (symbol) => names.of(symbol),
      maxMemory: options.maxMemory ?? defaultMemory,
      wallOffset: () => BigInt(Date.now()) * 1_000_000n - clock(),
    });
    this.table = new ProcessTable({
      procRoot,
      now,
      clock,
      records: options.records,
      // Files are opened while the process is there; parsing waits until a name is wanted.
      onMapping: (known, mapping) => {
        if (isFile(mapping)) this.file(known, mapping);
      },
      // Code without a file: its names go when the process does, if it has a root directory of its own.
      onSeen: (known) => {
        if (known.space?.mappings.some((map) => map.execute && map.path === undefined) === true) this.openJit(known);
      },
    });
  }

  /** Records of processes that the kernel had no room for. */
  get lostRecords(): bigint {
    return this.table.lostRecords;
  }

  /** Processes whose mappings were dropped for want of room, and asked for afterwards. */
  get missedProcesses(): number {
    return this.table.missedProcesses;
  }

  /**
   * Looks at a process now, so that its addresses can be resolved after it has ended. Worth a call when an event of an
   * unknown process arrives; cheap for known ones, unless what they have mapped is to be read `again`.
   */
  remember(pid: number): void {
    this.table.get(pid);
  }

  /** Less than {@link remember}, for every process that there is. */
  seed(pid: number): void {
    this.table.seed(pid);
  }

  /** The process waits in front of its execve; what it has mapped until then does not matter. */
  expectExec(pid: number): void {
    this.table.expectExec(pid);
  }

  /** Takes in what the kernel has told of processes. */
  refresh(): void {
    this.table.refresh();
  }

  /** The function at an address of a process. */
  resolve(pid: number, address: bigint, lookup: Lookup = {}): Symbolized {
    const [found] = this.resolveAll(pid, [address], () => lookup);
    return found ?? unknown("unmapped");
  }

  /** The functions at the addresses of a stack, innermost first: all but the first are where calls go on. */
  resolveStack(pid: number, stack: readonly bigint[], lookup: Lookup = {}): readonly Symbolized[] {
    const quick = this.resolveUsual(pid, stack, lookup);
    if (quick !== undefined) return quick;
    const after = { ...lookup, isReturn: true };
    return this.resolveAll(pid, stack, (i) => (i === 0 ? lookup : after));
  }

  /**
   * The usual stack: of a process in which only one program can have run, in which each address was mapped once, from files.
   * The answer is that of {@link resolveAll}, as long as {@link usualState} is the same; undefined for any other stack.
   */
  resolveUsual(pid: number, stack: readonly bigint[], lookup: Lookup): readonly Symbolized[] | undefined {
    const known = this.known(pid);
    const index = indexSince(known, lookup.since ?? 0n);
    if (index === undefined) return undefined;
    const { maps, starts } = index;
    const withCode = lookup.code === true;
    const found: Symbolized[] = [];
    for (let i = 0; i < stack.length; i++) {
      const behind = i > 0 || lookup.isReturn === true ? 1 : 0;
      const address = Number(stack[i]) - behind;
      if (address >= exactAddresses) return undefined;
      let [low, high] = [0, starts.length];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((starts[middle] as number) <= address) low = middle + 1;
        else high = middle;
      }
      const map = maps[low - 1];
      if (map === undefined || address >= Number(map.end) || !isFile(map)) return undefined;
      let file = index.files[low - 1];
      if (file === undefined || file.isClosed) {
        file = this.file(known, map);
        if (file === undefined) return undefined;
        index.files[low - 1] = file;
      }
      this.files.use(file);
      const place = address - (starts[low - 1] as number) + Number(map.offset);
      const answer = symbolIn(file, place, map.path, behind, withCode);
      // Code that a process makes may lie in a file, too.
      if (answer.kind === "unknown" && map.execute) return undefined;
      found.push(answer);
    }
    return found;
  }

  /** What the usual stacks of a process were named by: an object that is another one when something was mapped since. */
  usualState(pid: number, since: bigint): object | undefined {
    return indexSince(this.known(pid), since);
  }

  private known(pid: number): KnownProcess {
    this.table.refresh();
    return this.table.get(pid);
  }

  private resolveAll(
    pid: number,
    given: readonly bigint[],
    lookupOf: (index: number) => Lookup,
  ): readonly Symbolized[] {
    this.table.refresh();
    const known = this.table.get(pid);
    const { since = 0n } = lookupOf(0);
    const addresses = given.map((each, i) => (lookupOf(i).isReturn === true ? each - 1n : each));
    const spaces = (): readonly AddressSpace[] =>
      this.calling(known, known.spacesOf(addresses, since), addresses, since, (i) => lookupOf(i).isReturn === true);
    let possible = spaces();
    return addresses.map((address, i) => {
      const behind = (given[i] ?? address) - address;
      let mapping = mappingAt(possible, address, since);
      if (mapping === undefined && this.rereads(known)) {
        possible = spaces();
        mapping = mappingAt(possible, address, since);
        known.patience = mapping === undefined ? Math.min(2 * known.patience + 1, trustMilliseconds) : 0;
      }
      if (mapping === undefined) return unknown(known.seen ? "unmapped" : this.whyUnseen(known));
      if (mapping === "ambiguous") return unknown("ambiguous");
      const found = this.resolveIn(known, mapping, address, behind, lookupOf(i).code === true);
      return found.kind === "unknown" && mapping.execute ? (this.resolveJit(known, address, behind) ?? found) : found;
    });
  }

  /**
   * Where programs that ran one after the other had different things at an address: those of them in which most of a stack's
   * frames return to where a call stands in front of.
   */
  private calling(
    known: KnownProcess,
    spaces: readonly AddressSpace[],
    addresses: readonly bigint[],
    since: bigint,
    isReturn: (index: number) => boolean,
  ): readonly AddressSpace[] {
    if (spaces.length < 2 || !addresses.some((address) => mappingAt(spaces, address, since) === "ambiguous"))
      return spaces;
    const counts = spaces.map((space) => {
      const isCall = (address: bigint, index: number): boolean => {
        const mapping = mappingAt([space], address, since);
        if (!isReturn(index) || typeof mapping !== "object" || !isFile(mapping)) return false;
        const place = Number(address + 1n - mapping.start + mapping.offset);
        return this.files.isCalledFrom(this.table.family(known.pid, maxRoots), mapping, place) === true;
      };
      return addresses.filter(isCall).length;
    });
    const most = Math.max(...counts);
    return spaces.filter((_, i) => counts[i] === most);
  }

  /**
   * How the code that was at an address at that time finds its caller; "no file" of what was made at run time, undefined where
   * it is not known what was there. Nothing is read of what the kernel has told: {@link refresh} does that.
   */
  ruleAt(pid: number, address: bigint, time: bigint): CallRule | "no file" | undefined {
    const known = this.table.get(pid);
    let mapping = mappingThen(known, address, time);
    if (mapping === undefined && this.rereads(known)) {
      mapping = mappingThen(known, address, time);
      known.patience = mapping === undefined ? Math.min(2 * known.patience + 1, trustMilliseconds) : 0;
    }
    if (mapping === undefined) return undefined;
    if (!isFile(mapping)) return "no file";
    return this.file(known, mapping)?.ruleAt(Number(address - mapping.start + mapping.offset)) ?? noRule;
  }

  /** Something may have been mapped since (execve, dlopen, or code made at run time). */
  private rereads(known: KnownProcess): boolean {
    if (known.gone || known.ended || this.now() - known.readAt < known.patience) return false;
    this.table.read(known);
    return true;
  }

  private whyUnseen({ pid, denied }: KnownProcess): MissingName {
    if (denied) return "no-permission";
    return this.table.isForgotten(pid) ? "forgotten" : "process-gone";
  }

  /** Code that no file has: what the process itself says of it. */
  private resolveJit(known: KnownProcess, address: bigint, behind: bigint): Symbolized | undefined {
    this.openJit(known);
    const { jit } = known;
    if (jit === "untrusted") return unknown("untrusted-map");
    if (jit === undefined) return undefined;
    this.jits.use(jit);
    let symbol = jit.at(address);
    if (typeof symbol !== "object" && this.now() - known.jitAskedAt >= trustMilliseconds) {
      known.jitAskedAt = this.now();
      jit.refresh();
      symbol = jit.at(address);
    }
    this.jits.makeRoom();
    if (symbol === "too-large") return unknown("map-too-large", jitModule);
    return symbol === undefined
      ? undefined
      : { kind: "symbol", name: symbol.name, offset: address - symbol.start + behind, module: jitModule };
  }

  private openJit(known: KnownProcess): void {
    const now = this.now();
    if (known.jit !== undefined || now - known.jitAskedAt < trustMilliseconds) return;
    known.jitAskedAt = now;
    known.jit = JitNames.open(this.procRoot, known.pid);
    if (typeof known.jit !== "object") return;
    this.jits.use(known.jit);
    this.jits.makeRoom();
  }

  /** The address of a function or variable in a process: of its program first, then of its libraries. */
  address(pid: number, name: string): bigint | undefined {
    this.table.refresh();
    const known = this.table.get(pid);
    const maps = known.space?.mappings ?? [];
    const tried = new Set<string>();
    for (const map of maps) {
      if (map.path === undefined || !map.execute || tried.has(map.path)) continue;
      tried.add(map.path);
      const offset = this.file(known, map)?.offsetOf(name);
      if (offset === undefined) continue;
      const wanted = BigInt(offset);
      for (const each of maps) {
        if (each.path !== map.path || wanted < each.offset) continue;
        if (wanted - each.offset < each.end - each.start) return each.start + wanted - each.offset;
      }
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.files[Symbol.dispose]();
    this.table[Symbol.dispose]();
  }

  private file(known: KnownProcess, mapping: Mapping): ElfFile | undefined {
    return this.files.file(this.table.family(known.pid, maxRoots), mapping);
  }

  private resolveIn(known: KnownProcess, map: Mapping, address: bigint, behind: bigint, withCode: boolean): Symbolized {
    const { path } = map;
    if (!isFile(map)) return unknown("anonymous", path);
    const file = this.file(known, map);
    if (file === undefined) return unknown("unreadable", path);
    const place = Number(address - map.start + map.offset);
    return symbolIn(file, place, path, Number(behind), withCode);
  }
}

/** What was at an address at a time: the oldest of what was replaced later, else what is there now. */
function mappingThen(known: KnownProcess, address: bigint, time: bigint): Mapping | undefined {
  const space = known.spaces.find(({ from }) => from <= time) ?? known.spaces.at(-1);
  return space?.at(address, time).at(-1);
}

/** Of the only program that can have run since then, if each address was mapped once. */
function indexSince(known: KnownProcess, since: bigint): MappingIndex | undefined {
  const [space, ...others] = known.spacesSince(since);
  return others.length > 0 ? undefined : space?.index;
}

/** What a place of a file is shown as; `behind`: of code that goes on so many bytes behind it. */
function symbolIn(
  file: ElfFile,
  place: number,
  module: string | undefined,
  behind: number,
  withCode: boolean,
): Symbolized {
  const found = file.at(place);
  if (found.kind === "unknown") return unknown(found.reason, module);
  const { name } = found;
  const offset = BigInt(found.offset + behind);
  const code = withCode ? file.code(place) : undefined;
  return code === undefined ? { kind: "symbol", name, offset, module } : { kind: "symbol", name, offset, module, code };
}

const isFile = ({ path, inode, buildId }: Mapping): boolean =>
  path === "[vdso]" ||
  ((inode !== 0n || buildId !== undefined) && path?.startsWith("[") !== true && path?.startsWith("//") !== true);
