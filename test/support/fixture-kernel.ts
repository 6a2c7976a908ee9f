import { readdirSync, readFileSync } from "node:fs";
import { SyscallTable } from "../../src/abi/syscalls.js";
import { btfId } from "../../src/base/branded.js";
import { BeetraceError } from "../../src/base/errors.js";
import { compileGlob, hasWildcard } from "../../src/base/glob.js";
import { Btf } from "../../src/formats/btf.js";
import { Dwarf } from "../../src/formats/dwarf.js";
import { Elf } from "../../src/formats/elf.js";
import { ElfFunctions } from "../../src/formats/elf-functions.js";
import { parseTracepointFormat, type TracepointFormat } from "../../src/formats/tracepoint-format.js";
import { usdtProbes } from "../../src/kernel/usdt-probes.js";
import { KernelFunctions } from "../../src/language/kernel-functions.js";
import type {
  BpfFunction,
  KernelView,
  Missing,
  UsdtProbe,
  UserFile,
  UserFunctions,
  UserSymbol,
} from "../../src/language/kernel-view.js";
import type { FeatureAnswer, FeatureName } from "../../src/language/needs.js";
import { fixture } from "../fixtures/path.js";
import { listedFunctions } from "./listed-functions.js";

export interface FixtureOptions {
  readonly arch?: KernelView["arch"];
  /** Answers other than yes. */
  readonly features?: Readonly<Partial<Record<FeatureName, FeatureAnswer>>>;
  /** Why there is no BTF. */
  readonly withoutBtf?: string;
  /** Why events cannot be listed; single ones cannot be read then either. */
  readonly withoutTracefs?: string;
  /** The process's own, if it is not in the initial one. */
  readonly pidNamespace?: { readonly device: bigint; readonly inode: bigint };
  /** Samples a second; 50,000. */
  readonly maxSampleRate?: number;
  /** Why functions cannot be listed. */
  readonly withoutFunctions?: string;
}

let parsedBtf: Btf | undefined;

/** The BTF of test/fixtures, parsed once a process: parsing does not change it. */
export const fixtureBtf = (): Btf => {
  parsedBtf ??= Btf.parse(readFileSync(fixture("vmlinux.btf")));
  return parsedBtf;
};

/** ELF files of test/fixtures/elf are at this path for scripts: `uprobe:/fixture/tiny:main`. */
const elfFolder = "/fixture/";

/**
 * A kernel made of test/fixtures: the trimmed BTF of Linux 6.18, some formats of tracefs, small ELF files. It has every
 * feature that `options` does not take away, and nothing of the machine that the tests run on is in it.
 */
export class FixtureKernel implements KernelView {
  readonly arch: KernelView["arch"];
  readonly release = "6.18.0-fixture";
  readonly possibleCpus = 4;
  readonly maxSampleRate: number;
  private readonly options: FixtureOptions;
  private readonly calls: SyscallTable;
  private readonly formats = new Map<string, TracepointFormat | undefined>();
  private events: readonly string[] | undefined;
  private functions: KernelFunctions | undefined;

  constructor(options: FixtureOptions = {}) {
    this.options = options;
    this.arch = options.arch ?? "x86_64";
    this.maxSampleRate = options.maxSampleRate ?? 50_000;
    this.calls = new SyscallTable(this.arch);
  }

  btf(): Btf | Missing {
    return this.options.withoutBtf === undefined ? fixtureBtf() : { missing: this.options.withoutBtf };
  }

  feature(name: FeatureName): FeatureAnswer {
    // Nothing sleeps in the simulation, where nobody would read the rings meanwhile.
    return this.options.features?.[name] ?? (name === "sleepableRuns" ? "no" : "yes");
  }

  tracepoint(category: string, event: string): TracepointFormat | undefined {
    const name = `${category}:${event}`;
    const known = this.tracepoints();
    if ("missing" in known || !known.includes(name)) return undefined;
    if (!this.formats.has(name)) {
      this.formats.set(
        name,
        parseTracepointFormat(readFileSync(fixture("tracefs", category, event, "format"), "utf8")),
      );
    }
    return this.formats.get(name);
  }

  tracepoints(): readonly string[] | Missing {
    if (this.options.withoutTracefs !== undefined) return { missing: this.options.withoutTracefs };
    this.events ??= readdirSync(fixture("tracefs"))
      .flatMap((category) => readdirSync(fixture("tracefs", category)).map((event) => `${category}:${event}`))
      .sort();
    return this.events;
  }

  /** Those of the BTF; one of a module that is otherwise empty, and two that must not be traced. */
  kernelFunctions(): KernelFunctions | Missing {
    if (this.options.withoutFunctions !== undefined) return { missing: this.options.withoutFunctions };
    const own = [...new Set(fixtureBtf().names("func")), "rcu_fixture"].map((name) => ({
      name,
      module: "vmlinux",
      address: undefined,
    }));
    const ofModule = { name: "fixture_open", module: "fixture", address: undefined };
    this.functions ??= new KernelFunctions(listedFunctions([...own, ofModule]), new Set(["fixture_forbidden"]));
    return this.functions;
  }

