import { readFileSync } from "node:fs";

/** A kind of perf event that has no number of its own in the ABI: Documentation/ABI/testing/sysfs-bus-event_source-devices. */
export interface Pmu {
  /** For perf_event_attr.type. */
  readonly type: number;
}

/** Undefined if the kernel has none of that name (built without kprobes or uprobes). */
export function readPmu(name: "kprobe" | "uprobe"): Pmu | undefined {
  try {
    return { type: Number(readFileSync(`/sys/bus/event_source/devices/${name}/type`, "latin1")) };
  } catch {
    return undefined;
  }
}
