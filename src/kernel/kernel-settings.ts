// How the kernel was built and is set, as far as tracing depends on it.

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { parseKernelConfig } from "../formats/kernel-config.js";
import type { Missing } from "../language/kernel-view.js";

/** Options of the kernel's build, with what they are for. */
export const buildOptions: readonly (readonly [name: string, use: string])[] = [
  ["CONFIG_BPF_SYSCALL", "everything"],
  ["CONFIG_BPF_JIT", "programs at full speed"],
  ["CONFIG_BPF_EVENTS", "programs on events at all"],
  ["CONFIG_DEBUG_INFO_BTF", "types of the kernel"],
  ["CONFIG_DEBUG_INFO_BTF_MODULES", "types of modules"],
  ["CONFIG_FTRACE_SYSCALLS", "tracepoint:syscalls:*"],
  ["CONFIG_KPROBE_EVENTS", "kprobe, kretprobe"],
  ["CONFIG_FPROBE", "many kprobes at once"],
  ["CONFIG_UPROBE_EVENTS", "uprobe, uretprobe, usdt"],
  ["CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS", "fentry, fexit"],
  ["CONFIG_BPF_KPROBE_OVERRIDE", "override()"],
  ["CONFIG_PERF_EVENTS", "interval, profile, software, hardware"],
  ["CONFIG_HAVE_HW_BREAKPOINT", "watchpoint"],
  ["CONFIG_CGROUPS", "cgroup, --cgroup, --container"],
  ["CONFIG_IKHEADERS", "macros of kernel headers without a package"],
];

/** The options that are set, or why nobody knows. */
export function readBuildOptions(release: string): ReadonlyMap<string, string> | Missing {
  const places = [`/boot/config-${release}`, `/lib/modules/${release}/config`, `/lib/modules/${release}/build/.config`];
  try {
    return parseKernelConfig(gunzipSync(readFileSync("/proc/config.gz")).toString("latin1"));
  } catch {
    // CONFIG_IKCONFIG_PROC is not set.
  }
  for (const place of places) {
    try {
      return parseKernelConfig(readFileSync(place, "latin1"));
    } catch {
      // Perhaps in the next one.
    }
  }
  return { missing: `neither /proc/config.gz nor ${places[0]} is there` };
}

/** A setting of the running kernel: what it is, and what that costs, if it does. */
export interface Setting {
  readonly name: string;
  /** Undefined if the kernel has none of that name. */
  readonly value: string | undefined;
  readonly costs: string | undefined;
}

const sysctls: readonly (readonly [path: string, costs: (value: string) => string | undefined])[] = [
  [
    "kernel/kptr_restrict",
    (value) => (value === "2" ? "kernel addresses are hidden: kstack and ksym show numbers" : undefined),
  ],
  [
    "kernel/perf_event_max_sample_rate",
    // What it is at first: kernel/events/core.c, DEFAULT_MAX_SAMPLE_RATE.
    (value) => (Number(value) < 100_000 ? `profile and interval fire no more than ${value} times a second` : undefined),
  ],
  ["kernel/perf_event_paranoid", () => undefined],
  ["kernel/unprivileged_bpf_disabled", () => undefined],
  [
    "net/core/bpf_jit_enable",
    (value) => (value === "0" ? "programs are interpreted, some ten times slower" : undefined),
  ],
  [
    "net/core/bpf_jit_harden",
    (value) => (value === "2" ? "constants are blinded, which makes programs slower" : undefined),
  ],
];

const lockdownCosts: Readonly<Record<string, string>> = {
  integrity: "kprobes on some functions and write_user() are refused",
  confidentiality: "programs cannot read the kernel's memory",
};

/** Samples of one event a second: kernel.perf_event_max_sample_rate, which the kernel itself lowers where they take long. */
export function readMaxSampleRate(): number | undefined {
  const value = Number(read("/proc/sys/kernel/perf_event_max_sample_rate") ?? "");
  return value > 0 ? value : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return undefined;
  }
}

/** Settings that matter to tracing. */
export function readSettings(): readonly Setting[] {
  // Of `none [integrity] confidentiality` the one in brackets is in force (security/lockdown/lockdown.c).
  const lockdown = /\[(\w+)\]/.exec(read("/sys/kernel/security/lockdown") ?? "")?.[1];
  return [
    ...sysctls.map(([path, costs]): Setting => {
      const value = read(`/proc/sys/${path}`);
      return { name: path.replaceAll("/", "."), value, costs: value === undefined ? undefined : costs(value) };
    }),
    { name: "lockdown", value: lockdown, costs: lockdown === undefined ? undefined : lockdownCosts[lockdown] },
  ];
}
