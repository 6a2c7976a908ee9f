// beetrace -k: programs say which helper failed, and where in the script.

import type { Span } from "../base/span.js";
import type { FunctionBuilder } from "../ir/builder.js";
import type { Value } from "../ir/ir.js";
import type { ProgramLowering } from "./program-lowering.js";
import { sendBytes } from "./records.js";

/** Helpers that fail because of what the script asks for, with a negative result. */
const reported: ReadonlySet<string> = new Set([
  "probe_read_kernel",
  "probe_read_user",
  "probe_read_kernel_str",
  "probe_read_user_str",
  "map_update_elem",
  "get_current_comm",
  "d_path",
  "override_return",
  "probe_write_user",
]);

/** Lets a function of the program report its helpers. */
export function watchHelpers(p: ProgramLowering, b: FunctionBuilder): void {
  if (!p.object.checkHelpers) return;
  b.afterCall = (helper, result) => {
    if (!reported.has(helper)) return;
    // Results of map helpers are 32 bits wide up to Linux 6.3; no other is larger.
    const code = b.ext(4, true, result);
    p.ifNegative(code, () => tell(p, helper, code, p.span));
  };
}

/** Code whose updates may fail without a loss. */
export function quietly(b: FunctionBuilder, emit: () => void): void {
  const watch = b.afterCall;
  b.afterCall = undefined;
  emit();
  b.afterCall = watch;
}

/** Reports an update that is lost. */
export function reportUpdate(p: ProgramLowering, code: Value): void {
  if (p.object.checkHelpers) tell(p, "map_update_elem", p.b.ext(4, true, code), p.span);
}

/** Reports a key that is not in its map: the script reads 0. */
export function missingEntry(p: ProgramLowering, span: Span): void {
  if (p.object.checkHelpers) tell(p, "map_lookup_elem", p.b.const(0), span);
}

function tell(p: ProgramLowering, helper: string, code: Value, span: Span): void {
  const { b } = p;
  quietly(b, () =>
    sendBytes(p, { kind: "helper-error", helper, span }, 8, (dest) => b.store(8, dest.base, dest.offset, code)),
  );
}
