import {
  BPF_BTF_LOAD,
  BPF_ENABLE_STATS,
  BPF_OBJ_GET_INFO_BY_FD,
  BPF_PROG_LOAD,
  BPF_PROG_TEST_RUN,
  btfLoadAttr,
  enableStatsAttr,
  infoAttr,
  progInfo,
  progLoadAttr,
  testRunAttr,
} from "../abi/bpf.js";
import { EAGAIN, ENOSPC } from "../abi/errno.js";
import { cString, memory, zeroed } from "../abi/struct.js";
import { bpf } from "./bpf-call.js";
import { Fd } from "./fd.js";
import type { Sys } from "./sys.js";
import { check, SyscallError } from "./syscall-error.js";

export interface NewProgram {
  readonly name: string;
  readonly type: number;
  readonly code: Uint8Array;
  /** "GPL" if not given. */
  readonly license?: string;
  readonly expectedAttachType: number;
  /** Of the kernel's BTF, or of what `attachTo` is; 0 for none. */
  readonly attachBtfId: number;
  /** The program that it is attached to, or the BTF of a module (since 5.11). */
  readonly attachTo?: Fd | undefined;
  readonly flags?: number;
  /** Where the functions in the code begin, by instruction, and their types in a BTF; callbacks need it. */
  readonly functions?: { readonly btf: Fd; readonly starts: readonly FunctionStart[] } | undefined;
}

export interface FunctionStart {
  readonly insn: number;
  readonly typeId: number;
}

/** BPF_PROG_LOAD failed; `log` is what the verifier said, empty if it never ran. */
export class ProgLoadError extends SyscallError {
  readonly log: string;

  constructor(program: string, errno: number, log: string) {
    super(`bpf(BPF_PROG_LOAD, "${program}")`, errno);
    this.log = log;
  }
}

// Helpers marked gpl_only need it (include/linux/license.h lists what counts). The programs are made from the user's
// script on the user's machine and given to nobody, so that the project's own license is not what is asked for.
const usualLicense = "GPL";

/** Of one load; the more of them, the less likely that signals only happen to come. */
const mostInterruptions = 50;

const firstLogSize = 1 << 18;
/** The verifier refuses more: UINT_MAX >> 2, kernel/bpf/log.c, bpf_verifier_log_attr_valid(), v6.18. */
const maxLogSize = 1 << 28;

/**
 * Loads a program. First without a log, because writing one costs the verifier more than the check itself; on failure
 * once more with one, with ever larger buffers.
 */
export function progLoad(sys: Sys, program: NewProgram): Fd {
  // The verifier gives up with EAGAIN when a signal is pending, though there is nothing wrong with the program.
  let first = tryLoad(sys, program, undefined);
  for (let i = 0; first === -EAGAIN && i < mostInterruptions; i++) first = tryLoad(sys, program, undefined);
  if (first >= 0) return Fd.own(sys, first, `program ${program.name}`);
  for (let size = firstLogSize; ; size *= 8) {
    const log = zeroed(Math.min(size, maxLogSize));
    const result = tryLoad(sys, program, log);
    // It may have failed for want of memory, and now it does not.
    if (result >= 0) return Fd.own(sys, result, `program ${program.name}`);
    // ENOSPC: the log did not fit. It is then of no use for the message, which stands at its end.
    if (result === -ENOSPC && size < maxLogSize) continue;
    const end = log.indexOf(0);
    throw new ProgLoadError(program.name, -result, Buffer.from(log.subarray(0, end < 0 ? log.length : end)).toString());
  }
}

function tryLoad(sys: Sys, program: NewProgram, log: Uint8Array | undefined): number {
  const attr = progLoadAttr.encode(
    {
      prog_type: program.type,
      insn_cnt: program.code.length / 8,
      insns: memory(program.code),
      license: cString(program.license ?? usualLicense),
      prog_name: program.name,
      prog_flags: program.flags,
      expected_attach_type: program.expectedAttachType,
      attach_btf_id: program.attachBtfId,
      attach_prog_fd: program.attachTo?.raw,
      ...functionInfo(program.functions),
      log_level: log === undefined ? 0 : 1,
      log_size: log?.length ?? 0,
      log_buf: log === undefined ? undefined : memory(log),
    },
    sys.addressOf,
  );
  return bpf(sys, BPF_PROG_LOAD, attr);
}

/** struct bpf_func_info: u32 insn_off, u32 type_id; v5.0. */
const functionInfoSize = 8;

