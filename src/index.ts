export type { Diagnostic } from "./base/diagnostics.js";
export { BeetraceError } from "./base/errors.js";
export { PrivilegeError } from "./kernel/privileges.js";
export { AttachError } from "./load/attach-error.js";
export { VerifierError } from "./load/verifier-error.js";
export { type AttachOptions, attach, type RunningTrace, ScriptError } from "./trace/attach.js";
export { TargetError, type TargetOptions } from "./trace/task-targets.js";
export type { Loss, TraceEvent } from "./wire/event.js";
export type { Frame, MapSnapshot, Value } from "./wire/value.js";
