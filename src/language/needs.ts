/** What a kernel may or may not have; kernel/features.ts has one entry for each, which asks by trying. */
export const featureNames = [
  "btf",
  "ringBuffer",
  "attachCookie",
  "kprobe",
  "kprobeMulti",
  "kprobeSession",
  "uprobe",
  "uprobeMulti",
  "uprobeMultiProcess",
  "fentry",
  "functionArguments",
  "btfRawTracepoint",
  "rawTracepointCookie",
  "rawTracepointUnpreempted",
  "testRun",
  "sleepableRuns",
  "bpfLoop",
  "forEachMapElem",
  "cpuV4",
  "atomicFetch",
  "hardwareEvents",
  "breakpoint",
  "iter",
  "overrideReturn",
] as const;
export type FeatureName = (typeof featureNames)[number];

/** `unknown`: asking failed for another reason (permission, memory), so neither is certain. */
export type FeatureAnswer = "yes" | "no" | "unknown";

/** An answer that says, where it is unknown, why. */
export type FeatureReply = "yes" | "no" | { readonly unknown: string };

export const answerOf = (reply: FeatureReply): FeatureAnswer => (typeof reply === "string" ? reply : "unknown");
