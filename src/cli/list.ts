import { existsSync } from "node:fs";
import type { Diagnostics } from "../base/diagnostics.js";
import { compileGlob, hasWildcard } from "../base/glob.js";
import { definitionText } from "../formats/btf-c.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Probe } from "../language/probe.js";
import { findProbe, probes } from "../language/probes/index.js";
import { parse } from "../syntax/parser.js";

export interface ListOptions {
  /** What each probe or type looks like, too. */
  readonly verbose: boolean;
  /** -p: probes in files are those of this process. */
  readonly pid: number | undefined;
}

/** The lines of `-l PATTERN,...`; without a pattern all probes of the machine. */
export function* listPatterns(pattern: string, kernel: KernelView, options: ListOptions): Generator<string> {
  for (const one of pattern.split(",")) {
    const written = one.trim().replaceAll(/\s+/g, " ");
    const type = /^(struct|union|enum) (\S+)$/.exec(written);
    if (type === null) yield* listProbes(written, kernel, options);
    else yield* listTypes(type[1] as "struct" | "union" | "enum", type[2] ?? "", kernel, options);
  }
}

/** The lines of `-l` with a script: what its attach points mean here. */
export function* listScript(
  source: { readonly name: string; readonly text: string },
  kernel: KernelView,
  options: ListOptions,
  diags: Diagnostics,
): Generator<string> {
  const seen = new Set<string>();
  for (const probe of parse(source, diags).probes) {
    for (const { provider, parts } of probe.attachPoints) {
      for (const line of listProbes([provider, ...parts].join(":"), kernel, options)) {
        if (!seen.has(line)) yield line;
        seen.add(line);
      }
    }
  }
}

/** Whether what should be listed is a script's file: a name that no probe has. */
export const isFile = (pattern: string): boolean => existsSync(pattern);

/** A name with a dot and no colon or star is no probe's: somebody means a file that is not there. */
export const looksLikeFile = (pattern: string): boolean => pattern.includes(".") && !/[:*]/.test(pattern);

function* listTypes(
  kind: "struct" | "union" | "enum",
  pattern: string,
  kernel: KernelView,
  { verbose }: ListOptions,
): Generator<string> {
  const btf = kernel.btf();
  if ("missing" in btf) return;
  const matches = compileGlob(pattern);
  const names = hasWildcard(pattern) ? [...new Set(btf.names(kind))].filter(matches).sort() : [pattern];
  for (const name of names) {
    const id = btf.find(name, kind);
    if (id === undefined) continue;
    if (!verbose) yield `${kind} ${name}`;
    else yield `vmlinux: ${definitionText(btf, id)}\n`;
  }
}

function* listProbes(written: string, kernel: KernelView, options: ListOptions): Generator<string> {
  for (const { name, probe } of matching(written === "" ? "*" : written, kernel, options.pid)) {
    yield name;
    if (options.verbose) for (const line of probe.describe?.(name, kernel) ?? []) yield `    ${line}`;
  }
}

/** Full names of all attach points that a pattern matches, sorted. */
function* matching(
  written: string,
  kernel: KernelView,
  pid: number | undefined,
): Generator<{ readonly name: string; readonly probe: Probe }> {
  const [provider = "*", ...parts] = written.split(":");
  const whole = parts.length === 0;
  const exact = findProbe(provider);
  const matchesProvider = compileGlob(provider);
  const selected =
    exact !== undefined ? [exact] : whole ? probes : probes.filter((probe) => matchesProvider(probe.name));
  for (const probe of selected) {
    if (probe.list === undefined) continue;
    // Files of all processes are listed for those only who name the probe type.
    if (probe.listsFile === true && exact === undefined && pid === undefined && isAny(parts[0])) continue;
    const matches = matcher(probe, whole && exact === undefined ? written : undefined, parts);
    const all = probe.list(kernel, parts, pid);
    // Names in files are many, and come sorted.
    for (const name of probe.listsFile === true ? all : [...all].sort()) if (matches(name)) yield { name, probe };
  }
}

const isAny = (part: string | undefined): boolean => part === undefined || part === "" || part === "*";

/** Without a colon the pattern is one for whole names; otherwise its parts are, and missing ones match all. */
function matcher(probe: Probe, whole: string | undefined, parts: readonly string[]): (name: string) => boolean {
  if (whole !== undefined) return compileGlob(hasWildcard(whole) ? whole : `*${whole}*`);
  if (probe.listsFile === true || parts.length === 0 || parts.every((part) => part === "" || part === "*"))
    return () => true;
  const written = [probe.name, ...parts].join(":");
  const full = compileGlob(written);
  const prefix = compileGlob([probe.name, ...parts, "*"].join(":").replace(/:+\*$/, ":*"));
  const last = compileGlob(parts.at(-1) ?? "*");
  // rawtracepoint:EVENT leaves the module out.
  if (probe.name === "rawtracepoint" && parts.length === 1)
    return (name) => last(name.slice(name.lastIndexOf(":") + 1));
  // An event with a count or a period, as in a script, is listed as `software:page-faults:`.
  return (name) => full(name) || prefix(name) || (name.endsWith(":") && written.startsWith(name));
}
