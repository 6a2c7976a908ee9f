import { readFileSync, statSync } from "node:fs";
import { release } from "node:os";
import type { ProgType } from "../abi/program-type.js";
import { SyscallTable } from "../abi/syscalls.js";
import { FormatError } from "../base/errors.js";
import { Btf } from "../formats/btf.js";
import type { Dwarf } from "../formats/dwarf.js";
import { Kallsyms } from "../formats/kallsyms.js";
import type { TracepointFormat } from "../formats/tracepoint-format.js";
import { type KernelFunctions, kernelModule } from "../language/kernel-functions.js";
import {
  type BpfFunction,
  btfFunction,
  type KernelView,
  type Missing,
  type UsdtProbe,
  type UserFile,
  type UserFunctions,
  type UserSymbol,
} from "../language/kernel-view.js";
import { answerOf, type FeatureAnswer, type FeatureName, type FeatureReply } from "../language/needs.js";
import type { Sys } from "../sys/sys.js";
import { readBpfFunctions } from "./bpf-functions.js";
import { readCpus } from "./cpus.js";
import { debugRoot, readDebugInfo } from "./debug-info.js";
import { features } from "./features.js";
import { findBinary } from "./find-binary.js";
import { listedFunctions, readKernelFunctions } from "./kernel-functions.js";
import { readMaxSampleRate } from "./kernel-settings.js";
import { missingCapabilities } from "./privileges.js";
import { kfuncAllowed } from "./probe-program.js";
import { filesOfProgram, searchPlaces } from "./process-files.js";
import type { DebugPlaces } from "./separate-files.js";
import { ensureTracefs, readEventFormat, readEvents } from "./tracefs.js";
import { readUsdtProbes } from "./usdt-probes.js";
import { findUserFiles, type Tracee } from "./user-files.js";
import { readUserFunctions, readUserSymbol } from "./user-functions.js";

/** PROC_PID_INIT_INO, include/linux/proc_ns.h. */
const initialPidNamespace = 0xef_ff_ff_fcn;

export interface KernelViewOptions {
  /** Directories with debugging information of programs, searched first. */
  readonly debugFolders?: readonly string[];
  /** A file that lists the functions that may be traced in place of tracefs, in the form of available_filter_functions. */
  readonly traceableFunctions?: string | undefined;
}

/** The running kernel. Everything is read when it is asked for first, and once. */
export function openKernelView(sys: Sys, options: KernelViewOptions = {}): LiveKernelView {
  return new LiveKernelView(sys, options);
}

/** A {@link KernelView} of the running kernel, with what only the running one has. */
export class LiveKernelView implements KernelView {
  readonly arch: KernelView["arch"];
  private readonly sys: Sys;
  private readonly debugPlaces: DebugPlaces;
  private readonly traceableFunctions: string | undefined;
  private readonly cache = new Map<string, unknown>();
  private readonly formats = new Map<string, TracepointFormat | undefined>();
  private waiting: Tracee | undefined;

  constructor(sys: Sys, options: KernelViewOptions) {
    this.sys = sys;
    this.debugPlaces = { folders: options.debugFolders ?? [], root: debugRoot };
    this.traceableFunctions = options.traceableFunctions;
    this.arch = sys.arch;
  }

  get release(): string {
    return release();
  }

  get possibleCpus(): number {
    // A value for each number up to the largest one, also where numbers are left out (num_possible_cpus() counts bits,
    // but x86-64 and arm64 have no gaps).
    return this.once("possible", () => readCpus("possible").length);
  }

  get maxSampleRate(): number | undefined {
    return this.once("sample rate", readMaxSampleRate);
  }

  get onlineCpus(): readonly number[] {
    return this.once("online", () => readCpus("online"));
  }

  btf(): Btf | Missing {
    return this.once("btf", () => readBtf(kernelModule, undefined));
  }

