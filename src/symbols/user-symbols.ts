import { bytesSource } from "../formats/byte-source.js";
import type { CodePlace } from "../formats/dwarf-places.js";
import { demangle } from "../formats/itanium-demangle.js";
import type { ProcMap } from "../formats/proc-maps.js";
import { demangleRust } from "../formats/rust-demangle.js";
import { type DebugPlaces, debugRoot } from "../kernel/debug-info.js";
import { ElfFile, type OpenFile } from "./elf-file.js";
import { JitNames } from "./jit-names.js";
import { openMappedFile, readMapping, readOwnVdso } from "./mapped-file.js";
import { KnownProcess, readIdentity, readProcessImage } from "./process-maps.js";
import { type Symbolized, unknown } from "./symbolized.js";

export interface UserSymbolsOptions {
  /** Of proc(5). */
  readonly procRoot?: string;
  /** Whether C++ names are shown as they were written; true if not given. */
  readonly demangle?: boolean;
  /** Where debugging information is, beside what files carry themselves. */
  readonly debug?: DebugPlaces;
  /** Bytes of symbol tables and debugging information to keep. */
  readonly maxMemory?: number;
  /** Milliseconds, only differences count. */
  readonly now?: () => number;
}

/** How an address is looked up. */
export interface Lookup {
  /** It is where a call goes on: the call itself stands in front of it, maybe at the end of its function. */
  readonly isReturn?: boolean;
  /** Debugging information is asked for the place in the source, too. */
  readonly code?: boolean;
}

/** Processes remembered; the one not asked for the longest goes first. */
const maxProcesses = 8192;
/** Files held open or in memory. */
const maxFiles = 512;
/** What stacks in perf mode show as the file of code that was made at run time. */
const jitModule = "[jit]";
/** How long a process is taken for the one that it was. */
const trustMilliseconds = 100;

/**
 * Names of addresses in processes. What was seen of a process is kept when it ends: its mappings, and the files in them.
 * Processes in containers have their own paths; files are opened through `/proc/PID/map_files`, which leads to the very
 * file that is mapped, even if it has been deleted or replaced since, or through `/proc/PID/root`.
 */
export class UserSymbols implements Disposable {
  private readonly procRoot: string;
  private readonly demangles: boolean;
  private readonly debug: DebugPlaces;
  private readonly maxMemory: number;
  private readonly now: () => number;
  /** Both are in the order of last use. */
  private readonly processes = new Map<number, KnownProcess>();
  private readonly files = new Map<string, ElfFile | undefined>();
  private readonly names = new Map<string, string>();

  constructor(options: UserSymbolsOptions = {}) {
    this.procRoot = options.procRoot ?? "/proc";
    this.demangles = options.demangle ?? true;
    this.debug = options.debug ?? { folders: [], root: debugRoot };
    this.maxMemory = options.maxMemory ?? 256 << 20;
    this.now = options.now ?? (() => performance.now());
  }

  /**
   * Looks at a process now, so that its addresses can be resolved after it has ended. Worth a call when an event of an
   * unknown process arrives; cheap for known ones, unless what they have mapped is to be read `again`.
   */
  remember(pid: number, again = false): void {
    const isKnown = this.processes.has(pid);
    const known = this.process(pid);
    if (again && isKnown) this.reread(pid, known);
  }

  /** The function at an address of a process. */
  resolve(pid: number, given: bigint, lookup: Lookup = {}): Symbolized {
    const address = lookup.isReturn === true ? given - 1n : given;
    const known = this.process(pid);
    let map = known.at(address);
    if (map === undefined && !known.gone && this.now() - known.readAt >= known.patience) {
      // Something was mapped since (execve, dlopen, or code made at run time).
      this.reread(pid, known);
      map = known.at(address);
      known.patience = map === undefined ? Math.min(2 * known.patience + 1, trustMilliseconds) : 0;
    }
    if (map === undefined) return unknown(known.seen ? "unmapped" : "process-gone");
    const found = this.resolveIn(pid, map, address, given - address, lookup.code === true);
    return found.kind === "unknown" && map.execute
      ? (this.resolveJit(pid, known, address, given - address) ?? found)
      : found;
  }

  /** Code that no file has: what the process itself says of it. */
  private resolveJit(pid: number, known: KnownProcess, address: bigint, behind: bigint): Symbolized | undefined {
    this.openJit(pid, known);
    const { jit } = known;
    if (jit === "untrusted") return unknown("untrusted-map");
    let symbol = jit?.at(address);
    if (symbol === undefined && jit !== undefined && this.now() - known.jitAskedAt >= trustMilliseconds) {
      known.jitAskedAt = this.now();
      jit.refresh();
      symbol = jit.at(address);
    }
    return symbol === undefined
      ? undefined
      : { kind: "symbol", name: symbol.name, offset: address - symbol.start + behind, module: jitModule };
  }

  private openJit(pid: number, known: KnownProcess): void {
    const now = this.now();
    if (known.jit !== undefined || now - known.jitAskedAt < trustMilliseconds) return;
    known.jitAskedAt = now;
    known.jit = JitNames.open(this.procRoot, pid);
  }

