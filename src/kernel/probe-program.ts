import { progTypes } from "../abi/bpf.js";
import { BPF_CALL, BPF_EXIT, BPF_JMP, BPF_PSEUDO_KFUNC_CALL } from "../abi/bpf-insn.js";
import { EACCES, EINVAL, EPERM } from "../abi/errno.js";
import { helpers } from "../abi/helpers.js";
import type { ProgType } from "../abi/program-type.js";
import { zeroed } from "../abi/struct.js";
import type { FeatureAnswer, FeatureReply } from "../language/needs.js";
import type { Fd } from "../sys/fd.js";
import { ProgLoadError, progLoad } from "../sys/prog-calls.js";
import type { Sys } from "../sys/sys.js";
import { SyscallError } from "../sys/syscall-error.js";

/** code, dst and src, offset, immediate: struct bpf_insn. */
export type Instruction = readonly [code: number, registers: number, offset: number, immediate: number];

export const exitInstruction: Instruction = [BPF_JMP | BPF_EXIT, 0, 0, 0];

export function assemble(instructions: readonly Instruction[]): Uint8Array {
  const bytes = zeroed(8 * instructions.length);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, registers, offset, immediate]] of instructions.entries()) {
    view.setUint8(8 * i, code);
    view.setUint8(8 * i + 1, registers);
    view.setInt16(8 * i + 2, offset, true);
    view.setInt32(8 * i + 4, immediate, true);
  }
  return bytes;
}

export interface TrialProgram {
  readonly type: ProgType;
  readonly instructions: readonly Instruction[];
  readonly expectedAttachType?: number;
  readonly attachBtfId?: number;
  readonly flags?: number;
}

export function loadTrial(sys: Sys, trial: TrialProgram): Fd {
  return progLoad(sys, {
    name: "bt_feature",
    type: progTypes[trial.type],
    code: assemble(trial.instructions),
    expectedAttachType: trial.expectedAttachType ?? 0,
    attachBtfId: trial.attachBtfId ?? 0,
    flags: trial.flags ?? 0,
  });
}

/** What the error numbers of a trial mean; others, and EPERM of a process without rights, leave the answer open. */
export function answer(trial: () => void, meaning: Readonly<Record<number, FeatureAnswer>>): FeatureReply {
  try {
    trial();
    return "yes";
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const known = meaning[error.errno] ?? "unknown";
    return known === "unknown" ? { unknown: error.message } : known;
  }
}

/** Whether programs of that type can have those instructions: what the verifier does not know is EINVAL. */
export const loads = (sys: Sys, trial: TrialProgram): FeatureReply =>
  answer(() => loadTrial(sys, trial)[Symbol.dispose](), { [EINVAL]: "no", [EPERM]: "unknown" });

/**
 * Whether programs of that type can call a helper. Its arguments are never set: for an unknown helper the verifier says
 * EINVAL before it looks at arguments (check_helper_call(), kernel/bpf/verifier.c, v5.15 to v6.18), for a known one
 * EACCES, or it accepts the call because the context in r1 is the only argument.
 */
export const hasHelper = (
  sys: Sys,
  type: ProgType,
  helper: string,
  attach: Pick<TrialProgram, "expectedAttachType" | "attachBtfId" | "flags"> = {},
  meaning: Readonly<Record<number, FeatureAnswer>> = {},
): FeatureReply =>
  answer(
    () => {
      const id = helpers.get(helper)?.id ?? 0;
      const call: Instruction = [BPF_JMP | BPF_CALL, 0, 0, id];
      loadTrial(sys, { type, instructions: [call, exitInstruction], ...attach })[Symbol.dispose]();
    },
    { [EACCES]: "yes", [EINVAL]: "no", ...meaning },
  );

/**
 * Whether programs of that type may call a function of the kernel. Its arguments are never set, so that the program is
 * refused either way, with the same errno; the verifier's words tell apart (check_kfunc_call(), kernel/bpf/verifier.c,
 * v5.13 to v6.18).
 */
export function kfuncAllowed(sys: Sys, type: ProgType, btfId: number): FeatureAnswer {
  const call: Instruction = [BPF_JMP | BPF_CALL, BPF_PSEUDO_KFUNC_CALL << 4, 0, btfId];
  try {
    loadTrial(sys, { type, instructions: [call, exitInstruction] })[Symbol.dispose]();
    return "yes";
  } catch (error) {
    if (!(error instanceof ProgLoadError)) throw error;
    if (/calling kernel function \S+ is not allowed/.test(error.log)) return "no";
    return error.errno === EACCES || error.errno === EINVAL ? "yes" : "unknown";
  }
}
