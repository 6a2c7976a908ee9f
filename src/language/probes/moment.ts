// begin and end: run by user space itself, once, by BPF_PROG_TEST_RUN.
import type { Probe, ProgramVariant } from "../probe.js";
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

function moment(name: "begin" | "end", doc: string): Probe {
  return {
    name,
    aliases: [name.toUpperCase()],
    doc,
    forms: [name],
    moment: name,
    bind(parts, context) {
      if (parts.length > 0) return wrongForm(context, [name], `${name} takes nothing after its name`);
      return [{ name, func: "", place: undefined, variant: { ...variant, key: name } }];
    },
    // It is run instead: trace.ts says when.
    attach: () => [],
    list: () => [name],
  };
}

export const begin = moment("begin", "Runs once before the other probes are attached.");
export const end = moment("end", "Runs once after the other probes are detached.");
