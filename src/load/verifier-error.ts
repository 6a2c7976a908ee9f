import { EAGAIN } from "../abi/errno.js";
import { helpers } from "../abi/helpers.js";
import { BeetraceError } from "../base/errors.js";
import type { Span } from "../base/span.js";
import type { ProgramSpec } from "../bpf/object.js";

/** What a verifier log says about a refused program. */
export interface VerifierVerdict {
  /** The message, without the states and statistics around it. */
  readonly reason: string;
  /** By 8-byte index, of the instruction that it stumbled over; undefined if the log names none. */
  readonly instruction: number | undefined;
}

/** The kernel's verifier refused a program: a bug of the compiler, or something that this kernel does not know yet. */
export class VerifierError extends BeetraceError {
  readonly program: string;
  readonly errno: number;
  readonly log: string;
  readonly reason: string;
  readonly instruction: number | undefined;
  /** Place in the script that the instruction was made from. */
  readonly span: Span | undefined;

  constructor(program: ProgramSpec, errno: number, log: string, cause: unknown) {
    const { reason, instruction } = parseVerifierLog(log);
    const where = instruction === undefined ? "" : ` at instruction ${instruction}`;
    const forbidden = forbiddenHelper(program, instruction, reason);
    const told = errno === EAGAIN ? "signals interrupted it again and again" : reason;
    const message = forbidden ?? `the kernel's verifier refused ${program.name}${where}: ${told}`;
    const hint =
      forbidden === undefined
        ? hintFor(reason, errno)
        : "the kernel allows it in some functions only; docs/builtins.md names some";
    super(message, { cause, hint });
    this.program = program.name;
    this.errno = errno;
    this.log = log;
    this.reason = reason;
    this.instruction = instruction;
    this.span = instruction === undefined ? undefined : spanNear(program, instruction);
  }
}

/** Words of the verifier about loops and size: kernel/bpf/verifier.c, v5.10 to v6.18. */
const unbounded = /back-edge|infinite loop|loop is not bounded|too complex|program is too large/i;

/** get_helper_proto() had none: check_helper_call(), kernel/bpf/verifier.c; `unknown func` until v6.14. */
const lackingHelper = /(?:program of this type cannot use helper|unknown func) (bpf_\w+)#/;

function hintFor(reason: string, errno: number): string {
  const helper = lackingHelper.exec(reason)?.[1];
  if (helper !== undefined)
    return `this kernel has no ${helper}() for programs of this type, or lockdown(7) keeps it from them; beetrace --info tells what it has`;
  if (errno === EAGAIN) return "a profiler of this process sends such signals, for one: try again without it";
  return unbounded.test(reason)
    ? "a loop needs a bound that the kernel can see"
    : "a script that compiles should load: please report it as a bug of beetrace, with the script and beetrace --info";
}

/** `fn->allowed()` said no: check_helper_call(), kernel/bpf/verifier.c, v5.10 to v6.18. Bpftrace's words. */
function forbiddenHelper({ code }: ProgramSpec, instruction: number | undefined, reason: string): string | undefined {
  if (instruction === undefined || !reason.includes("helper call is not allowed in probe")) return undefined;
  const id = new DataView(code.buffer, code.byteOffset, code.byteLength).getInt32(8 * instruction + 4, true);
  const name = [...helpers.values()].find((helper) => helper.id === id)?.name;
  return name === undefined ? undefined : `helper bpf_${name} not allowed in probe`;
}

/** Instructions that the compiler added itself have no place; the one before them is the nearest that has. */
function spanNear(program: ProgramSpec, instruction: number): Span | undefined {
  for (let i = Math.min(instruction, program.spans.length - 1); i >= 0; i--) {
    if (program.spans[i] !== undefined) return program.spans[i];
  }
  return undefined;
}

/** `12: (85) call bpf_map_lookup_elem#1`: print_bpf_insn() behind print_verifier_state(), kernel/bpf/verifier.c, v6.18. */
const instructionLine = /^(\d+): \([0-9a-f]{2}\) /;
/** `processed 12 insns (limit 1000000) ...` and `verification time 80 usec`: print_verification_stats(). */
const statistics = /^(processed \d+ insns|verification time|stack depth|insns processed)/;
/** State of registers: `12: R0=scalar() R10=fp0`, `; R1_w=...`, `from 3 to 7: R0=...`, `R0=inv1`. */
const state = /^(\d+: |; |from \d+ to \d+: |frame\d+: ?)?(frame\d+: ?)?(R\d+(_\w+)?=|fp-\d+|refs=|caller:|callee:|$)/;
/** Backtracking of precision and notes on the way. */
const noise =
  /^(mark_precise|regs=|parent |last_idx|propagating|caller|callee|func#\d+|returning from callee|Live regs|cur state:|old state:)/;
/** Checks that come before any instruction is simulated name the instruction in words. */
const inWords = /\b(?:insn|at insn|from insn|ldimm64 insn)\s*#?(\d+)/;

/** Finds message and instruction in a log of level 1. Logs may end in the middle: what is missing is left out. */
export function parseVerifierLog(log: string): VerifierVerdict {
  const lines = log.split("\n").map((line) => line.trimEnd());
  let instruction: number | undefined;
  let messages: string[] = [];
  for (const line of lines) {
    const simulated = instructionLine.exec(line);
    if (simulated !== null) {
      instruction = Number(simulated[1]);
      messages = [];
    } else if (line !== "" && !statistics.test(line) && !state.test(line) && !noise.test(line)) {
      messages.push(line);
    }
  }
  const reason = messages.slice(-3).join("; ");
  const named = inWords.exec(reason);
  // `unreachable insn 4`, `jump out of range from insn 5 to 100`: said before or after the simulation, not of its last.
  if (named !== null) instruction = Number(named[1]);
  return { reason: reason === "" ? "it gave no reason" : reason, instruction };
}
