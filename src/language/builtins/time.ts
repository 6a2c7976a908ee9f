import type { Diagnostics } from "../../base/diagnostics.js";
import type { Span } from "../../base/span.js";
import { fieldWidth, widestField } from "../../output/format-time.js";
import { type Clock, clocks, none, u64 } from "../../types/type.js";
import { timestampLayout } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import type { TypedArg } from "../typed.js";
import { builtin, literalText, valueArg } from "./define.js";

interface NamedClock {
  readonly clock: Clock;
  readonly helper: string;
}

const tai: NamedClock = { clock: "tai", helper: "ktime_get_tai_ns" };
const monotonic: NamedClock = { clock: "monotonic", helper: "ktime_get_ns" };

const named: ReadonlyMap<string, NamedClock> = new Map([
  ["monotonic", monotonic],
  ["boot", { clock: "boot", helper: "ktime_get_boot_ns" }],
  ["tai", tai],
  // Asked of the kernel too: bpftrace adds up clocks because of kernels without that helper.
  ["sw_tai", tai],
]);

const clockOf = (args: readonly TypedArg[]): NamedClock | undefined =>
  named.get(args[0]?.kind === "word" ? args[0].word : "monotonic");

const nsecs: Builtin = {
  name: "nsecs",
  bare: true,
  params: [{ name: "clock", kind: "word", optional: true }],
  doc: "Nanoseconds since boot: by default of the monotonic clock, or nsecs(boot), which counts suspended time too, or nsecs(tai), also sw_tai, international atomic time (Linux 6.1).",
  result: ({ diags, span }, args) => {
    const found = clockOf(args);
    if (found === undefined) {
      const word = args[0]?.kind === "word" ? args[0].word : "";
      diags.error("bad-clock", span, `there is no clock '${word}'`, {
        hint: `clocks: ${[...named.keys()].join(", ")}`,
      });
    }
    return { ...u64, clock: found?.clock };
  },
  value: (l, args) => l.b.call((clockOf(args) ?? monotonic).helper, []),
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

/** A format of strftime(3) whose fields have a size that can be meant. */
function checkFormat(diags: Diagnostics, span: Span, format: string): void {
  if (fieldWidth(format) > widestField)
    diags.error("bad-format", span, `a field of a time can be ${widestField} characters wide`);
}

const strftime: Builtin = {
  name: "strftime",
  params: [
    { name: "format", kind: "literal-string" },
    { name: "nanoseconds", kind: "int" },
  ],
  doc: "A moment as text, in the format of strftime(3) in the C locale and the time zone of TZ or /etc/localtime; %f is the microsecond. The nanoseconds are those of any clock of nsecs(), also where a variable or a map has kept them, or something was added; others are taken for the monotonic clock's. Formatted by user space.",
  result: ({ diags, span }, args) => {
    const moment = valueArg(args, 1);
    checkFormat(diags, span, literalText(args, 0));
    if (moment.type.kind === "int" && moment.type.clock === "several") {
      diags.error("mixed-clocks", span, "these nanoseconds are of several clocks", {
        hint: "use a variable or a map for each clock",
      });
    }
    if (moment.kind === "const" && moment.value < 0n) {
      diags.error("negative-time", span, "a moment cannot be negative", {
        hint: "strftime takes nanoseconds of a clock, e.g. nsecs",
      });
    }
    return { kind: "timestamp" };
  },
  into: (l, args, _type, dest) => {
    const { b } = l;
    const moment = valueArg(args, 1);
    b.store(8, dest.base, dest.offset + timestampLayout.nanoseconds, l.value(moment));
    const clock = moment.type.kind === "int" ? moment.type.clock : undefined;
    const number = clock === undefined || clock === "several" ? 0n : BigInt(clocks.indexOf(clock));
    const word = BigInt(l.text(literalText(args, 0))) | (number << 32n);
    b.store(8, dest.base, dest.offset + timestampLayout.format, b.const(word));
  },
};

const time: Builtin = {
  name: "time",
  params: [{ name: "format", kind: "literal-string", optional: true }],
  result: ({ diags, span }, args) => {
    if (args.length > 0) checkFormat(diags, span, literalText(args, 0));
    return none;
  },
  doc: "Prints the time of day at which user space handles the event, in the format of strftime(3); by default %H:%M:%S and a line end.",
  value: (l, args) => {
    const format = args.length > 0 ? literalText(args, 0) : "%H:%M:%S\n";
    l.send(() => ({ kind: "time", format, isControl: true }), []);
    return undefined;
  },
};

export const timeBuiltins: readonly Builtin[] = [nsecs, elapsed, jiffies, strftime, time];
