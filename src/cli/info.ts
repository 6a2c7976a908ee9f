import { type Feature, features } from "../kernel/features.js";
import type { KernelView } from "../language/kernel-view.js";
import { type FeatureAnswer, featureNames } from "../language/needs.js";
import { probes } from "../language/probes/index.js";
import { version } from "./version.js";

/** Names of features in text are written as bpftrace writes them. */
const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What the kernel offers, found out by trying. */
export function infoText(kernel: KernelView, format: "text" | "json"): string {
  const answers = featureNames.map((name) => ({
    name,
    answer: kernel.feature(name),
    since: features[name].since,
    until: untilOf(features[name]),
  }));
  const btf = kernel.btf();
  const tracepoints = kernel.tracepoints();
  const functions = kernel.kernelFunctions();
  const count = (list: readonly string[] | { readonly missing: string }): number | string =>
    "missing" in list ? list.missing : list.length;
  if (format === "json") {
    const system = {
      os: process.platform,
      kernel: kernel.release,
      arch: kernel.arch,
      possible_cpus: kernel.possibleCpus,
    };
    return `${JSON.stringify({
      beetrace: version,
      node: process.versions.node,
      system,
      features: Object.fromEntries(answers.map(({ name, answer }) => [name, answer])),
      btf: "missing" in btf ? { available: false, reason: btf.missing } : { available: true, types: btf.count },
      tracepoints: count(tracepoints),
      kernel_functions: count(functions),
      probe_types: probes.map((probe) => probe.name),
    })}\n`;
  }
  const word: Readonly<Record<FeatureAnswer, string>> = { yes: "yes", no: "no", unknown: "unknown (asking failed)" };
  const rows = answers.map(
    ({ name, answer, since, until }) =>
      `  ${snakeCase(name)}: ${word[answer]}${answer === "no" ? ` (Linux has it since ${since}${until === undefined ? "" : `, until ${until}`})` : ""}`,
  );
  return `System
  Kernel: ${kernel.release} ${kernel.arch}
  CPUs: ${kernel.possibleCpus}
  beetrace: ${version}, Node.js ${process.versions.node}

Kernel features
${rows.join("\n")}

Sources
  BTF: ${"missing" in btf ? btf.missing : `${btf.count} types`}
  Tracepoints: ${count(tracepoints)}
  Kernel functions: ${count(functions)}

Probe types
  ${probes.map((probe) => probe.name).join(" ")}
`;
}

const untilOf = (feature: Feature): string | undefined => feature.until;
