// Probe types that perf_event_open(2) serves by sampling: interval, profile, software, hardware.

import { compileGlob } from "../../base/glob.js";
import { placeAs } from "../attach-place.js";
import type { AttachPort } from "../attach-port.js";
import type { AttachedVariant, AttachItems, BindContext, Candidate, Probe, ProgramVariant } from "../probe.js";
import { parseCount, parsePeriod, unknownProbe, wrongForm } from "./common.js";

/** uapi/linux/perf_event.h: enum perf_type_id and perf_sw_ids. */
const PERF_TYPE_HARDWARE = 0;
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_CPU_CLOCK = 0n;
const PERF_COUNT_SW_TASK_CLOCK = 1n;

/** Nanoseconds: kernel/events/core.c, perf_swevent_start_hrtimer(), v6.18. */
const shortestPeriod = 10_000n;

const variant: ProgramVariant = {
  key: "perf_event",
  type: "perf_event",
  expectedAttachType: 0,
  context: { kind: "registers", space: "kernel" },
  noArgs: "a timer or counter has no arguments",
  hasArgN: false,
  preemptible: false,
};

function attach(port: AttachPort, program: string, _variant: AttachedVariant, items: AttachItems) {
  return port.each(items, ({ target, id }) => port.perfEvent(program, placeAs(target.place, "perf-event").event, id));
}

/**
 * Tells what the kernel would do without a word: its timers have a shortest period, and it leaves samples out where there
 * are more than it wants in a tick (__perf_event_account_interrupt()). False if that is too far from what is written.
 */
function checkPeriod(name: string, parts: readonly string[], period: bigint, context: BindContext): boolean {
  const { diags, span, kernel } = context;
  const rate = kernel.maxSampleRate;
  if (period < 1000n && parts.length === 1) {
    const message = `Invalid rate of ${name} probe. Minimum is 1000 or 1us. Found: ${period} nanoseconds`;
    diags.error("short-period", span, message, { hint: `${name}:hz:${period} fires ${period} times a second` });
    return false;
  }
  if (rate !== undefined && period * BigInt(rate) < 1_000_000_000n) {
    const message = `the kernel fires this no more than ${rate} times a second, and leaves out the rest`;
    const hint = `sysctl kernel.perf_event_max_sample_rate raises that; the shortest period is ${shortestPeriod / 1000n} us`;
    diags.warning("short-period", span, message, { hint });
  } else if (period < shortestPeriod) {
    const message = `the kernel's timers fire every ${shortestPeriod / 1000n} us at most, and so will this`;
    diags.warning("short-period", span, message);
  }
  return true;
}

function timed(name: string, alias: string, doc: string, cpu: number | "all"): Probe {
  // An interval has to fire whoever runs. What profile samples, its program looks at: a timer for each thread would miss
  // those that begin while it is attached.
  const forms = [`${name}:s:N`, `${name}:ms:N`, `${name}:us:N`, `${name}:hz:N`, `${name}:N`];
  return {
    name,
    aliases: [alias],
    doc,
    forms,
    bind(parts, context) {
      const sample = parsePeriod(parts);
      if (sample === undefined) {
        return wrongForm(context, forms.slice(0, 4), `'${[name, ...parts].join(":")}' does not say how often to fire`);
      }
      if ("period" in sample && !checkPeriod(name, parts, sample.period, context)) return [];
      const event = { type: PERF_TYPE_SOFTWARE, config: PERF_COUNT_SW_CPU_CLOCK, sample, cpu, pid: undefined };
      const place = { kind: "perf-event", event } as const;
      // `100ms` is called as bpftrace calls it.
      const isDuration = parts.length === 1 && "period" in sample && sample.period % 1000n === 0n;
      const shown = isDuration ? ["us", `${sample.period / 1000n}`] : parts;
      return [{ name: [name, ...shown].join(":"), func: "", place, variant }];
    },
    attach,
    ...(cpu === "all" ? {} : { limitedBy: "nothing" }),
    list: () => forms.slice(0, 4).map((form) => form.replace(/:N$/, ":")),
  };
}

export const interval = timed("interval", "i", "Fires once per period (N without a unit: nanoseconds), on one CPU.", 0);
export const profile = timed(
  "profile",
  "p",
  "Samples every CPU once per period (N without a unit: nanoseconds).",
  "all",
);

