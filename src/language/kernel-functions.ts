/** The kernel itself, as scripts name it where they could name a module: `kprobe:vmlinux:vfs_read`. */
export const kernelModule = "vmlinux";

export interface KernelFunction {
  readonly name: string;
  /** `vmlinux` or the module that it is in. */
  readonly module: string;
  /** Where ftrace knows it, if the kernel says so (since 6.5, where addresses are not hidden). */
  readonly address: bigint | undefined;
}

/** Functions of the kernel and its modules that probes can be set on. */
export class KernelFunctions {
  /** Sorted, each name once. */
  readonly names: readonly string[];
  private readonly byName: ReadonlyMap<string, readonly KernelFunction[] | KernelFunction>;
  /** What the kernel would trace, but must not be: why, by name. */
  private readonly refused: ReadonlyMap<string, string>;

  /** Nothing else is to be tried: the user has listed them. */
  readonly exclusive: boolean;

  constructor(functions: Iterable<KernelFunction>, forbidden: ReadonlySet<string> = new Set(), exclusive = false) {
    this.exclusive = exclusive;
    const byName = new Map<string, KernelFunction[] | KernelFunction>();
    const refused = new Map<string, string>();
    for (const fn of functions) {
      const reason = dangerOf(fn.name, forbidden);
      if (reason !== undefined) refused.set(fn.name, reason);
      else {
        const known = byName.get(fn.name);
        if (known === undefined) byName.set(fn.name, fn);
        else if (Array.isArray(known)) known.push(fn);
        else byName.set(fn.name, [known, fn]);
      }
    }
    for (const name of forbidden) refused.set(name, forbiddenReason);
    this.byName = byName;
    this.refused = refused;
    this.names = [...byName.keys()].sort();
  }

  /** All functions of that name: static ones of several files or modules may share one. */
  find(name: string): readonly KernelFunction[] {
    const found = this.byName.get(name);
    return found === undefined ? [] : isList(found) ? found : [found];
  }

  /** Why no probe may be set on a function, or undefined. */
  refusal(name: string): string | undefined {
    return this.refused.get(name);
  }

  /** How many functions a wildcard would have met that must not be traced. */
  countRefused(matches: (name: string) => boolean): number {
    let count = 0;
    for (const name of this.refused.keys()) if (matches(name)) count++;
    return count;
  }
}

const isList = (found: readonly KernelFunction[] | KernelFunction): found is readonly KernelFunction[] =>
  Array.isArray(found);

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
