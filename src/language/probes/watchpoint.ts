import { placeAs } from "../attach-place.js";
import type { Candidate, Probe } from "../probe.js";
import { noMatches, parseCount, wrongForm } from "./common.js";

const forms = ["watchpoint:ADDRESS:LENGTH:MODE"];

/** uapi/linux/hw_breakpoint.h. */
const modeBits: Readonly<Record<string, number>> = { r: 1, w: 2, x: 4 };

/**
 * What the processor can watch for: Intel's manual, volume 3, 18.2.4 (no reads alone), and arch_build_bp_info() of
 * arch/arm64/kernel/hw_breakpoint.c, v6.18.
 */
const modes = { x86_64: ["w", "rw", "x"], arm64: ["r", "w", "rw", "x"] } as const;

const lengths: readonly bigint[] = [1n, 2n, 4n, 8n];

export const watchpoint: Probe = {
  name: "watchpoint",
  aliases: ["w", "asyncwatchpoint", "aw"],
  doc: "Memory that is written (w), read or written (rw), or run (x), watched by the processor; with -p or -c in that process, otherwise in the kernel.",
  forms,
  needs: "breakpoint",
  bind(parts, context): readonly Candidate[] {
    const name = ["watchpoint", ...parts].join(":");
    const [where = "", size = "", access = ""] = parts;
    if (parts.length !== 3) return wrongForm(context, forms, `'${name}' is no watchpoint`);
    const address = parseCount(where);
    if (address === undefined || address === 0n || address >= 1n << 64n) {
      return wrongForm(
        context,
        forms,
        /^\w+\+arg[0-9]+$/.test(where)
          ? `'${where}': bpftrace has given up watchpoints on arguments; print the address in a uprobe, and watch that`
          : `'${where}' is no address to watch`,
      );
    }
    const length = parseCount(size);
    if (length === undefined || !lengths.includes(length))
      return wrongForm(context, forms, `a watchpoint is 1, 2, 4 or 8 bytes long, not '${size}'`);
    const known: readonly string[] = modes[context.kernel.arch];
    const mode = [...access].sort().join("");
    if (!known.includes(mode)) {
      return wrongForm(
        context,
        forms,
        `'${access}' is no way to watch memory; on ${context.kernel.arch} there are ${known.join(", ")}`,
      );
    }
    if (context.kernel.feature("breakpoint") === "no")
      return noMatches(
        context,
        "this machine does not tell of hardware breakpoints: the processor has none, or the virtual machine that this is takes them and never says that one was hit",
        "a uprobe at the code that writes there may do",
      );
    const watched = {
      address,
      length: Number(length),
      access: [...mode].reduce((bits, letter) => bits | (modeBits[letter] ?? 0), 0),
      pid: context.pid,
    };
    return [
      {
        name,
        func: "",
        place: { kind: "watchpoint", watched },
        variant: {
          // A program of its own: the events of new threads inherit the program, but not the attach cookie
          // (kernel/events/core.c, perf_event_alloc(), v6.18).
          key: `watchpoint:${context.span.start}:${name}`,
          type: "perf_event",
          expectedAttachType: 0,
          context: { kind: "registers", space: context.pid === undefined ? "kernel" : "user" },
          noArgs: "a watchpoint has no arguments",
          hasArgN: false,
          preemptible: false,
        },
      },
    ];
  },
  attach: (port, program, _variant, items) =>
    port.each(items, ({ target, id }) => port.watchpoint(program, placeAs(target.place, "watchpoint").watched, id)),
};
