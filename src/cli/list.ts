import { existsSync } from "node:fs";
import { pathOf } from "../base/byte-text.js";
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
      // Moments of the trace itself are nothing to look for.
      if (findProbe(provider)?.moment !== undefined) continue;
      // Moments of the trace itself are nothing to look for.
      if (findProbe(provider)?.moment !== undefined) continue;
      for (const line of listProbes([provider, ...parts].join(":"), kernel, options)) {
        if (!seen.has(line)) yield line;
        seen.add(line);
      }
    }
  }
}

/** Whether what should be listed is a script's file: a name that no probe has. */
export const isFile = (pattern: string): boolean => existsSync(pathOf(pattern));

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

/** Why a pattern that names a probe type has no match, where there is more to say than that. */
export function whyNothing(pattern: string, kernel: KernelView, pid: number | undefined): string | undefined {
  const [type = "", ...parts] = unquoted(pattern).split(":");
  return findProbe(type)?.whyNothing?.(kernel, parts, pid);
}

/** Quotes are what a script would need. */
const unquoted = (pattern: string): string => pattern.replaceAll('"', "");

interface Found {
  readonly name: string;
  readonly probe: Probe;
}

/** All attach points that a pattern matches, sorted by type and name. */
function* matching(written: string, kernel: KernelView, pid: number | undefined): Generator<Found> {
  let found = false;
  for (const each of search(written.includes(":") ? written : `*:${written}`, kernel, pid)) {
    found = true;
    yield each;
  }
  if (found) return;
  // bpftrace finds nothing there; what is not complete may still mean something.
  const typed = findProbe(written);
  if (typed !== undefined) yield* search(`${written}:*`, kernel, pid);
  else if (!hasWildcard(written)) yield* search(written.includes(":") ? `${written}:*` : `*:*${written}*`, kernel, pid);
}

function* search(pattern: string, kernel: KernelView, pid: number | undefined): Generator<Found> {
  const [type = "", ...parts] = unquoted(pattern).split(":");
  const exact = findProbe(type);
  const matchesType = compileGlob(type);
  const selected = exact === undefined ? probes.filter((probe) => matchesType(probe.name)) : [exact];
  for (const probe of selected.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (exact === undefined && !isListed(probe, parts, pid)) continue;
    const matches = matcher(probe, parts);
    const all = probe.list?.(kernel, parts, pid) ?? [];
    // Names in files are many, and come sorted.
    for (const name of probe.listsFile === true ? all : [...new Set(all)].sort())
      if (matches(name)) yield { name, probe };
  }
}

/** Whether those who do not name the type want it, too. Files of all processes take long. */
function isListed(probe: Probe, parts: readonly string[], pid: number | undefined): boolean {
  const [file = "*"] = parts;
  return probe.listedByType !== true && (probe.listsFile !== true || pid !== undefined || !["", "*"].includes(file));
}

/** Parts that a name has in front of those that are written match all: the category of a tracepoint, a module. */
function matcher(probe: Probe, parts: readonly string[]): (name: string) => boolean {
  if (probe.listsFile === true || parts.every((part) => part === "" || part === "*")) return () => true;
  const written = parts.join(":");
  const whole = compileGlob(`${probe.name}:${written}`);
  const last = compileGlob(`${probe.name}:*:${written}`);
  const length = 1 + parts.length;
  // An event with a count or a period, as in a script, is listed as `software:page-faults:`.
  const counted = `${probe.name}:${written}`;
  return (name) => {
    if (name.endsWith(":")) return whole(name) || counted.startsWith(name);
    return (name.split(":").length > length ? last : whole)(name);
  };
}
