import type { ProgType } from "../abi/program-type.js";
import type { BtfId } from "../base/branded.js";
import type { Btf } from "../formats/btf.js";
import type { Dwarf } from "../formats/dwarf.js";
import type { TracepointFormat } from "../formats/tracepoint-format.js";
import type { UsdtArgument } from "../formats/usdt-arguments.js";
import type { KernelFunctions } from "./kernel-functions.js";
import type { FeatureAnswer, FeatureName } from "./needs.js";

/** A function of a program or library that a uprobe can be set on. */
export interface UserFunction {
  readonly name: string;
  /** Bytes; 0 if the file does not say. */
  readonly size: number;
  /** In the file, as uprobes want it. */
  readonly fileOffset: number;
  /** Virtual address in the file. */
  readonly address: bigint;
  /** Programs do not call it: it chooses the one that they call, when they are linked (STT_GNU_IFUNC). */
  readonly indirect?: boolean;
}

/** The functions of a program or library. */
export interface UserFunctions {
  /** Sorted, each once. */
  names(): readonly string[];
  /** In the order of their names. */
  matching(matches: (name: string) => boolean): readonly UserFunction[];
  find(name: string): UserFunction | undefined;
  /** The one that has code at a virtual address. */
  at(address: bigint): UserFunction | undefined;
  /** Whether an instruction begins `offset` bytes into a function, or why that is not known. */
  instructionAt(fn: UserFunction, offset: number): "begins" | "inside" | "unknown";
  /** Where in the file a virtual address is; undefined if nowhere. */
  fileOffset(address: bigint): number | undefined;
}

/** A program or library that an attach point names. */
export interface UserFile {
  /** What it is opened by. */
  readonly path: string;
  /** What it is called in names of probes. */
  readonly shown: string;
}

/** A statically defined probe of a program or library (USDT). */
export interface UsdtProbe {
  readonly provider: string;
  readonly name: string;
  /** Wherever it was compiled to; at least one. */
  readonly locations: readonly UsdtLocation[];
}

export interface UsdtLocation {
  /** In the file, as uprobes want it. */
  readonly offset: number;
  /** Offset in the file of the counter of tracers, if there is one. */
  readonly refCounter: number | undefined;
  /** Their operands have no symbols any more. */
  readonly arguments: readonly UsdtArgument[];
}

/** A variable or function of a file, as uaddr() wants it. */
export interface UserSymbol {
  /** Virtual address in the file. */
  readonly address: bigint;
  /** Bytes; 0 if the file does not say. */
  readonly size: number;
  /** The file can be loaded anywhere (PIE, shared library). */
  readonly relocated: boolean;
  /** Virtual address of the probed function in the file. */
  readonly probeAddress: bigint;
}

/** A function of a loaded BPF program, the program itself or one that it calls. */
export interface BpfFunction {
  /** The kernel's number of the program. */
  readonly program: number;
  readonly name: string;
  /** In the program's own BTF. */
  readonly typeId: BtfId;
}

export type Missing = { readonly missing: string };

/** Id of a function in the BTF of vmlinux; undefined if it has none of that name, or there is no BTF. */
export function btfFunction(kernel: Pick<KernelView, "btf">, name: string): BtfId | undefined {
  const btf = kernel.btf();
  return "missing" in btf ? undefined : btf.find(name, "func");
}

/** All that the compiler asks of the kernel it compiles for; a fixture stands behind it in tests. */
export interface KernelView {
  readonly arch: "x86_64" | "arm64";
  /** Kernel release, e.g. 6.18.44, for messages. */
  readonly release: string;
  /** Type information of vmlinux, read at first use; or why there is none. */
  btf(): Btf | Missing;
  feature(name: FeatureName): FeatureAnswer;
  /** Number of possible CPUs (maps hold a value for each). */
  readonly possibleCpus: number;
  /** Samples of one event that the kernel takes a second at most (kernel.perf_event_max_sample_rate); undefined if unknown. */
  readonly maxSampleRate: number | undefined;
  /** Of one event of tracefs; undefined if there is none of that name. */
  tracepoint(category: string, event: string): TracepointFormat | undefined;
  /** Every event as `category:event`, sorted; or why they cannot be listed. */
  tracepoints(): readonly string[] | Missing;
  /** Functions that can be traced; or why they cannot be listed. */
  kernelFunctions(): KernelFunctions | Missing;
  /** Names of the modules that are loaded, sorted, without the kernel itself. */
  modules(): readonly string[];
  /** Type information of a module, whose ids go on where the kernel's end; of `vmlinux` the kernel's. */
  moduleBtf(module: string): Btf | Missing;
  /** Functions of BPF programs with type information, which other programs can attach to. */
  bpfFunctions(): readonly BpfFunction[];
  /** Names of raw tracepoints, sorted: the kernel's, or those of a module, which only type information tells. */
  rawTracepoints(module?: string): readonly string[];
  /** Address of a kernel symbol; undefined if unknown or hidden. */
  kernelSymbol(name: string): bigint | undefined;
  /** The same of all symbols of that name: static ones of several files may share one. */
  kernelSymbols(name: string): readonly bigint[];
  /** Number of the system call, e.g. `openat` -> 257; undefined if this architecture has none of that name. */
  syscallNumber(name: string): number | undefined;
  /** A symbol of an ELF file, beside the function `probed` of the same file. */
  userSymbol(path: string, name: string, probed: string): UserSymbol | Missing;
  /** Names of the machine's system calls by their numbers. */
  syscallNames(): ReadonlyMap<number, string>;
  /** Id of the cgroup (version 2) at this path. */
  cgroupId(path: string): bigint | Missing;
  /** Device and inode of the process's own pid namespace; undefined in the initial one. */
  pidNamespace(): { readonly device: bigint; readonly inode: bigint } | undefined;
  /** Whether programs of that type may call a function of the kernel. */
  kfuncAllowed(name: string, type: ProgType): FeatureAnswer;
  /**
   * Programs and libraries that a target of an attach point means: a path, a name that is searched in PATH and the folders
   * of libraries, or a pattern. `*` is all that the process has mapped, or all processes; an empty one is the program of
   * the process. With `pid` names are those of its file system, if that is not ours.
   */
  userFiles(target: string, pid: number | undefined): readonly UserFile[] | Missing;
  /** The libraries that a program or library asks the dynamic linker for, and theirs; none of a file of another root. */
  librariesOf(path: string): readonly UserFile[];
  /** The statically defined probes of an ELF file by its path, sorted; none if it has none. */
  usdtProbes(path: string): readonly UsdtProbe[] | Missing;
  /** Functions of an ELF file by its path. */
  userFunctions(path: string): UserFunctions | Missing;
  /** Debugging information of an ELF file, read at first use; or why there is none. */
  debugInfo(path: string): Dwarf | Missing;
}
