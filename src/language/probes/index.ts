import type { AttachPoint, Probe } from "../probe.js";
import { fentry, fexit } from "./fentry.js";
import { iter } from "./iter.js";
import { kprobe, kretprobe } from "./kprobe.js";
import { begin, bench, end, self, test } from "./moment.js";
import { hardware, interval, profile, software } from "./perf-event.js";
import { rawtracepoint } from "./rawtracepoint.js";
import { tracepoint } from "./tracepoint.js";
import { uprobe, uretprobe } from "./uprobe.js";
import { usdt } from "./usdt.js";
import { watchpoint } from "./watchpoint.js";

/** Every probe type, in the order of the documentation. */
export const probes: readonly Probe[] = [
  begin,
  end,
  self,
  test,
  bench,
  interval,
  profile,
  tracepoint,
  rawtracepoint,
  kprobe,
  kretprobe,
  fentry,
  fexit,
  uprobe,
  uretprobe,
  usdt,
  software,
  hardware,
  watchpoint,
  iter,
];

const byName = new Map(probes.flatMap((probe) => [probe.name, ...probe.aliases].map((name) => [name, probe] as const)));

/** A probe type by its name or one of its short names. */
export const findProbe = (name: string): Probe | undefined => byName.get(name);

/** The probe type of an attach point. */
export function probeOf({ probe }: AttachPoint): Probe {
  const found = findProbe(probe);
  if (found === undefined) throw new Error(`internal: no probe type ${probe}`);
  return found;
}

export const probeNames: readonly string[] = [...byName.keys()];