  /** The address of a function or variable in a process: of its program first, then of its libraries. */
  address(pid: number, name: string): bigint | undefined {
    const known = this.process(pid);
    const tried = new Set<string>();
    for (const map of known.maps) {
      if (map.path === undefined || !map.execute || tried.has(map.path)) continue;
      tried.add(map.path);
      const offset = this.file(pid, map)?.offsetOf(name);
      if (offset === undefined) continue;
      const wanted = BigInt(offset);
      for (const each of known.maps) {
        if (each.path !== map.path || wanted < each.offset) continue;
        if (wanted - each.offset < each.end - each.start) return each.start + wanted - each.offset;
      }
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const file of this.files.values()) file?.[Symbol.dispose]();
    this.files.clear();
    for (const known of this.processes.values()) known[Symbol.dispose]();
    this.processes.clear();
  }

  private resolveIn(pid: number, map: ProcMap, address: bigint, behind: bigint, withCode: boolean): Symbolized {
    const { path } = map;
    if (path === undefined || (path.startsWith("[") && path !== "[vdso]") || path.startsWith("//")) {
      return unknown("anonymous", path);
    }
    const file = this.file(pid, map);
    if (file === undefined) return unknown("unreadable", path);
    const place = Number(address - map.start + map.offset);
    const found = file.at(place);
    if (found.kind === "unknown") return unknown(found.reason, path);
    const { symbol } = found;
    const code = withCode ? file.code(place) : undefined;
    return {
      kind: "symbol",
      name: this.display(symbol.name),
      offset: found.address - symbol.address + behind,
      module: path,
      ...(code === undefined ? {} : { code: this.displayCode(code) }),
    };
  }

  private displayCode({ place, inlined }: CodePlace): CodePlace {
    return { place, inlined: inlined.map((each) => ({ ...each, name: this.display(each.name) })) };
  }

  private display(symbol: string): string {
    // Full symbol tables append the version of a versioned function: pthread_cond_signal@@GLIBC_2.3.2
    const version = symbol.indexOf("@");
    const name = version > 0 ? symbol.slice(0, version) : symbol;
    if (!this.demangles || !/^_[ZR]/.test(name)) return name;
    let shown = this.names.get(name);
    if (shown === undefined) {
      shown = demangleRust(name) ?? demangle(name) ?? name;
      if (this.names.size >= 16384) this.names.clear();
      this.names.set(name, shown);
    }
    return shown;
  }

  private process(pid: number): KnownProcess {
    const now = this.now();
    const known = this.processes.get(pid);
    if (known === undefined) {
      const image = readProcessImage(this.procRoot, pid);
      const fresh = new KnownProcess(image, now);
      this.keep(pid, fresh);
      this.openFiles(pid, fresh);
      // Code without a file: its names go when the process does, if it has a root directory of its own.
      if (fresh.maps.some((map) => map.execute && map.path === undefined)) this.openJit(pid, fresh);
      return fresh;
    }
    this.processes.delete(pid);
    this.processes.set(pid, known);
    if (now - known.checkedAt > trustMilliseconds) {
      known.checkedAt = now;
      const identity = readIdentity(this.procRoot, pid);
      if (identity === undefined) known.gone = true;
      else if (identity !== known.identity) this.reread(pid, known);
    }
    return known;
  }

  private reread(pid: number, known: KnownProcess): void {
    const image = readProcessImage(this.procRoot, pid);
    known.readAt = this.now();
    if (image === undefined) {
      known.gone = true;
      return;
    }
    known.update(image, known.readAt);
    this.openFiles(pid, known);
  }

  private keep(pid: number, known: KnownProcess): void {
    for (const oldest of this.processes.keys()) {
      if (this.processes.size < maxProcesses) break;
      this.processes.get(oldest)?.[Symbol.dispose]();
      this.processes.delete(oldest);
    }
    this.processes.set(pid, known);
  }

  /** Opens what the process runs while it is there; parsing waits until a name is wanted. */
  private openFiles(pid: number, known: KnownProcess): void {
    for (const map of known.maps) if (map.execute && map.inode !== 0n) this.file(pid, map);
  }

  private file(pid: number, map: ProcMap): ElfFile | undefined {
    const key = map.path === "[vdso]" ? "[vdso]" : `${map.device} ${map.inode} ${map.path}`;
    if (this.files.has(key)) {
      const known = this.files.get(key);
      this.files.delete(key);
      this.files.set(key, known);
      return known;
    }
    const opened = map.path === "[vdso]" ? this.openVdso(pid, map) : openMappedFile(this.procRoot, pid, map);
    const file = opened === undefined ? undefined : new ElfFile(opened, map.path ?? "", this.debug);
    this.makeRoom();
    this.files.set(key, file);
    return file;
  }

  private makeRoom(): void {
    let memory = 0;
    for (const file of this.files.values()) memory += file?.memory ?? 0;
    for (const [key, file] of this.files) {
      if (this.files.size < maxFiles && memory <= this.maxMemory) break;
      memory -= file?.memory ?? 0;
      file?.[Symbol.dispose]();
      this.files.delete(key);
    }
  }

  /** The vDSO of the process, or ours: all processes have the same. */
  private openVdso(pid: number, map: ProcMap): OpenFile | undefined {
    const bytes = readMapping(this.procRoot, pid, map) ?? readOwnVdso(this.procRoot);
    if (bytes === undefined) return undefined;
    return { ...bytesSource(bytes, "vdso"), inode: 0n, device: 0n, [Symbol.dispose]: () => undefined };
  }
}