  modules(): readonly string[] {
    return ["fixture"];
  }

  moduleBtf(module: string): Btf | Missing {
    return module === "vmlinux" ? this.btf() : { missing: `${module} has no type information` };
  }

  /** A program and a function that it calls. */
  bpfFunctions(): readonly BpfFunction[] {
    return ["fixture_prog", "fixture_sub"].map((name, i) => ({ program: 42, name, typeId: btfId(3 + i) }));
  }

  rawTracepoints(module = "vmlinux"): readonly string[] {
    if (module !== "vmlinux") return module === "fixture" ? ["fixture_event"] : [];
    const prefix = "btf_trace_";
    return [...fixtureBtf().names("typedef")]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
      .sort();
  }

  /** Addresses are made up: the functions lie 4 KiB apart. */
  kernelSymbol(name: string): bigint | undefined {
    const functions = this.kernelFunctions();
    const index = "missing" in functions ? -1 : functions.names.indexOf(name);
    return index < 0 ? undefined : 0xffff_ffff_8100_0000n + 0x1000n * BigInt(index);
  }

  kernelSymbols(name: string): readonly bigint[] {
    const address = this.kernelSymbol(name);
    return address === undefined ? [] : [address];
  }

  syscallNumber(name: string): number | undefined {
    return this.calls.number(name);
  }

  syscallNames(): ReadonlyMap<number, string> {
    return this.calls.byNumber();
  }

  /** One cgroup, with the id 4711. */
  cgroupId(path: string): bigint | Missing {
    return path === "/sys/fs/cgroup/fixture" ? 4711n : { missing: `there is no cgroup at ${path}` };
  }

  pidNamespace(): { readonly device: bigint; readonly inode: bigint } | undefined {
    return this.options.pidNamespace;
  }

  kfuncAllowed(name: string): FeatureAnswer {
    return name === "bpf_task_from_pid" ? "yes" : "no";
  }

  /** Files are there, or not, when they are read. A process has `tiny` mapped, and runs it. */
  userFiles(target: string, pid: number | undefined): readonly UserFile[] | Missing {
    const known = readdirSync(fixture("elf")).map((name) => elfFolder + name);
    if (pid === undefined && target === "") return { missing: "no file is named" };
    const files =
      target === "" ? [`${elfFolder}tiny`] : hasWildcard(target) ? known.filter(compileGlob(target)) : [target];
    return files.map((path) => ({ path, shown: path }));
  }

  /** As if `tiny` were linked with `framed`. */
  librariesOf(path: string): readonly UserFile[] {
    const library = `${elfFolder}framed`;
    return path === `${elfFolder}tiny` ? [{ path: library, shown: library }] : [];
  }

  usdtProbes(path: string): readonly UsdtProbe[] | Missing {
    const elf = this.elf(path);
    return "missing" in elf ? elf : usdtProbes(elf, this.arch);
  }

  userFunctions(path: string): UserFunctions | Missing {
    const elf = this.elf(path);
    return "missing" in elf ? elf : new ElfFunctions(elf, (offset, most) => elf.bytesUpTo(offset, most));
  }

  userSymbol(path: string, name: string, probed: string): UserSymbol | Missing {
    const elf = this.elf(path);
    if ("missing" in elf) return elf;
    const [symbol, probe] = [elf.function(name), elf.function(probed)];
    if (symbol === undefined) return { missing: `${path} has no symbol '${name}'` };
    if (probe === undefined) return { missing: `${path} has no function '${probed}'` };
    // ET_DYN
    return { address: symbol.address, size: 8, relocated: elf.type === 3, probeAddress: probe.address };
  }

  debugInfo(path: string): Dwarf | Missing {
    const elf = this.elf(path);
    if ("missing" in elf) return elf;
    if (elf.section(".debug_info") === undefined) return { missing: `${path} has no debugging information` };
    return new Dwarf({
      what: path,
      section: (name) => {
        const section = elf.section(`.debug_${name}`);
        return section === undefined ? undefined : elf.data(section);
      },
    });
  }

  private elf(path: string): Elf | Missing {
    const name = path.startsWith(elfFolder) ? path.slice(elfFolder.length) : "";
    if (!/^[a-z0-9.]+$/.test(name)) return { missing: `there is no program or library '${path}'` };
    try {
      return Elf.parse(readFileSync(fixture("elf", name)), path);
    } catch (error) {
      if (error instanceof BeetraceError) return { missing: error.message };
      return { missing: `there is no program or library '${path}'` };
    }
  }
}
