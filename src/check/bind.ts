import type { Diagnostics } from "../base/diagnostics.js";
import { compileGlob, hasWildcard } from "../base/glob.js";
import { nearest } from "../base/nearest.js";
import type { Config } from "../language/config.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Probe, ProgramVariant, Target } from "../language/probe.js";
import { findProbe, probeNames, probes } from "../language/probes/index.js";
import type { AstAttachPoint, AstProbe, AstProgram } from "../syntax/ast.js";
import { factsOf } from "./facts.js";
import { joinSessions } from "./sessions.js";

/** An action with attach points that can share one program. */
export interface BoundProgram {
  readonly ast: AstProbe;
  readonly variant: ProgramVariant;
  readonly targets: readonly Target[];
  /** The action runs in the program with that index, which serves entries and returns of the same places. */
  readonly inSessionOf?: number | undefined;
}

export interface Bound {
  readonly programs: readonly BoundProgram[];
  readonly targets: readonly Target[];
}

export interface BindOptions {
  readonly config: Config;
  readonly pid: number | undefined;
  /** Programs are limited by what the current task is, beyond a process's id. */
  readonly onTasks?: boolean;
  readonly positional: readonly string[];
  readonly unsafe: boolean;
  /** Which attach points are wanted, by their full names; all, if it is left out. */
  readonly only?: ((name: string, moment: Probe["moment"]) => boolean) | undefined;
}

/** Finds what each attach point of the script means on this kernel and groups them into programs. */
export function bindProbes(program: AstProgram, kernel: KernelView, options: BindOptions, diags: Diagnostics): Bound {
  const targets: Target[] = [];
  const programs: BoundProgram[] = [];
  const missing = options.config.missing_probes;
  for (const ast of program.probes) {
    let found = false;
    const before = diags.list.length;
    const facts = factsOf(ast);
    const groups = new Map<string, { variant: ProgramVariant; targets: Target[] }>();
    const beside = ast.attachPoints.map(({ parts }) => parts.join(":"));
    for (const point of ast.attachPoints) {
      const [written = "", ...parts] = namedBy(point, options.positional);
      const providers = findProviders(written);
      if (providers.length === 0) {
        const near = nearest(written, probeNames);
        diags.error("unknown-probe-type", point.providerSpan, `there is no probe type '${written}'`, {
          hint: near === undefined ? `probe types: ${probes.map((p) => p.name).join(", ")}` : `did you mean '${near}'?`,
        });
      }
      for (const provider of providers) {
        if (options.onTasks === true && provider.limitedBy === "attachment") {
          diags.warning("not-limited", point.span, `of the targets only -p applies to ${provider.name} probes`, {
            hint: "what they go over is not what runs: compare its members in the script",
          });
        }
        const context = {
          kernel,
          diags,
          span: point.span,
          written: `${provider.name} ${parts.join(":")}`,
          facts,
          pid: options.pid,
          missing,
          unsafe: options.unsafe,
          beside,
        };
        for (const candidate of provider.bind(parts, context)) {
          found = true;
          if (options.only?.(candidate.name, provider.moment) === false) continue;
          const target: Target = {
            name: candidate.name,
            func: candidate.func,
            file: candidate.file,
            span: point.span,
            provider,
            probe: provider.name,
            place: candidate.place,
            byWildcard: parts.some(hasWildcard),
          };
          for (const variant of [candidate.variant, ...(candidate.otherVariants ?? [])]) {
            const key = `${provider.name}|${variant.key}`;
            let group = groups.get(key);
            if (group === undefined) {
              group = { variant, targets: [] };
              groups.set(key, group);
            }
            // A system call's number leads to the id that its target has now.
            group.variant = mergeNumbers(group.variant, variant, targets.length);
            group.targets.push(target);
          }
          targets.push(target);
        }
      }
    }
    // Where something else is wrong, that is enough.
    if (
      !found &&
      diags.list.slice(before).every(({ severity, code }) => severity === "warning" || code === "unknown-probe")
    )
      noAttachPoints(ast, missing, diags);
    for (const group of groups.values()) programs.push({ ast, ...group });
  }
  const joined = joinSessions(programs, targets, kernel);
  checkLimits(joined, targets.length, options.config, diags);
  return { programs: joined, targets };
}

/** What is left of a probe whose attach points all mean nothing, unless the script has reported something worse. */
function noAttachPoints({ span }: AstProbe, missing: Config["missing_probes"], diags: Diagnostics): void {
  const message = "Probe has no valid attach points.";
  if (missing === "error")
    diags.error(
      "no-attach-points",
      span,
      `${message} If this is expected, set the 'missing_probes' config variable to 'warn'.`,
    );
  if (missing === "warn")
    diags.warning(
      "no-attach-points",
      span,
      `${message} It is being removed which may cause issues with program behavior.`,
    );
}

function checkLimits(programs: readonly BoundProgram[], targets: number, config: Config, diags: Diagnostics): void {
  const [first] = programs;
  if (targets > config.max_probes) {
    diags.error(
      "too-many-probes",
      first?.ast.span,
      `the script has ${targets} attach points, more than max_probes = ${config.max_probes}`,
      { hint: `narrow the wildcard, or set BPFTRACE_MAX_PROBES=${targets}` },
    );
  }
  let loaded = 0;
  for (const { variant, targets: own, ast, inSessionOf } of programs) {
    if (inSessionOf !== undefined) continue;
    loaded += variant.loadedForEach === true ? own.length : 1;
    if (loaded <= config.max_bpf_progs) continue;
    diags.error(
      "too-many-programs",
      ast.attachPoints[0]?.span ?? ast.span,
      `Your program is trying to generate more than ${loaded} BPF programs, which exceeds the current limit of ${config.max_bpf_progs}`,
      { hint: "You can increase the limit through the BPFTRACE_MAX_BPF_PROGS environment variable." },
    );
    return;
  }
}

/** A provider by name, or several by wildcard (`k*:vfs_read` means kprobe and kretprobe). */
function findProviders(written: string): readonly Probe[] {
  if (!hasWildcard(written)) {
    const found = findProbe(written);
    return found === undefined ? [] : [found];
  }
  const matches = compileGlob(written);
  return probes.filter((probe) => matches(probe.name) && probe.moment === undefined);
}

/** Provider and parts, with positional parameters in them: one in front may stand for all of them (`$1 { }`). */
function namedBy(point: AstAttachPoint, positional: readonly string[]): readonly string[] {
  const provider = substitute(point.provider, positional);
  const parts = point.parts.map((part) => substitute(part, positional));
  return [...(provider === point.provider ? [provider] : provider.split(":")), ...parts];
}

/** `$1` in an attach point is the text of that parameter. */
const substitute = (part: string, positional: readonly string[]): string =>
  part.replace(/\$([0-9]+)/g, (_, digits: string) => positional[Number(digits) - 1] ?? "");

function mergeNumbers(group: ProgramVariant, added: ProgramVariant, id: number): ProgramVariant {
  if (group.context.kind !== "syscall" || added.context.kind !== "syscall") return group;
  const numbers = new Map(group === added ? [] : group.context.numbers);
  for (const number of added.context.numbers.keys()) numbers.set(number, id);
  return { ...group, context: { ...group.context, numbers } };
}
