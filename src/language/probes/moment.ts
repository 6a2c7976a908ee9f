// What user space itself runs, by BPF_PROG_TEST_RUN: begin, end, and programs on request.
import type { Moment, Probe, ProgramVariant } from "../probe.js";
import { wrongForm } from "./common.js";

const variant: ProgramVariant = {
  key: "moment",
  type: "raw_tracepoint",
  expectedAttachType: 0,
  context: { kind: "none" },
  noArgs: "begin and end have no arguments",
  hasArgN: false,
  preemptible: false,
};

/** What all of them share: trace/ runs them instead of attaching them. */
const run = {
  attach: () => [],
  limitedBy: "nothing",
  listedByType: true,
  needs: "testRun",
} as const satisfies Partial<Probe>;

function once(name: "begin" | "end", doc: string): Probe {
  return {
    ...run,
    name,
    aliases: [name.toUpperCase()],
    doc,
    forms: [name],
    moment: name,
    bind(parts, context) {
      if (parts.length > 0) return wrongForm(context, [name], `${name} takes nothing after its name`);
      return [{ name, func: "", place: { kind: "run", name: undefined }, variant: { ...variant, key: name } }];
    },
    list: () => [name],
  };
}

/** Programs with names of their own; `place` is the name. */
function named(name: Extract<Moment, "test" | "bench">, doc: string): Probe {
  const form = `${name}:NAME`;
  return {
    ...run,
    name,
    aliases: [],
    doc,
    forms: [form],
    moment: name,
    bind(parts, context) {
      const [own = ""] = parts;
      if (parts.length !== 1 || own === "") return wrongForm(context, [form], `${name} takes one name`);
      const full = `${name}:${own}`;
      return [
        {
          name: full,
          func: "",
          place: { kind: "run", name: own },
          variant: { ...variant, key: full, noArgs: `${name} has no arguments`, readsResult: true },
        },
      ];
    },
    list: () => [],
  };
}

const signalForm = "self:signal:SIGUSR1";

export const begin = once("begin", "Runs once before the other probes are attached.");
export const end = once("end", "Runs once after the other probes are detached.");

export const self: Probe = {
  ...run,
  name: "self",
  aliases: [],
  doc: "Runs when the tracer itself gets the signal SIGUSR1. Without such a probe the signal prints all maps.",
  forms: [signalForm],
  moment: "signal",
  bind(parts, context) {
    if (parts.join(":") !== "signal:SIGUSR1") return wrongForm(context, [signalForm], "the only event is SIGUSR1");
    return [
      {
        name: signalForm,
        func: "",
        place: { kind: "run", name: undefined },
        variant: { ...variant, key: signalForm, noArgs: "a signal has no arguments" },
      },
    ];
  },
  list: () => [signalForm],
};

export const test = named(
  "test",
  "Runs once with --test, and passes if it returns 0 without an error; else not at all.",
);
export const bench = named("bench", "Runs many times with --bench, which tells how long it takes; else not at all.");
