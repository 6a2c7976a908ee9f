// Actions at one place run in the order in which the script has them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lacks, lines, trace } from "../support/run.js";
import { shell } from "../support/workload.js";

/** Three actions, the last of which ends the line; each says which it is when a process of that name fires the probe. */
async function order(probe: string): Promise<readonly string[]> {
  const action = (text: string): string => `${probe} /comm == "beetrace-order"/ { printf("${text}"); }`;
  const { out } = await trace(["-e", ["1", "2", "3\\n"].map(action).join("\n")], () => {
    shell("cp /bin/sleep /tmp/beetrace-order && /tmp/beetrace-order 0.001; rm -f /tmp/beetrace-order");
  });
  return lines(out);
}

const places = [
  ["kprobe:hrtimer_nanosleep", "kprobe"],
  ["kretprobe:hrtimer_nanosleep", "kprobe"],
  ["kprobe:hrtimer_nanosleep*", "kprobeMulti"],
  ["kretprobe:hrtimer_nanosleep*", "kprobeMulti"],
  ["fentry:hrtimer_nanosleep", "fentry"],
  ["fexit:hrtimer_nanosleep", "fentry"],
  ["rawtracepoint:sched_process_exit", "btfRawTracepoint"],
  ["tracepoint:sched:sched_process_exit", "btfRawTracepoint"],
  ["tracepoint:syscalls:sys_enter_clock_nanosleep", "btfRawTracepoint"],
] as const;

for (const [probe, feature] of places)
  test(`the order of three actions at ${probe}`, { skip: lacks(feature) }, async () => {
    assert.deepEqual(await order(probe), ["123"]);
  });
