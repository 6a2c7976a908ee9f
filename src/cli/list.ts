import { compileGlob, hasWildcard } from "../base/glob.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Probe } from "../language/probe.js";
import { findProbe, probes } from "../language/probes/index.js";

/** Full names of all attach points that a pattern matches, sorted; `undefined` means all of the machine's. */
export function* listProbes(
  pattern: string | undefined,
  kernel: KernelView,
): Generator<{ readonly name: string; readonly probe: Probe }> {
  const written = pattern === undefined || pattern === "" ? "*" : pattern;
  const [provider = "*", ...parts] = written.split(":");
  const whole = parts.length === 0;
  const exact = findProbe(provider);
  const matchesProvider = compileGlob(provider);
  const selected =
    exact !== undefined ? [exact] : whole ? probes : probes.filter((probe) => matchesProvider(probe.name));
  for (const probe of selected) {
    if (probe.list === undefined) continue;
    const matches = matcher(probe, whole && exact === undefined ? written : undefined, parts);
    for (const name of [...probe.list(kernel, parts)].sort()) if (matches(name)) yield { name, probe };
  }
}

/** Without a colon the pattern is one for whole names; otherwise its parts are, and missing ones match all. */
function matcher(probe: Probe, whole: string | undefined, parts: readonly string[]): (name: string) => boolean {
  if (whole !== undefined) return compileGlob(hasWildcard(whole) ? whole : `*${whole}*`);
  if (parts.length === 0 || parts.every((part) => part === "" || part === "*")) return () => true;
  const full = compileGlob([probe.name, ...parts].join(":"));
  const prefix = compileGlob([probe.name, ...parts, "*"].join(":").replace(/:+\*$/, ":*"));
  const path = parts[0]?.includes("/") === false && (probe.name === "uprobe" || probe.name === "uretprobe");
  // A library may be given by its name alone; the list has its path.
  if (path) {
    const tail = compileGlob(parts.slice(1).join(":") || "*");
    return (name) => tail(name.slice(name.lastIndexOf(":") + 1));
  }
  const last = compileGlob(parts.at(-1) ?? "*");
  // rawtracepoint:EVENT leaves the module out.
  if (probe.name === "rawtracepoint" && parts.length === 1)
    return (name) => last(name.slice(name.lastIndexOf(":") + 1));
  return (name) => full(name) || prefix(name);
}
