import type { FrameKind } from "./frame-kind.js";
import type { SampleFrame, StackSamples } from "./stack-samples.js";

/**
 * Stacks as FlameGraph's scripts and their relatives read them: `outermost;...;innermost COUNT`, a line each, in order.
 * Names end with `_[k]` in the kernel, `_[j]` where a process made the code itself, `_[i]` where it was inlined: the
 * annotations of stackcollapse-perf.pl --all, which flamegraph.pl turns into colours.
 */
export function foldedText({ samples }: StackSamples): string {
  const counts = new Map<string, bigint>();
  for (const { frames, value } of samples) {
    const stack = frames.map(frameText).join(";");
    counts.set(stack, (counts.get(stack) ?? 0n) + value);
  }
  const lines = [...counts].map(([stack, count]) => `${stack} ${count}\n`);
  return lines.sort().join("");
}

const annotations: Readonly<Partial<Record<FrameKind, string>>> = { kernel: "_[k]", jit: "_[j]", inlined: "_[i]" };

/** What separates frames and lines cannot be in a name. */
const frameText = ({ name, kind }: SampleFrame): string =>
  name.replaceAll(";", ":").replaceAll(/[\r\n]+/g, " ") + (annotations[kind] ?? "");