  moduleBtf(module: string): Btf | Missing {
    const base = this.btf();
    if (module === kernelModule || "missing" in base) return base;
    return this.once(`btf ${module}`, () => readBtf(module, base));
  }

  modules(): readonly string[] {
    return this.once("modules", readModules);
  }

  bpfFunctions(): readonly BpfFunction[] {
    return this.once("bpf functions", () => readBpfFunctions(this.sys));
  }

  feature(name: FeatureName): FeatureAnswer {
    return answerOf(this.featureReply(name));
  }

  /** The same with the reason why nothing is known. */
  featureReply(name: FeatureName): FeatureReply {
    return this.once(`feature ${name}`, () => {
      const { sys } = this;
      return features[name].ask({ sys, release: this.release, btf: () => this.btf(), privileged: this.privileged() });
    });
  }

  tracepoint(category: string, event: string): TracepointFormat | undefined {
    const name = `${category}:${event}`;
    if (this.formats.has(name)) return this.formats.get(name);
    const tracefs = this.tracefs();
    const format = typeof tracefs === "string" ? readEventFormat(tracefs, category, event) : undefined;
    this.formats.set(name, format);
    return format;
  }

  tracepoints(): readonly string[] | Missing {
    return this.once("events", () => {
      const tracefs = this.tracefs();
      return typeof tracefs === "string" ? readEvents(tracefs) : tracefs;
    });
  }

  kernelFunctions(): KernelFunctions | Missing {
    return this.once("functions", () => {
      if (this.traceableFunctions !== undefined) return listedFunctions(this.traceableFunctions);
      const tracefs = this.tracefs();
      return readKernelFunctions(typeof tracefs === "string" ? tracefs : undefined, () => this.kallsyms());
    });
  }

  rawTracepoints(module = kernelModule): readonly string[] {
    return this.once(`raw tracepoints ${module}`, () => {
      const btf = this.moduleBtf(module);
      if ("missing" in btf) return module === kernelModule ? [...new Set(this.tracepointSymbols())].sort() : [];
      const names = Array.from(btf.ownIds("typedef"), (id) => btf.nameOf(id));
      return [...new Set(namesWithPrefix(names, "btf_trace_"))].sort();
    });
  }

  kernelSymbol(name: string): bigint | undefined {
    return this.kernelSymbols(name)[0];
  }

  kernelSymbols(name: string): readonly bigint[] {
    const symbols = this.kallsyms();
    if ("missing" in symbols || symbols.hidden) return [];
    return Array.from(symbols.find(name), (symbol) => symbol.address);
  }

  syscallNumber(name: string): number | undefined {
    return this.syscalls.number(name);
  }

  syscallNames(): ReadonlyMap<number, string> {
    return this.syscalls.byNumber();
  }

  cgroupId(path: string): bigint | Missing {
    try {
      // The id of a cgroup is the inode number of its directory (kernfs_id(), include/linux/kernfs.h, v5.5).
      return statSync(path, { bigint: true }).ino;
    } catch (error) {
      return { missing: `there is no cgroup at ${path}: ${(error as Error).message}` };
    }
  }

  pidNamespace(): { readonly device: bigint; readonly inode: bigint } | undefined {
    return this.once("pid namespace", () => {
      const { dev, ino } = statSync("/proc/self/ns/pid", { bigint: true });
      return ino === initialPidNamespace ? undefined : { device: dev, inode: ino };
    });
  }

  kfuncAllowed(name: string, type: ProgType): FeatureAnswer {
    return this.once(`kfunc ${type} ${name}`, () => {
      const id = btfFunction(this, name);
      return id === undefined ? "no" : kfuncAllowed(this.sys, type, id);
    });
  }

  get syscalls(): SyscallTable {
    return this.once("syscalls", () => new SyscallTable(this.arch));
  }

  /** Process `pid` waits in front of its execve(2) to run the program at `path`. */
  expectProgram(pid: number, path: string): void {
    this.waiting = { pid, becomes: path };
  }

