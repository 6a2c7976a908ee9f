import { features } from "../kernel/features.js";
import { buildOptions, readBuildOptions, readSettings } from "../kernel/kernel-settings.js";
import type { LiveKernelView } from "../kernel/kernel-view.js";
import { helperOffers, mapOffers, type Offer, programOffers } from "../kernel/offers.js";
import type { KernelFunctions } from "../language/kernel-functions.js";
import type { Missing } from "../language/kernel-view.js";
import { answerOf, type FeatureName, type FeatureReply, featureNames } from "../language/needs.js";
import { probes } from "../language/probes/index.js";
import type { Sys } from "../sys/sys.js";
import { version } from "./version.js";

/** Something that was tried. */
interface Tried {
  /** As text shows it: bpftrace's spelling. */
  readonly name: string;
  /** As JSON does. */
  readonly key: string;
  readonly reply: FeatureReply;
  readonly since: string;
  readonly until: string | undefined;
  readonly costs: string;
}

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What the kernel offers, found out by trying; what is missing is told with what it costs, what is unknown with why. */
export function infoText(sys: Sys, kernel: LiveKernelView, format: "text" | "json"): string {
  const tried = {
    features: featureNames.map((name) => triedFeature(name, kernel)),
    helpers: helperOffers.map((offer) => triedOffer(offer, sys)),
    maps: mapOffers.map((offer) => triedOffer(offer, sys)),
    // Program types have names of probe types.
    programs: programOffers.map((offer) => ({ ...triedOffer(offer, sys), name: `${offer.name} programs` })),
    probes: probes.map((probe): Tried => {
      const needed = probe.needs === undefined ? undefined : triedFeature(probe.needs, kernel);
      const fallback = { reply: "yes", since: "", until: undefined, costs: "" } as const;
      return { ...(needed ?? fallback), name: probe.name, key: probe.name };
    }),
  };
  return format === "json" ? json(kernel, tried) : text(kernel, tried);
}

type Survey = Readonly<Record<"features" | "helpers" | "maps" | "programs" | "probes", readonly Tried[]>>;

function triedFeature(name: FeatureName, kernel: LiveKernelView): Tried {
  const { since, costs, ...feature } = features[name];
  const until = "until" in feature ? feature.until : undefined;
  return { name: snakeCase(name), key: name, reply: kernel.featureReply(name), since, until, costs };
}

const triedOffer = ({ name, since, costs, ask }: Offer, sys: Sys): Tried => ({
  name,
  key: name,
  reply: ask(sys),
  since,
  until: undefined,
  costs: `${costs} ${costs.includes(",") ? "are" : "is"} not there`,
});

function line({ name, reply, since, until, costs }: Tried): string {
  if (reply === "yes") return `  ${name}: yes\n`;
  const versions = since === "" ? "" : ` (Linux has it since ${since}${until === undefined ? "" : `, until ${until}`})`;
  const answer = reply === "no" ? `no${versions}` : `unknown${versions}, could not be tried: ${reply.unknown}`;
  return `  ${name}: ${answer}\n${costs === "" ? "" : `      without: ${costs}\n`}`;
}

const section = (title: string, rows: readonly Tried[]): string => `${title}\n${rows.map(line).join("")}\n`;

const namesOf = (functions: KernelFunctions | Missing) => ("missing" in functions ? functions : functions.names);

const count = (list: readonly unknown[] | Missing): number | string => ("missing" in list ? list.missing : list.length);

function sourcesOf(kernel: LiveKernelView) {
  const btf = kernel.btf();
  return {
    btf: "missing" in btf ? btf : { types: btf.count },
    tracepoints: count(kernel.tracepoints()),
    functions: count(namesOf(kernel.kernelFunctions())),
  };
}

function text(kernel: LiveKernelView, tried: Survey): string {
  const { btf, tracepoints, functions } = sourcesOf(kernel);
  const build = readBuildOptions(kernel.release);
  const options =
    "missing" in build
      ? `  unknown: ${build.missing}\n`
      : buildOptions
          .map(([name, use]) => `  ${name}: ${build.get(name) ?? `not set\n      without: ${use}`}\n`)
          .join("");
  const settings = readSettings().map(
    ({ name, value, costs }) =>
      `  ${name}: ${value ?? "not there"}${costs === undefined ? "" : `\n      so: ${costs}`}\n`,
  );
  return `System
  Kernel: ${kernel.release} ${kernel.arch}
  CPUs: ${kernel.possibleCpus}
  beetrace: ${version}, Node.js ${process.versions.node}

${section("Probe types", tried.probes)}${section("Kernel features", tried.features)}${section(
  "Kernel helpers",
  tried.helpers,
)}${section("Map types", tried.maps)}${section("Program types", tried.programs)}Sources
  BTF: ${"missing" in btf ? btf.missing : `${btf.types} types`}
  Tracepoints: ${tracepoints}
  Kernel functions: ${functions}

Settings
${settings.join("")}
Build of the kernel
${options}`;
}

function json(kernel: LiveKernelView, tried: Survey): string {
  const { btf, tracepoints, functions } = sourcesOf(kernel);
  const build = readBuildOptions(kernel.release);
  const answers = (rows: readonly Tried[]) => Object.fromEntries(rows.map(({ key, reply }) => [key, answerOf(reply)]));
  const details = (rows: readonly Tried[]) =>
    rows
      .filter(({ reply }) => reply !== "yes")
      .map(({ key, reply, since, until, costs }) => ({
        name: key,
        answer: answerOf(reply),
        ...(typeof reply === "string" ? {} : { reason: reply.unknown }),
        ...(since === "" ? {} : { since }),
        ...(until === undefined ? {} : { until }),
        without: costs,
      }));
  return `${JSON.stringify({
    beetrace: version,
    node: process.versions.node,
    system: { os: process.platform, kernel: kernel.release, arch: kernel.arch, possible_cpus: kernel.possibleCpus },
    features: answers(tried.features),
    helpers: answers(tried.helpers),
    map_types: answers(tried.maps),
    program_types: answers(tried.programs),
    probes: answers(tried.probes),
    missing: details([...tried.features, ...tried.helpers, ...tried.maps, ...tried.programs]),
    btf: "missing" in btf ? { available: false, reason: btf.missing } : { available: true, types: btf.types },
    tracepoints,
    kernel_functions: functions,
    probe_types: probes.map((probe) => probe.name),
    settings: Object.fromEntries(readSettings().map(({ name, value }) => [name, value ?? null])),
    kernel_config:
      "missing" in build ? null : Object.fromEntries(buildOptions.map(([name]) => [name, build.get(name) ?? null])),
  })}\n`;
}