interface Event {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly config: number;
  /** Events between two firings if the script does not say. */
  readonly every: bigint;
}

function counted(name: string, alias: string, doc: string, type: number, events: readonly Event[]): Probe {
  const forms = [`${name}:EVENT:COUNT`, `${name}:EVENT:`];
  return {
    name,
    aliases: [alias],
    doc,
    forms,
    bind(parts, context) {
      const [wanted = "", countText = ""] = parts;
      if (parts.length === 0 || parts.length > 2 || wanted === "") {
        return wrongForm(context, forms, `'${[name, ...parts].join(":")}' is not complete`);
      }
      const matches = compileGlob(wanted);
      const found = events.filter((event) => matches(event.name) || event.aliases.includes(wanted));
      if (found.length === 0) {
        const known = events.flatMap((event) => [event.name, ...event.aliases]);
        return unknownProbe(
          context,
          `there is no ${name} event '${wanted}'`,
          wanted,
          known,
          `Known: ${known.join(", ")}.`,
        );
      }
      const count = countText === "" ? undefined : parseCount(countText);
      if (countText !== "" && (count === undefined || count === 0n)) {
        return wrongForm(context, forms, `'${countText}' is no count of events`);
      }
      if (type === PERF_TYPE_HARDWARE && context.kernel.feature("hardwareEvents") === "no") {
        context.diags.error("no-hardware-events", context.span, "this machine offers no hardware events", {
          hint: "virtual machines often have no performance counters; software:cpu-clock:1000000 or profile:hz:99 sample by time instead",
        });
        return [];
      }
      return found.map((event): Candidate => {
        const sample = { period: count ?? event.every };
        const config = BigInt(event.config);
        const isTimer = config === PERF_COUNT_SW_CPU_CLOCK || config === PERF_COUNT_SW_TASK_CLOCK;
        if (type === PERF_TYPE_SOFTWARE && isTimer) checkPeriod(name, parts, sample.period, context);
        const place = { kind: "perf-event", event: { type, config, sample, cpu: "all", pid: context.pid } } as const;
        // As it was written, by a short name, too.
        const full = [name, matches(event.name) ? event.name : wanted, ...parts.slice(1)].join(":");
        // Limited to a process, a program of its own: see threadsOf().
        const own = context.pid === undefined ? variant : { ...variant, key: `${context.span.start}:${full}` };
        return { name: full, func: "", place, variant: own };
      });
    },
    attach,
    ...(type === PERF_TYPE_HARDWARE ? { needs: "hardwareEvents" } : {}),
    list: () => events.flatMap((event) => [event.name, ...event.aliases]).map((word) => `${name}:${word}:`),
  };
}

const event = (name: string, config: number, every: bigint, ...aliases: string[]): Event => ({
  name,
  config,
  every,
  aliases,
});

/** enum perf_sw_ids; the periods are bpftrace's. */
export const software = counted("software", "s", "Events that the kernel counts itself.", PERF_TYPE_SOFTWARE, [
  event("alignment-faults", 7, 1n),
  event("bpf-output", 10, 1n),
  event("context-switches", 3, 1000n, "cs"),
  event("cpu-clock", 0, 1_000_000n, "cpu"),
  event("cpu-migrations", 4, 1n),
  event("dummy", 9, 1n),
  event("emulation-faults", 8, 1n),
  event("major-faults", 6, 1n),
  event("minor-faults", 5, 100n),
  event("page-faults", 2, 100n, "faults"),
  event("task-clock", 1, 1_000_000n),
]);

/** enum perf_hw_id; the periods are bpftrace's. */
export const hardware = counted("hardware", "h", "Events that the processor counts.", PERF_TYPE_HARDWARE, [
  event("backend-stalls", 8, 1_000_000n),
  event("branch-instructions", 4, 100_000n, "branches"),
  event("branch-misses", 5, 100_000n),
  event("bus-cycles", 6, 100_000n),
  event("cache-misses", 3, 1_000_000n),
  event("cache-references", 2, 1_000_000n),
  event("cpu-cycles", 0, 1_000_000n, "cycles"),
  event("frontend-stalls", 7, 1_000_000n),
  event("instructions", 1, 1_000_000n),
  event("ref-cycles", 9, 1_000_000n),
]);
