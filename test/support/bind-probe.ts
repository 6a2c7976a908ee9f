import { Diagnostics } from "../../src/base/diagnostics.js";
import type { Candidate } from "../../src/language/probe.js";
import { findProbe } from "../../src/language/probes/index.js";
import { FixtureKernel, type FixtureOptions } from "./fixture-kernel.js";

export interface BindOptions extends FixtureOptions {
  readonly pid?: number;
  readonly unsafe?: boolean;
  readonly numberedArguments?: readonly number[];
}

/** What an attach point means on the fixture kernel, and what is said about it. */
export function bindProbe(
  text: string,
  options: BindOptions = {},
): { readonly candidates: readonly Candidate[]; readonly messages: readonly string[] } {
  const [provider = "", ...parts] = text.split(":");
  const diags = new Diagnostics();
  const candidates = findProbe(provider)?.bind(parts, {
    kernel: new FixtureKernel(options),
    diags,
    span: { source: { name: "test", text }, start: 0, end: text.length },
    facts: {
      usesArgs: false,
      usesKernelStack: false,
      usesArgN: false,
      numberedArguments: options.numberedArguments ?? [],
      usesTypedArgs: false,
      usesTypeNames: false,
      overrides: false,
    },
    pid: options.pid,
    missing: "error",
    unsafe: options.unsafe ?? false,
    beside: [],
    written: `${provider} ${parts.join(":")}`,
  });
  return {
    candidates: candidates ?? [],
    messages: diags.list.flatMap(({ message, notes }) => [message, ...notes.map((note) => note.message)]),
  };
}
