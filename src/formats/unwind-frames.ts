// A stack from a piece of its memory, by the rules of its code: what language/builtins/unwind-step.ts has programs do.

import { cfaKinds, ruleBits, signalFrame } from "./unwind-rule.js";

/** Where a frame is. Addresses are exact as numbers: programs have none above 2^53, unless they ask for it. */
export interface FramePlace {
  readonly ip: number;
  readonly sp: number;
  /** NaN of what is no address: who keeps no frame pointers may have anything there. */
  readonly fp: number;
  /** The instruction comes next; else it is the one behind a call. */
  readonly exact: boolean;
  /** The register of a first argument, where it is known. */
  readonly argument?: number;
}

/** Memory of a stack; undefined for words that it does not have, NaN for those that are no address. */
export type WordAt = (address: number) => number | undefined;

/** What is known of the code at an address: its rule, that no file has it, or nothing. */
export type CodeAt = (address: number) => number | "no file" | undefined;

/** Why a stack ends: with the first function of its thread, at the limit, or before. */
export type FramesEnd = "whole" | "full" | "unmapped" | "no-rule" | "unreadable";

export interface Callers {
  readonly frames: readonly number[];
  readonly end: FramesEnd;
}

const word = 8;

/** The callers of a frame, at most `most`. `trampoline` is where functions with a uretprobe return to, 0 if none do. */
export function callersOf(
  from: FramePlace,
  { wordAt, codeAt, trampoline }: { readonly wordAt: WordAt; readonly codeAt: CodeAt; readonly trampoline: number },
  most: number,
): Callers {
  const frames: number[] = [];
  for (let place = from; ; ) {
    if (frames.length === most) return { frames, end: "full" };
    const rule = codeAt(place.exact ? place.ip : place.ip - 1);
    if (rule === undefined) return { frames, end: "unmapped" };
    const next = rule === "no file" ? byFramePointer(place, wordAt) : byRule(rule, place, wordAt);
    if (typeof next === "string") return { frames, end: next };
    // No address to return to is how some begin their threads.
    if (next.ip === 0) return { frames, end: "whole" };
    // What the program that runs there returns to only the kernel knows.
    if (next.ip === trampoline) return { frames, end: "unreadable" };
    frames.push(next.ip);
    place = next;
  }
}

function byRule(rule: number, place: FramePlace, wordAt: WordAt): FramePlace | FramesEnd {
  const { sp, fp, ip } = place;
  const offset = word * (rule >> (32 - ruleBits.cfa));
  switch (rule & (2 ** ruleBits.kind - 1)) {
    case cfaKinds.none:
      return byFramePointer(place, wordAt);
    case cfaKinds.stackPointer:
      return toCaller(sp + offset, rule, place, wordAt);
    case cfaKinds.framePointer:
      return toCaller(fp + offset, rule, place, wordAt);
    case cfaKinds.atStackPointer:
      return toCaller(plus(wordAt(sp + offset), word), rule, place, wordAt);
    case cfaKinds.atFramePointer:
      return toCaller(wordAt(fp + offset), rule, place, wordAt);
    case cfaKinds.plt:
      return toCaller(sp + word + (ip % 16 >= offset / word ? word : 0), rule, place, wordAt);
    case cfaKinds.returnInRegister:
      return place.argument === undefined ? "no-rule" : placeOf(place.argument, sp + offset, fp, false);
    case cfaKinds.signal: {
      const at = (distance: number): number | undefined => wordAt(sp + distance);
      const { instructionPointer, stackPointer, framePointer } = signalFrame;
      return placeOf(at(instructionPointer), at(stackPointer), at(framePointer), true);
    }
    case cfaKinds.outermost:
      return "whole";
    default:
      return "no-rule";
  }
}

const plus = (value: number | undefined, more: number): number | undefined =>
  value === undefined ? undefined : value + more;

function toCaller(
  cfa: number | undefined,
  rule: number,
  { sp, fp }: FramePlace,
  wordAt: WordAt,
): FramePlace | FramesEnd {
  if (cfa === undefined || !(cfa > sp)) return "unreadable";
  const saved = (rule << ruleBits.cfa) >> (32 - ruleBits.framePointer);
  // Below the CFA, or at 1 + so many words from the frame pointer.
  let caller: number | undefined = fp;
  if (saved < 0) caller = wordAt(cfa + word * saved);
  else if (saved > 0) caller = wordAt(fp + word * (saved - 1));
  return placeOf(wordAt(cfa - word), cfa, caller, false);
}

/** Code without a rule may keep frame pointers. */
function byFramePointer({ sp, fp }: FramePlace, wordAt: WordAt): FramePlace | FramesEnd {
  if (!(fp >= sp) || fp % word !== 0) return "no-rule";
  const found = placeOf(wordAt(fp + word), fp + 2 * word, wordAt(fp), false);
  return typeof found === "string" ? "no-rule" : found;
}

function placeOf(
  ip: number | undefined,
  sp: number | undefined,
  fp: number | undefined,
  exact: boolean,
): FramePlace | FramesEnd {
  if (ip === undefined || sp === undefined || fp === undefined || Number.isNaN(ip + sp)) return "unreadable";
  return { ip, sp, fp, exact };
}
