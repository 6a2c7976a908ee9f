import * as format from "pprof-format";
import { lesser } from "../base/bigints.js";
import type { SampleFrame, StackSamples } from "./stack-samples.js";

/** The largest number that a profile can have: values are of 64 bits with a sign. */
export const mostOfProfile = (1n << 63n) - 1n;

/**
 * A profile as pprof reads it (github.com/google/pprof, proto/profile.proto), not compressed: a sample type for each map,
 * in their order; the last is shown first. Parts of keys that are no stacks are frames, like the others.
 * Numbers above {@link mostOfProfile} become that.
 */
export function pprofBytes(maps: readonly StackSamples[], nanoseconds: bigint): Uint8Array {
  const strings = new format.StringTable();
  const functions = new Map<string, format.Function>();
  const locations = new Map<string, format.Location>();
  const mappings = new Map<string, format.Mapping>();

  const mappingOf = (module: string | undefined): number => {
    if (module === undefined) return 0;
    let mapping = mappings.get(module);
    if (mapping === undefined) {
      const id = mappings.size + 1;
      mapping = new format.Mapping({ id, filename: strings.dedup(module), hasFunctions: true });
      mappings.set(module, mapping);
    }
    return Number(mapping.id);
  };
  const functionOf = ({ name, file }: SampleFrame): number => {
    const key = `${name}\n${file ?? ""}`;
    let fn = functions.get(key);
    if (fn === undefined) {
      // Without the linker's name: were they the same, pprof would take it for one and cut arguments and templates off.
      fn = new format.Function({
        id: functions.size + 1,
        name: strings.dedup(name),
        filename: strings.dedup(file ?? ""),
      });
      functions.set(key, fn);
    }
    return Number(fn.id);
  };
  const locationOf = (frame: SampleFrame): number => {
    const key = `${frame.name}\n${frame.file ?? ""}\n${frame.line ?? 0}\n${frame.module ?? ""}`;
    let location = locations.get(key);
    if (location === undefined) {
      const line = new format.Line({ functionId: functionOf(frame), line: frame.line ?? 0 });
      location = new format.Location({ id: locations.size + 1, mappingId: mappingOf(frame.module), line: [line] });
      locations.set(key, location);
    }
    return Number(location.id);
  };

  const sample = maps.flatMap(({ samples }, place) =>
    samples.map(({ frames, value }) => {
      // Innermost first.
      const locationId = frames.map(locationOf).reverse();
      return new format.Sample({
        locationId,
        value: maps.map((_, i) => (i === place ? lesser(value, mostOfProfile) : 0n)),
      });
    }),
  );
  const unit = strings.dedup("count");
  const sampleType = maps.map(
    ({ name }) => new format.ValueType({ type: strings.dedup(name.slice(1) || "samples"), unit }),
  );
  const profile = new format.Profile({
    sampleType,
    sample,
    mapping: [...mappings.values()],
    location: [...locations.values()],
    function: [...functions.values()],
    stringTable: strings,
    timeNanos: nanoseconds,
  });
  return profile.encode();
}
