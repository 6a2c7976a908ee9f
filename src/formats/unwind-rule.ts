// How a caller's frame is found, in 32 bits: what a row of an unwind table says of the instructions that it is about.

/** Registers by their DWARF numbers. x86-64: System V ABI, figure 3.36; a call pushes the return address. */
export const x86CallFrame = {
  stackPointer: 7,
  framePointer: 6,
  returnAddress: 16,
  firstArgument: 5,
  base: 3,
  word: 8,
} as const;

/**
 * Where the CFA is, the value of the stack pointer in the caller. The return address is in the word below it, except for
 * those behind {@link plt}. `offset` counts words.
 */
export const cfaKinds = {
  /** Nothing is known of these instructions. */
  none: 0,
  /** Stack pointer + offset. */
  stackPointer: 1,
  /** Frame pointer + offset. */
  framePointer: 2,
  /** A word above the address that is in memory at the stack pointer + offset: OpenSSL's loops, which keep their caller's. */
  atStackPointer: 3,
  /** In memory at the frame pointer + offset. */
  atFramePointer: 4,
  /** An entry of the procedure linkage table: it pushes a word on the way; `offset` is the byte of 16 behind the push. */
  plt: 5,
  /** The code that returns from a signal: the interrupted registers lie on the stack, {@link signalFrame}. */
  signal: 6,
  /** The first function of a thread: there is no caller. */
  outermost: 7,
  /** The file says it in a way that a rule has no room for. */
  unsupported: 8,
  /**
   * Stack pointer + offset, with the return address in the register of a first argument, which is known of the innermost frame
   * alone: vfork() of glibc, whose child would overwrite it on the stack.
   */
  returnInRegister: 9,
} as const;

/**
 * struct rt_sigframe from the stack pointer of its return on, x86-64 (uapi/asm/sigcontext.h and ucontext.h, Linux 6.18):
 * struct ucontext with uc_mcontext at 40, there bp, bx, sp and ip as the 11th, 12th, 16th and 17th word.
 */
export const signalFrame = { framePointer: 120, base: 128, stackPointer: 160, instructionPointer: 168 } as const;

/** What became of the caller's frame pointer; offsets count words. */
export type FramePointerRule =
  | { readonly kind: "same" }
  /** Saved at the CFA + offset, which is negative. */
  | { readonly kind: "at-cfa"; readonly offset: number }
  /** Saved at this function's frame pointer + offset, not negative: functions that align their stack. */
  | { readonly kind: "at-frame-pointer"; readonly offset: number };

/** Bits: 4 of the kind, 12 signed of the frame pointer (0 same, below CFA, above: frame pointer + 1), 16 signed of the CFA. */
export const ruleBits = { kind: 4, framePointer: 12, cfa: 16 } as const;

const farthestFramePointer = 2 ** (ruleBits.framePointer - 1);
const farthestCfa = 2 ** (ruleBits.cfa - 1);

/** The rule in 32 bits; `unsupported` if an offset is too large. */
export function encodeRule(kind: number, cfaOffset: number, framePointer: FramePointerRule): number {
  let saved = 0;
  if (framePointer.kind === "at-cfa") saved = framePointer.offset;
  else if (framePointer.kind === "at-frame-pointer") saved = framePointer.offset + 1;
  const fits =
    inRange(cfaOffset, farthestCfa) &&
    inRange(saved, farthestFramePointer) &&
    (framePointer.kind !== "at-cfa" || saved < 0) &&
    (framePointer.kind !== "at-frame-pointer" || saved > 0);
  if (!fits) return cfaKinds.unsupported;
  return ((cfaOffset << 16) | ((saved & (2 * farthestFramePointer - 1)) << 4) | kind) >>> 0;
}

const inRange = (n: number, limit: number): boolean => Number.isInteger(n) && n >= -limit && n < limit;

export interface UnwindRule {
  readonly kind: number;
  readonly cfaOffset: number;
  readonly framePointer: FramePointerRule;
}

export function decodeRule(bits: number): UnwindRule {
  const saved = (bits << 16) >> 20;
  let framePointer: FramePointerRule = { kind: "same" };
  if (saved < 0) framePointer = { kind: "at-cfa", offset: saved };
  else if (saved > 0) framePointer = { kind: "at-frame-pointer", offset: saved - 1 };
  return { kind: bits & 15, cfaOffset: bits >> 16, framePointer };
}
