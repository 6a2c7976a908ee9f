/** The kernel itself, as scripts name it where they could name a module: `kprobe:vmlinux:vfs_read`. */
export const kernelModule = "vmlinux";

export interface KernelFunction {
  readonly name: string;
  /** `vmlinux` or the module that it is in. */
  readonly module: string;
  /** Where ftrace knows it, if the kernel says so (since 6.5, where addresses are not hidden). */
  readonly address: bigint | undefined;
}

/** Where they come from: lists are long, and most scripts ask for one name. */
export interface FunctionList {
  /** All of that name, in the order of the list: static ones of several files or modules may share one. */
  find(name: string): readonly KernelFunction[];
  /** Sorted, each once. */
  names(): readonly string[];
  /** All with such names, in that order. */
  matching(matches: (name: string) => boolean): readonly KernelFunction[];
}

/** A list of what can be looked up by name; `names` come in any order, and as often as there are functions of that name. */
export function functionList(
  names: () => Iterable<string>,
  find: (name: string) => readonly KernelFunction[],
): FunctionList {
  const sorted = (): readonly string[] => [...new Set(names())].sort();
  return { find, names: sorted, matching: (matches) => sorted().filter(matches).flatMap(find) };
}

/** Functions of the kernel and its modules that probes can be set on. */
export class KernelFunctions {
  private readonly list: FunctionList;
  /** What the kernel would trace, but must not be. */
  private readonly forbidden: ReadonlySet<string>;
  private sorted: readonly string[] | undefined;

  /** Nothing else is to be tried: the user has listed them. */
  readonly exclusive: boolean;

  constructor(list: FunctionList, forbidden: ReadonlySet<string> = new Set(), exclusive = false) {
    this.list = list;
    this.forbidden = forbidden;
    this.exclusive = exclusive;
  }

  /** Sorted, each name once. */
  get names(): readonly string[] {
    this.sorted ??= this.list.names().filter((name) => dangerOf(name, this.forbidden) === undefined);
    return this.sorted;
  }

  /** All functions of that name. */
  find(name: string): readonly KernelFunction[] {
    return dangerOf(name, this.forbidden) === undefined ? this.list.find(name) : [];
  }

  /** All functions with such names, sorted by name. */
  matching(matches: (name: string) => boolean): readonly KernelFunction[] {
    return this.list.matching((name) => dangerOf(name, this.forbidden) === undefined && matches(name));
  }

  /** Why no probe may be set on a function, or undefined. */
  refusal(name: string): string | undefined {
    const reason = dangerOf(name, this.forbidden);
    return this.forbidden.has(name) || (reason !== undefined && this.list.find(name).length > 0) ? reason : undefined;
  }

  /** How many functions a wildcard would have met that must not be traced. */
  countRefused(matches: (name: string) => boolean): number {
    const listed = this.list.names().filter((name) => dangerOf(name, this.forbidden) !== undefined);
    return [...new Set([...listed, ...this.forbidden])].filter(matches).length;
  }
}

const forbiddenReason = "the kernel forbids probes in it (/sys/kernel/debug/kprobes/blacklist)";

/**
 * Functions that the kernel lets be traced, and that take it down or hang it: what probes themselves need to work. The
 * kernel's own tests leave them out, too (tools/testing/selftests/bpf/prog_tests/kprobe_multi_test.c, v6.18).
 */
const dangerous: ReadonlySet<string> = new Set(["arch_cpu_idle", "default_idle", "bpf_dispatcher_xdp_func"]);

function dangerOf(name: string, forbidden: ReadonlySet<string>): string | undefined {
  if (forbidden.has(name)) return forbiddenReason;
  if (dangerous.has(name)) return "a probe there can hang the machine";
  if (name.startsWith("rcu_")) return "a probe in RCU, which probes are made with, can hang the machine";
  return undefined;
}
