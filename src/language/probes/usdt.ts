import { compileGlob } from "../../base/glob.js";
import type { UsdtArgument } from "../../formats/usdt-arguments.js";
import { placeAs, type UserPlace } from "../attach-place.js";
import type { KernelView, UsdtLocation, UsdtProbe, UserFile } from "../kernel-view.js";
import type { ActionFacts, BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import { unknownProbe, wrongForm } from "./common.js";
import { asMulti, attachPlaces, canBeMulti, listedFiles, runsLastFirst, whyNothingInFiles } from "./user-places.js";

/** Locations of one probe by the program that they want: the key of its variant. */
const forms = ["usdt:FILE:NAME", "usdt:FILE:PROVIDER:NAME"];

const base: ProgramVariant = {
  key: "usdt",
  type: "kprobe",
  expectedAttachType: 0,
  context: { kind: "registers", space: "user" },
  noArgs: "arguments of a USDT probe have no names: use arg0, arg1 ...",
  hasArgN: true,
  preemptible: true,
};

/** Locations that have the used arguments in the same places share a program. */
function variantOf(location: UsdtLocation, facts: ActionFacts, many: boolean): ProgramVariant {
  const used = facts.numberedArguments.map((n) => describeOperand(location.arguments[n]));
  const variant = { ...base, key: ["usdt", ...used].join("|"), numbered: location.arguments };
  return many ? asMulti(variant) : variant;
}

const describeOperand = (argument: UsdtArgument | undefined): string =>
  argument === undefined
    ? ""
    : JSON.stringify([argument.size, argument.signed, argument.operand], (_, value: unknown) =>
        typeof value === "bigint" ? value.toString() : value,
      );

interface Found {
  readonly file: UserFile;
  readonly probe: UsdtProbe;
}

const fullName = ({ file, probe }: Found): string => `usdt:${file.shown}:${probe.provider}:${probe.name}`;

/** `names` is empty, [NAME] or [PROVIDER, NAME]; an empty one matches all. */
function probeMatcher(names: readonly string[]): (probe: UsdtProbe) => boolean {
  const [provider, name] = names.length < 2 ? ["*", names[0] ?? "*"] : [names[0] ?? "", names.slice(1).join(":")];
  const matchesProvider = compileGlob(provider || "*");
  const matchesName = compileGlob(name || "*");
  return (probe) => matchesProvider(probe.provider) && matchesName(probe.name);
}

function bindFound(found: Found, context: BindContext): Candidate {
  const { file, probe } = found;
  const { kernel, pid, facts } = context;
  const many = canBeMulti(kernel, pid);
  const places = new Map<string, UserPlace[]>();
  const variants = new Map<string, ProgramVariant>();
  for (const location of probe.locations) {
    const variant = variantOf(location, facts, many);
    variants.set(variant.key, variants.get(variant.key) ?? variant);
    const { offset, refCounter } = location;
    const place = { path: file.path, offset, refCounter, pid };
    places.set(variant.key, [...(places.get(variant.key) ?? []), place]);
  }
  const [variant = base, ...otherVariants] = variants.values();
  return {
    name: fullName(found),
    func: probe.name,
    file: file.path,
    place: { kind: "usdt", places: Object.fromEntries(places) },
    variant,
    otherVariants,
  };
}

/** Arguments that the action uses and that a probe has nowhere: an error, or, of a wildcard's, a warning. */
function reportMissingArguments(found: readonly Found[], { diags, span, facts }: BindContext): void {
  for (const n of facts.numberedArguments) {
    const without = found.filter(({ probe }) => probe.locations.some((location) => location.arguments.length <= n));
    const [first] = without;
    if (first === undefined) continue;
    const count = Math.min(...first.probe.locations.map((location) => location.arguments.length));
    const has =
      count === 0 ? "no arguments" : count === 1 ? "one argument, arg0" : `${count} arguments, arg0 to arg${count - 1}`;
    const message = `${fullName(first)} has ${has}: there is no arg${n}`;
    if (without.length === found.length) diags.error("no-argument", span, message, { hint: `beetrace -lv shows them` });
    else {
      const others = without.length === 1 ? "" : `; ${without.length - 1} more of the ${found.length} probes lack it`;
      diags.warning("no-argument", span, `${message}${others}`, { hint: `arg${n} is 0 there` });
    }
  }
}

function bind(parts: readonly string[], context: BindContext): readonly Candidate[] {
  const { kernel, pid } = context;
  // With a process its files need not be named: usdt:NAME, usdt::PROVIDER:NAME.
  const [target = "", ...names] = pid !== undefined && parts.length === 1 ? ["", ...parts] : parts;
  if (names.length < 1 || names.length > 2 || names.at(-1) === "")
    return wrongForm(context, forms, `'${["usdt", ...parts].join(":")}' names no probe of a file`);
  if (target === "" && pid === undefined) {
    const message = `'${["usdt", ...parts].join(":")}' names no file`;
    return wrongForm(context, ["usdt:*:NAME for all processes", "with -p PID or -c COMMAND"], message);
  }
  const files = kernel.userFiles(target === "" ? "*" : target, pid);
  if ("missing" in files) return unknownProbe(context, `${target} cannot be probed: ${files.missing}`, target, []);
  const [only] = files;
  const matches = probeMatcher(names);
  const found: Found[] = [];
  const known: string[] = [];
  for (const file of files) {
    const probes = kernel.usdtProbes(file.path);
    if ("missing" in probes) {
      // Of many files those without probes do not matter.
      if (files.length === 1) return unknownProbe(context, `${file.shown} cannot be probed: ${probes.missing}`, "", []);
      continue;
    }
    known.push(...probes.map(({ name }) => name));
    for (const probe of probes) if (matches(probe)) found.push({ file, probe });
  }
  if (found.length === 0) {
    const where = files.length === 1 && only !== undefined ? only.shown : `none of ${files.length} files`;
    const wanted = names.filter((name) => name !== "").join(":");
    const none = known.length === 0 ? "There are no USDT probes at all." : undefined;
    const verb = files.length === 1 ? "has no USDT probe" : "has a USDT probe";
    return unknownProbe(context, `${where} ${verb} '${wanted}'`, names.at(-1) ?? "", known, none);
  }
  reportMissingArguments(found, context);
  return found.map((each) => bindFound(each, context));
}

function* list(kernel: KernelView, parts: readonly string[], pid: number | undefined): Generator<Found> {
  const wanted = listedFiles(parts, pid);
  const files = wanted === undefined ? [] : kernel.userFiles(wanted.target, pid);
  if (wanted === undefined || "missing" in files) return;
  const matches = probeMatcher(wanted.names);
  for (const file of [...files].sort((a, b) => (a.shown < b.shown ? -1 : 1))) {
    const probes = kernel.usdtProbes(file.path);
    if ("missing" in probes) continue;
    for (const probe of probes) if (matches(probe)) yield { file, probe };
  }
}

export const usdt: Probe = {
  name: "usdt",
  aliases: ["U"],
  doc: "A place that the authors of a program or library have marked for tracing (USDT). FILE is a path, a name or a pattern; * is all files of the process of -p or -c, or of all processes.",
  forms,
  bind,
  attach(port, program, variant, items) {
    const found = items.flatMap((item) =>
      (placeAs(item.target.place, "usdt").places[variant.key] ?? []).map((place) => ({ place, item })),
    );
    const places = found.map(({ place }) => place);
    return attachPlaces(
      port,
      program,
      variant,
      false,
      places,
      found.map(({ item }) => item),
    );
  },
  listsFile: true,
  needs: "uprobe",
  runsLastFirst,
  *list(kernel, parts, pid) {
    for (const found of list(kernel, parts, pid)) yield fullName(found);
  },
  whyNothing: (kernel, parts, pid) => whyNothingInFiles(kernel, parts, pid, (path) => kernel.usdtProbes(path)),
  describe(full, kernel) {
    const parts = full.split(":");
    const path = parts.slice(1, -2).join(":");
    const files = kernel.userFiles(path, undefined);
    const probes = "missing" in files ? files : kernel.usdtProbes(files[0]?.path ?? path);
    if ("missing" in probes) return [];
    const probe = probes.find(({ provider, name }) => provider === parts.at(-2) && name === parts.at(-1));
    return (probe?.locations[0]?.arguments ?? []).map(
      ({ size, signed }, n) => `${signed ? "int" : "uint"}${8 * size} arg${n}`,
    );
  },
};
