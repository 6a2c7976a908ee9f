// A stack from a piece of its memory, by the rules of its code: what language/builtins/unwind-step.ts has programs do, and
// where those have no room for a rule, by that, too.

import type { CallRule } from "./call-frame.js";
import { cfaKinds, ruleBits, signalFrame } from "./unwind-rule.js";

/**
 * Registers of a frame. Addresses are exact as numbers: programs have none above 2^53, unless they ask for it, and where the
 * kernel puts a page of its own there, it is a multiple of 4096.
 */
export interface FramePlace {
  readonly ip: number;
  readonly sp: number;
  /** NaN of what is no address, or not known: who keeps no frame pointers may have anything there. */
  readonly fp: number;
  /** rbx, in the same way. */
  readonly base: number;
  /** rdi, in the same way; that of callers is not known. */
  readonly argument: number;
  /** The instruction comes next; else it is the one behind a call. */
  readonly exact: boolean;
}

export interface StackAndCode {
  /** Memory of the stack; undefined for words that are not there, NaN for those that are no address. */
  wordAt(address: number): number | undefined;
  /** What is known of the code at an address: its rule, that no file has it, or nothing. */
  codeAt(address: number): CallRule | "no file" | undefined;
  /** Where functions with a uretprobe return to, 0 if none do. */
  readonly trampoline: number;
  /** What stood in a word of the stack that now has that address. */
  replacedAt(address: number): number | undefined;
}

/** Why a stack ends: with the first function of its thread, at the limit, or before. */
export type FramesEnd = "whole" | "full" | "unmapped" | "no-rule" | "unreadable";

export interface Callers {
  readonly frames: readonly number[];
  readonly end: FramesEnd;
}

const word = 8;

/** The callers of a frame, at most `most`. */
export function callersOf(from: FramePlace, stack: StackAndCode, most: number): Callers {
  const { wordAt, codeAt, trampoline } = stack;
  const frames: number[] = [];
  for (let place = from; ; ) {
    if (frames.length === most) return { frames, end: "full" };
    const rule = codeAt(place.exact ? place.ip : place.ip - 1);
    if (rule === undefined) return { frames, end: "unmapped" };
    const next = rule === "no file" ? byFramePointer(place, wordAt) : byRule(rule, place, wordAt);
    if (typeof next === "string") return { frames, end: next };
    // No address to return to is how some begin their threads.
    if (next.ip === 0) return { frames, end: "whole" };
    const ip = next.ip === trampoline ? stack.replacedAt(next.sp - word) : next.ip;
    if (ip === undefined) return { frames, end: "unreadable" };
    frames.push(ip);
    place = { ...next, ip };
  }
}

type WordAt = StackAndCode["wordAt"];

function byRule(call: CallRule, place: FramePlace, wordAt: WordAt): FramePlace | FramesEnd {
  const { rule } = call;
  const { fp, ip } = place;
  const sp = call.fromBase ? place.base : place.sp;
  const offset = word * (rule >> (32 - ruleBits.cfa));
  switch (rule & (2 ** ruleBits.kind - 1)) {
    case cfaKinds.none:
      return byFramePointer(place, wordAt);
    case cfaKinds.stackPointer:
      return toCaller(sp + offset, call, place, wordAt);
    case cfaKinds.framePointer:
      return toCaller(fp + offset, call, place, wordAt);
    case cfaKinds.atStackPointer:
      return toCaller(plus(wordAt(sp + offset), word), call, place, wordAt);
    case cfaKinds.atFramePointer:
      return toCaller(wordAt(fp + offset), call, place, wordAt);
    case cfaKinds.plt:
      return toCaller(sp + word + (ip % 16 >= offset / word ? word : 0), call, place, wordAt);
    case cfaKinds.returnInRegister:
      return placeOf(place.argument, sp + offset, fp, place.base, false);
    case cfaKinds.signal: {
      const at = (distance: number): number | undefined => wordAt(sp + distance);
      const { instructionPointer, stackPointer, framePointer, base } = signalFrame;
      return placeOf(at(instructionPointer), at(stackPointer), at(framePointer), at(base), true);
    }
    case cfaKinds.outermost:
      return "whole";
    default:
      return "no-rule";
  }
}

const plus = (value: number | undefined, more: number): number | undefined =>
  value === undefined ? undefined : value + more;

function toCaller(cfa: number | undefined, call: CallRule, place: FramePlace, wordAt: WordAt): FramePlace | FramesEnd {
  if (cfa === undefined || !(cfa > place.sp)) return "unreadable";
  const saved = (call.rule << ruleBits.cfa) >> (32 - ruleBits.framePointer);
  // Below the CFA, or at 1 + so many words from the frame pointer.
  let fp: number | undefined = place.fp;
  if (saved < 0) fp = wordAt(cfa + word * saved);
  else if (saved > 0) fp = wordAt(place.fp + word * (saved - 1));
  const { base } = call;
  const kept = base === "same" ? place.base : base === "unknown" ? Number.NaN : wordAt(cfa + base);
  return placeOf(wordAt(cfa - word), cfa, fp, kept ?? Number.NaN, false);
}

/** Code without a rule may keep frame pointers. */
function byFramePointer({ sp, fp }: FramePlace, wordAt: WordAt): FramePlace | FramesEnd {
  // Of the first function of a thread (System V ABI for AMD64, 3.4.1).
  if (fp === 0) return "whole";
  if (!(fp >= sp) || fp % word !== 0) return "no-rule";
  const found = placeOf(wordAt(fp + word), fp + 2 * word, wordAt(fp), Number.NaN, false);
  return typeof found === "string" ? "no-rule" : found;
}

function placeOf(
  ip: number | undefined,
  sp: number | undefined,
  fp: number | undefined,
  base: number | undefined,
  exact: boolean,
): FramePlace | FramesEnd {
  if (ip === undefined || sp === undefined || fp === undefined || Number.isNaN(ip + sp)) return "unreadable";
  return { ip, sp, fp, base: base ?? Number.NaN, argument: Number.NaN, exact };
}
