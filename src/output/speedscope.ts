import type { SampleFrame, StackSamples } from "./stack-samples.js";

/**
 * A file for speedscope.app, a profile for each map (its file-format-schema.json). Weights are written with all their digits;
 * speedscope itself, and any other reader that takes numbers for doubles, rounds those above 2^53.
 */
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
    const stacks = samples.map((sample) => sample.frames.map(frameNumber));
    const end = samples.reduce((sum, { value }) => sum + value, 0n);
    const weights = samples.map(({ value }) => value).join(",");
    const head = `"type":"sampled","name":${JSON.stringify(name)},"unit":"none","startValue":0,"endValue":${end}`;
    return `{${head},"samples":${JSON.stringify(stacks)},"weights":[${weights}]}`;
  });
  const schema = "https://www.speedscope.app/file-format-schema.json";
  const head = `"$schema":${JSON.stringify(schema)},"exporter":${JSON.stringify(exporter)},"activeProfileIndex":0`;
  return `{${head},"shared":${JSON.stringify({ frames })},"profiles":[${profiles.join(",")}]}\n`;
}
