import { btfFunction, type KernelView } from "../language/kernel-view.js";
import type { SessionForm, Target } from "../language/probe.js";
import { probes } from "../language/probes/index.js";
import type { BoundProgram } from "./bind.js";
import { factsOf } from "./facts.js";

/**
 * Joins actions for entries with actions for the returns of the same places, where the kernel runs one program for both
 * (sessions): half the links, and a return is seen if and only if its entry was. Not where a third action stands at one of
 * the places: the actions' order would not be the script's any more.
 */
export function joinSessions(
  programs: readonly BoundProgram[],
  targets: readonly Target[],
  kernel: KernelView,
): readonly BoundProgram[] {
  const joined = [...programs];
  for (const session of probes.flatMap((probe) => probe.session ?? [])) {
    const takesPart = ({ targets: [first] }: BoundProgram): boolean =>
      first !== undefined && (first.provider.session === session || first.provider.name === session.returns);
    const all = programs.flatMap((program, index) => (takesPart(program) ? [{ program, index }] : []));
    if (all.length < 2 || !kernelHas(kernel, session)) continue;
    const idOf = new Map(targets.map((target, id) => [target, id]));
    const keysOf = ({ targets: own }: BoundProgram) => own.map(({ place }) => session.key(place));
    const standing = new Map<string | undefined, number[]>();
    for (const { program, index } of all)
      for (const key of keysOf(program)) standing.set(key, [...(standing.get(key) ?? []), index]);
    for (const { program: entry, index } of all) {
      if (entry.targets[0]?.provider.session !== session || factsOf(entry.ast).overrides) continue;
      const keys = keysOf(entry);
      const [other, ...more] = new Set(keys.flatMap((key) => standing.get(key)?.filter((at) => at !== index) ?? []));
      const returns = other === undefined ? undefined : programs[other];
      if (other === undefined || returns === undefined || more.length > 0 || keys.includes(undefined)) continue;
      if (returns.targets[0]?.provider.name !== session.returns || returns.targets.length !== keys.length) continue;
      const returned = keysOf(returns);
      // What a return's id is follows from its entry's.
      const distances = returns.targets.map(
        (target, i) => (idOf.get(target) ?? 0) - (idOf.get(entry.targets[i] ?? target) ?? 0),
      );
      if (!keys.every((key, i) => returned[i] === key && distances[i] === distances[0])) continue;
      joined[index] = { ...entry, variant: session.variant };
      joined[other] = { ...returns, inSessionOf: index };
    }
  }
  return joined;
}

function kernelHas(kernel: KernelView, { feature, isReturn }: SessionForm): boolean {
  if (kernel.feature(feature) !== "yes" || kernel.feature("attachCookie") !== "yes") return false;
  return btfFunction(kernel, isReturn) !== undefined;
}
