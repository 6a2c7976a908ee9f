import type { StackMode, Type } from "../../types/type.js";
import type { CheckContext, Param } from "../builtin.js";
import type { TypedArg } from "../typed.js";
import { literalNumber } from "./define.js";

/** Frames of a stack if the script does not say; the kernel keeps at most kernel.perf_event_max_stack, 127. */
const defaultDepth = 127;
const modes: readonly StackMode[] = ["bpftrace", "perf", "raw", "build_id"];

/** What kstack, ustack and dw_ustack take: a mode, a depth, or both. */
export const stackParams: readonly Param[] = [
  { name: "mode or depth", kind: "word-or-int", optional: true },
  { name: "depth", kind: "literal-int", optional: true },
];

/** The type of a stack; `unwound` is one that programs unwind themselves, by tables. */
export function stackType(context: CheckContext, args: readonly TypedArg[], of: "kernel" | "user" | "unwound"): Type {
  let mode: StackMode = context.config.stack_mode satisfies StackMode;
  let depth = defaultDepth;
  for (const arg of args) {
    if (arg.kind === "word") {
      const found = modes.find((m) => m === arg.word);
      if (found === undefined) {
        context.diags.error("bad-stack-mode", arg.span, `there is no stack mode '${arg.word}'`, {
          hint: `modes: ${modes.join(", ")}`,
        });
      } else mode = found;
    } else {
      const value = literalNumber([arg], 0);
      if (value !== undefined) depth = Number(value);
    }
  }
  if (depth < 1 || depth > defaultDepth) {
    context.diags.error("bad-stack-depth", context.span, `a stack has 1 to ${defaultDepth} frames`, {
      hint: "the kernel records no more than kernel.perf_event_max_stack",
    });
    depth = defaultDepth;
  }
  if (mode === "build_id" && of !== "user") {
    const asked = args.some((arg) => arg.kind === "word");
    if (asked) context.diags.error("bad-stack-mode", context.span, "'build_id' stack mode can only be used for ustack");
    mode = "bpftrace";
  }
  return { kind: "stack", user: of !== "kernel", mode, depth, ...(of === "unwound" ? { unwound: true } : {}) };
}