function functionInfo(functions: NewProgram["functions"]): Parameters<typeof progLoadAttr.encode>[0] {
  if (functions === undefined) return {};
  const bytes = zeroed(functionInfoSize * functions.starts.length);
  const view = new DataView(bytes.buffer);
  functions.starts.forEach(({ insn, typeId }, i) => {
    view.setUint32(functionInfoSize * i, insn, true);
    view.setUint32(functionInfoSize * i + 4, typeId, true);
  });
  return {
    prog_btf_fd: functions.btf.raw,
    func_info_rec_size: functionInfoSize,
    func_info: memory(bytes),
    func_info_cnt: functions.starts.length,
  };
}

/** Gives the kernel BTF of our own; since v4.18. */
export function btfLoad(sys: Sys, btf: Uint8Array): Fd {
  const bytes = zeroed(btf.length);
  bytes.set(btf);
  const attr = btfLoadAttr.encode({ btf: memory(bytes), btf_size: bytes.length }, sys.addressOf);
  return Fd.own(sys, check(bpf(sys, BPF_BTF_LOAD, attr), "bpf(BPF_BTF_LOAD)"), "the program's BTF");
}

/**
 * Runs a raw_tracepoint program once, here and now, on the CPU that the thread runs on; net/bpf/test_run.c,
 * bpf_prog_test_run_raw_tp(), v5.10. Returns what the program returned.
 */
export function progTestRun(sys: Sys, program: Fd): number {
  const attr = testRunAttr.encode({ "test.prog_fd": program.raw }, sys.addressOf);
  check(bpf(sys, BPF_PROG_TEST_RUN, attr), () => `bpf(BPF_PROG_TEST_RUN, ${program.what})`);
  const at = testRunAttr.fields["test.retval"][0];
  return new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(at, true);
}

/**
 * The same of a program of type syscall, in a thread of libuv's pool: it may wait for this one. bpf_prog_test_run_syscall(), v5.14.
 */
export async function progRunInThread(sys: Sys, program: Fd): Promise<void> {
  const attr = testRunAttr.encode({ "test.prog_fd": program.raw }, sys.addressOf);
  check(
    await sys.callInThread("bpf", BPF_PROG_TEST_RUN, attr, attr.bytes.length),
    () => `bpf(BPF_PROG_TEST_RUN, ${program.what})`,
  );
}

/**
 * Raw bytes of bpf_prog_info, bpf_map_info, bpf_link_info or bpf_btf_info, as many as the kernel fills in of `size`.
 * `prepare` may write into them first what the kernel looks at: where memory is that it is to fill.
 */
export function objGetInfo(
  sys: Sys,
  object: Fd,
  size: number,
  prepare: (view: DataView) => void = () => undefined,
): Uint8Array {
  const bytes = zeroed(size);
  prepare(new DataView(bytes.buffer));
  const attr = infoAttr.encode(
    { "info.bpf_fd": object.raw, "info.info_len": size, "info.info": memory(bytes) },
    sys.addressOf,
  );
  check(bpf(sys, BPF_OBJ_GET_INFO_BY_FD, attr), () => `bpf(BPF_OBJ_GET_INFO_BY_FD, ${object.what})`);
  const at = infoAttr.fields["info.info_len"][0];
  return bytes.subarray(0, new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(at, true));
}

export interface ProgramInfo {
  readonly id: number;
  /** Times that the kernel did not run it because it ran on that CPU already (since 5.12). */
  readonly recursionMisses: bigint;
  /** Instructions that the verifier went through (since 5.16). */
  readonly verifiedInstructions: number;
  /** Of the runs while enableRunStats() was on. */
  readonly runNanoseconds: bigint;
  readonly runs: bigint;
}

export function programInfo(sys: Sys, program: Fd): ProgramInfo {
  const bytes = objGetInfo(sys, program, progInfo.size);
  const padded = zeroed(progInfo.size);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  const { id, recursion_misses, verified_insns, run_time_ns, run_cnt } = progInfo.fields;
  return {
    id: view.getUint32(id, true),
    runNanoseconds: view.getBigUint64(run_time_ns, true),
    runs: view.getBigUint64(run_cnt, true),
    recursionMisses: view.getBigUint64(recursion_misses, true),
    verifiedInstructions: view.getUint32(verified_insns, true),
  };
}

/** Has the kernel measure how long programs run, until the descriptor is closed; kernel/bpf/syscall.c, v5.8. */
export function enableRunStats(sys: Sys): Fd {
  const attr = enableStatsAttr.encode({ "enable_stats.type": 0 }, sys.addressOf);
  return Fd.own(sys, check(bpf(sys, BPF_ENABLE_STATS, attr), "bpf(BPF_ENABLE_STATS)"), "run time statistics");
}
