import type { Span } from "../base/span.js";
import type { TypedExpr } from "../language/typed.js";
import { i64 } from "../types/type.js";

/**
 * Macros of the kernel's headers that scripts use where these are not installed (include/linux/socket.h and sched.h, the
 * same since Linux 2.6); a header that defines them comes first.
 */
const constants: Readonly<Record<string, bigint>> = { AF_UNIX: 1n, AF_INET: 2n, AF_INET6: 10n, TASK_RUNNING: 0n };

export function namedConstant(name: string, span: Span): TypedExpr | undefined {
  const value = Object.hasOwn(constants, name) ? constants[name] : undefined;
  return value === undefined ? undefined : { kind: "const", value, type: i64, span };
}
