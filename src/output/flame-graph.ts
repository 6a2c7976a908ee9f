import { type EmbeddedGraph, encodeTree } from "./flame-data.js";
import { amountText, groupedText, percentText } from "./flame-layout.js";
import { type FlameFrame, type FlameTree, flameTree, withoutAbsent } from "./flame-tree.js";
import { visibleText } from "./markup.js";
import type { StackSamples, WeightKind } from "./stack-samples.js";

/** A map keyed by stacks, ready to be drawn. */
export interface FlameGraph {
  /** Of the map, with its `@`. */
  readonly name: string;
  /** What it sums up: `12,345 samples in 321 different stacks`. */
  readonly summary: string;
  /** What numbers are followed by: ` samples`, or nothing. */
  readonly noun: string;
  /** What the picture does not show, or not as one would expect; full sentences. */
  readonly notes: readonly string[];
  readonly tree: FlameTree;
}

export const embeddedGraph = ({ tree, ...rest }: FlameGraph): EmbeddedGraph => ({ ...rest, data: encodeTree(tree) });

/** Makes the picture of a map; `notes` are what the trace has to say of it. */
export function flameGraph(samples: StackSamples, notes: readonly string[] = []): FlameGraph {
  const { weight } = samples;
  const total = samples.samples.reduce((sum, { value }) => sum + value, 0n);
  const count = samples.samples.length;
  const noun = nouns[weight] ?? "";
  const amount = noun === "" ? `${sums[weight] ?? "sum"} ${groupedText(total)}` : amountText(groupedText(total), noun);
  const tree = flameTree(samples.samples);
  return {
    name: visibleText(samples.name),
    summary: `${amount} in ${groupedText(BigInt(count))} different ${count === 1 ? "stack" : "stacks"}`,
    noun,
    notes: [
      ...notes.map(visibleText),
      ...skippedNotes(samples),
      ...weightNotes(weight),
      ...unnamedNotes(samples, total),
    ],
    tree: { ...tree, frames: tree.frames.map(visibleFrame) },
  };
}

/** Of maps whose values say how often something was. */
const nouns: Readonly<Partial<Record<WeightKind, string>>> = { count: " samples", hist: " values", lhist: " values" };
const sums: Readonly<Partial<Record<WeightKind, string>>> = { avg: "total", stats: "total" };

function visibleFrame({ name, kind, module, file, reason }: FlameFrame): FlameFrame {
  const visible = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : visibleText(text);
  return withoutAbsent({
    name: visibleText(name),
    kind,
    module: visible(module),
    file: visible(file),
    reason: visible(reason),
  });
}

const skippedNotes = ({ skipped }: StackSamples): readonly string[] =>
  skipped === 0
    ? []
    : [`${skipped} ${skipped === 1 ? "stack has" : "stacks have"} no number above 0 and cannot be drawn.`];

/** Where a width is not simply what the map has. */
function weightNotes(weight: WeightKind): readonly string[] {
  switch (weight) {
    case "min":
    case "max":
      return [`Widths add up what ${weight}() kept of each stack.`];
    case "avg":
    case "stats":
      return ["Widths are totals; -f text has the averages."];
    case "hist":
    case "lhist":
      return ["Widths are how many values each stack has; -f text has their histograms."];
    default:
      return [];
  }
}

/** How much of the picture is in stacks that are not there, or in frames without a name, and why. */
function unnamedNotes({ samples }: StackSamples, total: bigint): readonly string[] {
  const reasons = new Map<string, bigint>();
  let unnamed = 0n;
  for (const { frames, value } of samples) {
    const found = new Set(
      frames.filter(({ kind }) => kind === "unknown").map(({ reason }) => reason ?? "nobody knows why"),
    );
    if (found.size > 0) unnamed += value;
    for (const reason of found) reasons.set(reason, (reasons.get(reason) ?? 0n) + value);
  }
  if (unnamed === 0n) return [];
  const share = (weight: bigint): string => percentText(Number(weight), Number(total));
  const list = [...reasons]
    .sort(([a, x], [b, y]) => (x === y ? (a < b ? -1 : 1) : x > y ? -1 : 1))
    .map(([reason, weight]) => `${visibleText(reason)} (${share(weight)})`);
  return [`${share(unnamed)} of it is in stacks with functions that have no name: ${list.join("; ")}.`];
}
