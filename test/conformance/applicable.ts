// Which cases apply to a kernel and a program.
import { type Case, fullName } from "./case.js";
import { needsOfCases, notApplicable } from "./not-applicable.js";

/** What `--info` says: yes or no for each name. */
export type Facts = ReadonlyMap<string, boolean>;

/** Reads the lines `name: yes` of what bpftrace or beetrace prints for --info; the former has two in a line. */
export function parseInfo(text: string): Map<string, boolean> {
  const facts = new Map<string, boolean>();
  for (const [, name = "", answer] of text.matchAll(/(?:^|\s{2,})([\w-]+(?: [\w-]+)*(?: \([^)]*\))?): (yes|no)\b/gm))
    facts.set(name.trim(), answer === "yes");
  return facts;
}

/** The names of REQUIRES_FEATURE, with those that --info has for them. What no --info tells is tried by running the case. */
const features: Readonly<Record<string, readonly string[]>> = {
  btf: ["btf"],
  kprobe_multi: ["kprobe_multi"],
  kprobe_session: ["kprobe_session"],
  uprobe_multi: ["uprobe_multi"],
  iter: ["iter"],
  loop: ["loop", "bpf_loop"],
  dpath: ["dpath"],
  fentry: ["fentry"],
  signal: ["send_signal"],
  skboutput: ["skboutput"],
  get_tai_ns: ["get_tai_ns"],
  get_func_ip: ["get_func_ip"],
  jiffies64: ["jiffies64"],
  lookup_percpu_elem: ["lookup_percpu_elem"],
  dwarf: ["libdw (DWARF support)"],
  dwunwind: ["dwunwind (DWARF stack unwinding)"],
  blazesym: ["blazesym (advanced symbolization)"],
  aot: [],
  libpath_resolv: [],
  probe_read_kernel: [],
};

/** Not of --info: whether /proc/kallsyms has variables. */
export const variablesFact = "kernel variables";

/** Not of --info: whether the kernel can load modules. */
export const modulesFact = "modules";

/** What a script needs of the kernel, by its text, where REQUIRES_FEATURE does not say so. */
const kernelNeeds: readonly { readonly text: RegExp; readonly fact: string; readonly reason: string }[] = [
  { text: probeTypes("kprobe|kretprobe|k|kr"), fact: "kprobe", reason: "the kernel has no kprobes" },
  {
    text: probeTypes("fentry|fexit|kfunc|kretfunc|f|fr"),
    fact: "fentry",
    reason: "the kernel refuses fentry and fexit programs",
  },
  { text: probeTypes("hardware|h"), fact: "hardware_events", reason: "the machine has no hardware counters" },
  {
    text: /(?:^|[\s,;}'"])(?:watchpoint|asyncwatchpoint|w|aw):(?:\d|'?\$)/m,
    fact: "breakpoint",
    reason: "the machine does not tell of hardware breakpoints",
  },
  { text: /\b__module_get\b/, fact: modulesFact, reason: "the kernel has no modules" },
  {
    text: /\bpercpu_kaddr\(|awk .*jiffies.*\/proc\/kallsyms/,
    fact: variablesFact,
    reason: "the kernel's list of symbols has no variables (CONFIG_KALLSYMS_ALL)",
  },
];

/** At the beginning of an attach point. */
function probeTypes(names: string): RegExp {
  return new RegExp(`(?:^|[\\s,;}'"])(?:${names}):[A-Za-z_*]`, "m");
}

export interface Machine {
  /** As uname -r tells it. */
  readonly release: string;
  /** As uname -m tells it. */
  readonly machine: string;
  readonly endianness: "LE" | "BE";
  readonly env: NodeJS.ProcessEnv;
  readonly facts: Facts;
}

/** Why the case does not apply, known before it runs; commands of REQUIRES are another matter. */
export function reasonNotToRun(test: Case, machine: Machine): string | undefined {
  const listed = notApplicable[fullName(test)];
  if (listed !== undefined) return listed;
  const { minKernel, maxKernel, skipIfEnv } = test;
  if (minKernel !== undefined && compareVersions(minKernel, machine.release) > 0) return `needs Linux ${minKernel}`;
  if (maxKernel !== undefined && compareVersions(maxKernel, machine.release) < 0)
    return `is for Linux ${maxKernel} and older`;
  if (skipIfEnv !== undefined && machine.env[skipIfEnv.name] === skipIfEnv.value)
    return `${skipIfEnv.name} is ${skipIfEnv.value}`;
  const own = new Set([machine.machine.toLowerCase(), machine.endianness.toLowerCase()]);
  const wanted = test.arch.filter((name) => !name.startsWith("!"));
  const unwanted = test.arch.filter((name) => name.startsWith("!")).map((name) => name.slice(1));
  if ((wanted.length > 0 && !wanted.some((name) => own.has(name))) || unwanted.some((name) => own.has(name)))
    return `is for ${test.arch.join(" or ")}`;
  for (const feature of test.features) {
    const negative = feature.startsWith("!");
    const name = negative ? feature.slice(1) : feature;
    const names = features[name];
    if (names === undefined) return `asks for a feature that nobody knows: ${name}`;
    const answer = names.map((fact) => machine.facts.get(fact)).find((fact) => fact !== undefined);
    if (answer !== undefined && answer === negative) return `needs ${negative ? "no " : ""}${name}`;
  }
  return undefined;
}

/** Why a case that has failed could not pass on this kernel. `readFile` reads a script that its command names. */
export function missingInKernel(
  test: Pick<Case, "suite" | "name" | "run">,
  facts: Facts,
  readFile: (name: string) => string,
): string | undefined {
  const written = "program" in test.run ? test.run.program : test.run.command;
  const files = "program" in test.run ? [] : (written.match(/\S+\.bt\b/g) ?? []);
  const script = [written, ...files.map(readFile)].join("\n");
  const wanted = needsOfCases[fullName(test)];
  return kernelNeeds.find(({ text, fact }) => facts.get(fact) === false && (wanted === fact || text.test(script)))
    ?.reason;
}

/** Number by number, word by word; what is longer is greater. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string): string[] => text.match(/\d+|[a-z]+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [x, y] = [left[i], right[i]];
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    const difference = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : x < y ? -1 : x > y ? 1 : 0;
    if (difference !== 0) return difference;
  }
  return 0;
}
