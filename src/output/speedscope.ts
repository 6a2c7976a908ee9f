import type { SampleFrame, StackSamples } from "./stack-samples.js";

/** Numbers above this are not exact in JSON. */
const maxExact = BigInt(Number.MAX_SAFE_INTEGER);

/** A file for speedscope.app, a profile for each map (its file-format-schema.json). */
export function speedscopeJson(maps: readonly StackSamples[], exporter: string): string {
  const numbers = new Map<string, number>();
  const frames: { name: string; file?: string; line?: number }[] = [];
  const frameNumber = ({ name, file, line, module }: SampleFrame): number => {
    const where = file ?? module;
    const key = `${name}\n${where ?? ""}\n${line ?? 0}`;
    let number = numbers.get(key);
    if (number === undefined) {
      number = frames.length;
      numbers.set(key, number);
      frames.push({ name, ...(where === undefined ? {} : { file: where }), ...(line === undefined ? {} : { line }) });
    }
    return number;
  };
  const profiles = maps.map(({ name, samples }) => {
    const weights = samples.map(({ value }) => Number(value > maxExact ? maxExact : value));
    return {
      type: "sampled",
      name,
      unit: "none",
      startValue: 0,
      endValue: weights.reduce((sum, weight) => sum + weight, 0),
      samples: samples.map((sample) => sample.frames.map(frameNumber)),
      weights,
    };
  });
  const file = {
    $schema: "https://www.speedscope.app/file-format-schema.json",
    exporter,
    activeProfileIndex: 0,
    shared: { frames },
    profiles,
  };
  return `${JSON.stringify(file)}\n`;
}
