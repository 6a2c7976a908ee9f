import type { Builtin, CheckContext } from "../builtin.js";
import { tablesLack } from "../user-stacks.js";
import { stackParams, stackType } from "./stack-type.js";
import { lowerUnwoundStack, takeUnwoundFrames } from "./unwind-stack.js";

function checkUsable({ kernel, diags, span, hasUnwindTargets }: CheckContext): void {
  const refuse = (message: string, hint: string): void =>
    diags.error("no-unwinding", span, `dw_ustack ${message}`, { hint });
  if (!hasUnwindTargets) {
    refuse(
      "requires a target process",
      "-p PID, -c COMMAND and --dwarf-pid PID name one, and --tree, --container, --cgroup, --uid and --comm many: the tables of their files are read",
    );
    return;
  }
  const lack = tablesLack(kernel);
  if (lack !== undefined) refuse(lack, "ustack takes its stacks by frame pointers");
}

/** The user stack by unwinding tables, whatever the process keeps. */
export const dwUstack: Builtin = {
  name: "dw_ustack",
  bare: true,
  since: "5.17",
  sends: () => true,
  doc: "The user stack of a target process (-p, -c, --dwarf-pid, and what they start) by the unwinding tables that its files carry (.eh_frame), for programs and libraries built without frame pointers: dw_ustack, dw_ustack(depth), dw_ustack(mode, depth). x86-64 only.",
  params: stackParams,
  result: (context, args) => {
    checkUsable(context);
    return stackType(context, args, "unwound");
  },
  into: (l, _args, type, dest) => {
    if (type.kind !== "stack") throw new Error("internal: a stack without depth");
    lowerUnwoundStack(l, type, dest, "targets");
  },
  takeFrames: (l, type, to) => takeUnwoundFrames(l, type, to, "targets"),
};
