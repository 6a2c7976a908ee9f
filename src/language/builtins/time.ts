import { u64 } from "../../types/type.js";
import { timestampLayout } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import { builtin, literalText, valueArg } from "./define.js";

const clocks: Readonly<Record<string, string>> = {
  monotonic: "ktime_get_ns",
  boot: "ktime_get_boot_ns",
  tai: "ktime_get_tai_ns",
  // Asked of the kernel too: bpftrace adds up clocks because of kernels without that helper.
  sw_tai: "ktime_get_tai_ns",
};

const nsecs: Builtin = {
  name: "nsecs",
  bare: true,
  params: [{ name: "clock", kind: "word", optional: true }],
  doc: "Nanoseconds since boot: by default of the monotonic clock, or nsecs(boot), which counts suspended time too, or nsecs(tai), also sw_tai, international atomic time (Linux 6.1).",
  result: ({ diags, span }, args) => {
    const word = args[0]?.kind === "word" ? args[0].word : "monotonic";
    if (!Object.hasOwn(clocks, word)) {
      diags.error("bad-clock", span, `there is no clock '${word}'`, {
        hint: `clocks: ${Object.keys(clocks).join(", ")}`,
      });
    }
    return u64;
  },
  value: (l, args) => l.b.call(clocks[args[0]?.kind === "word" ? args[0].word : "monotonic"] ?? "ktime_get_ns", []),
};

const elapsed = builtin({
  name: "elapsed",
  bare: true,
  params: [],
  type: u64,
  doc: "Nanoseconds since the trace began.",
  value: (l) => l.b.bin("sub", l.b.call("ktime_get_ns", []), l.startTime()),
});

const jiffies = builtin({
  name: "jiffies",
  bare: true,
  params: [],
  type: u64,
  doc: "The kernel's count of timer ticks.",
  since: "5.9",
  value: (l) => l.b.call("jiffies64", []),
});

const strftime: Builtin = {
  name: "strftime",
  params: [
    { name: "format", kind: "literal-string" },
    { name: "nanoseconds", kind: "int" },
  ],
  doc: "A moment of the monotonic clock as text, in the format of strftime(3); %f is the microsecond. Formatted by user space.",
  result: ({ diags, span }, args) => {
    const moment = valueArg(args, 1);
    if (moment.kind === "const" && moment.value < 0n) {
      diags.error("negative-time", span, "a moment cannot be negative", {
        hint: "strftime takes nanoseconds since boot, e.g. nsecs",
      });
    }
    return { kind: "timestamp" };
  },
  into: (l, args, _type, dest) => {
    const { b } = l;
    b.store(8, dest.base, dest.offset + timestampLayout.nanoseconds, l.value(valueArg(args, 1)));
    b.store(8, dest.base, dest.offset + timestampLayout.format, b.const(l.text(literalText(args, 0))));
  },
};

const time = builtin({
  name: "time",
  params: [{ name: "format", kind: "literal-string", optional: true }],
  type: { kind: "none" },
  doc: "Prints the time of day at which user space handles the event, in the format of strftime(3); by default %H:%M:%S and a line end.",
  value: (l, args) => {
    const format = args.length > 0 ? literalText(args, 0) : "%H:%M:%S\n";
    l.send(
      (size) => ({ name: "time", size, run: (host) => host.emit({ kind: "time", text: host.formatNow(format) }) }),
      [],
    );
    return undefined;
  },
});

export const timeBuiltins: readonly Builtin[] = [nsecs, elapsed, jiffies, strftime, time];