  userFiles(target: string, pid: number | undefined): readonly UserFile[] | Missing {
    return this.once(`files ${pid} ${target}`, () =>
      findUserFiles(target, pid === undefined ? undefined : this.waiting?.pid === pid ? this.waiting : { pid }),
    );
  }

  librariesOf(path: string): readonly UserFile[] {
    return this.once(`libraries ${path}`, () => (path.startsWith("/proc/") ? [] : filesOfProgram(path).slice(1)));
  }

  usdtProbes(path: string): readonly UsdtProbe[] | Missing {
    return this.once(`usdt ${path}`, () => readUsdtProbes(path, this.arch));
  }

  userFunctions(path: string): UserFunctions | Missing {
    return this.once(`file ${path}`, () => readUserFunctions(path, this.debugPlaces, this.arch));
  }

  userSymbol(path: string, name: string, probed: string): UserSymbol | Missing {
    return readUserSymbol(path, name, probed, searchPlaces());
  }

  debugInfo(path: string): Dwarf | Missing {
    return this.once(`debug ${path}`, () => {
      const file = findBinary(path, searchPlaces());
      if (file === undefined) return { missing: `there is no program or library '${path}'` };
      return readDebugInfo(file, this.debugPlaces);
    });
  }

  /** The path of a program or library that is given by name. */
  findBinary(name: string): string | undefined {
    return findBinary(name, searchPlaces());
  }

  /** /proc/kallsyms as it was when it was asked for first. */
  kallsyms(): Kallsyms | Missing {
    return this.once("kallsyms", () => {
      try {
        return Kallsyms.parse(readFileSync("/proc/kallsyms"));
      } catch (error) {
        return { missing: `/proc/kallsyms: ${(error as Error).message}` };
      }
    });
  }

  /** Where tracefs is; mounts it if need be. */
  tracefs(): string | Missing {
    return this.once("tracefs", () => ensureTracefs(this.sys));
  }

  /** Each tracepoint is a variable of the kernel; seen where CONFIG_KALLSYMS_ALL is set. */
  private tracepointSymbols(): readonly string[] {
    const symbols = this.kallsyms();
    if ("missing" in symbols) return [];
    const names = Array.from(symbols.entries(), (symbol) => symbol.name);
    return namesWithPrefix(names, "__tracepoint_");
  }

  private privileged(): boolean {
    return this.once("privileged", () => missingCapabilities(readFileSync("/proc/self/status", "latin1")).length === 0);
  }

  private once<T>(key: string, read: () => T): T {
    // The key names what `read` returns: it is used in one place each.
    if (this.cache.has(key)) return this.cache.get(key) as T;
    const value = read();
    this.cache.set(key, value);
    return value;
  }
}

/** What /sys/kernel/btf has of the kernel or of a module. */
function readBtf(module: string, base: Btf | undefined): Btf | Missing {
  const path = `/sys/kernel/btf/${module}`;
  try {
    return Btf.parse(readFileSync(path), base);
  } catch (error) {
    if (error instanceof FormatError) return { missing: error.message };
    const option = base === undefined ? "CONFIG_DEBUG_INFO_BTF" : "CONFIG_DEBUG_INFO_BTF_MODULES";
    return { missing: `${path} cannot be read (${option}): ${(error as Error).message}` };
  }
}

/** First words of the lines of /proc/modules, which is not there in a kernel without modules. */
function readModules(): readonly string[] {
  try {
    const text = readFileSync("/proc/modules", "latin1");
    return [...text.matchAll(/^\S+/gm)].map(([name]) => name).sort();
  } catch {
    return [];
  }
}

function namesWithPrefix(names: Iterable<string>, prefix: string): readonly string[] {
  const found: string[] = [];
  for (const name of names) if (name.startsWith(prefix)) found.push(name.slice(prefix.length));
  return found;
}
