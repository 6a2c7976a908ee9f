import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallRule } from "./call-frame.js";
import { type Callers, callersOf, type FramePlace, type StackAndCode } from "./unwind-frames.js";
import { cfaKinds, encodeRule, type FramePointerRule, signalFrame } from "./unwind-rule.js";

const same = { kind: "same" } as const satisfies FramePointerRule;

const rule = (kind: number, words = 0, fp: FramePointerRule = same, more: Partial<CallRule> = {}): CallRule => ({
  rule: encodeRule(kind, words, fp),
  fromBase: false,
  base: "same",
  ...more,
});

/** A stack at 1000 whose words are given, with the code at each hundred. */
function callers(
  words: readonly number[],
  code: Readonly<Record<number, CallRule | "no file">>,
  place: Partial<FramePlace> = {},
  {
    most = 10,
    trampoline = 0,
    replaced = {},
  }: {
    readonly most?: number;
    readonly trampoline?: number;
    readonly replaced?: Readonly<Record<number, number>>;
  } = {},
): Callers {
  const stack: StackAndCode = {
    wordAt: (address) => words[(address - 1000) / 8],
    codeAt: (address) => code[Math.floor(address / 100)],
    trampoline,
    replacedAt: (address) => replaced[address],
  };
  const from = { ip: 100, sp: 1000, fp: Number.NaN, base: Number.NaN, argument: Number.NaN, exact: true, ...place };
  return callersOf(from, stack, most);
}

const { stackPointer, framePointer, atStackPointer, outermost, plt, returnInRegister, signal, unsupported, none } =
  cfaKinds;
const end = rule(outermost);

test("by the stack pointer, and to the first function", () => {
  const code = { 1: rule(stackPointer, 2), 2: rule(stackPointer, 1), 3: end };
  assert.deepEqual(callers([7, 250, 350], code), { frames: [250, 350], end: "whole" });
  // What is behind a call belongs to the call.
  assert.deepEqual(callers([7, 200], { ...code, 1: rule(stackPointer, 2) }).end, "unreadable");
  assert.deepEqual(callers([7, 250, 350], code, {}, { most: 1 }), { frames: [250], end: "full" });
  assert.deepEqual(callers([7, 250, 350], code, {}, { trampoline: 350 }), { frames: [250], end: "unreadable" });
  // What stood in the word at 1016, where the program returns to the kernel's page.
  assert.deepEqual(callers([7, 250, 950], code, {}, { trampoline: 950, replaced: { 1016: 350 } }), {
    frames: [250, 350],
    end: "whole",
  });
  assert.deepEqual(callers([7, 0], code), { frames: [], end: "whole" });
});

test("by frame pointers, with a rule and without a file", () => {
  const saved: FramePointerRule = { kind: "at-cfa", offset: -2 };
  const code = { 1: rule(framePointer, 2, saved), 2: "no file", 3: end } as const;
  assert.deepEqual(callers([1, 1024, 250, 0, 350], { ...code, 2: end }, { fp: 1008 }), { frames: [250], end: "whole" });
  assert.deepEqual(callers([1024, 250, 7, 0, 350], code, { fp: 1000 }), { frames: [250, 350], end: "whole" });
  // 0 is the first function's; what lies below the stack is none.
  assert.deepEqual(callers([], { 1: rule(none) }, { fp: 0 }), { frames: [], end: "whole" });
  assert.deepEqual(callers([], { 1: "no file" }, { fp: 992 }), { frames: [], end: "no-rule" });
});

test("by rbx, which callees keep, save or lose", () => {
  const lazy = rule(stackPointer, 2, same, { fromBase: true });
  const code = { 2: lazy, 3: end };
  for (const [base, place, expected] of [
    ["same", 1016, "whole"],
    [-16, 1, "whole"],
    ["unknown", 1016, "unreadable"],
  ] as const) {
    const found = callers(
      [1016, 250, 5, 350, 350],
      { ...code, 1: rule(stackPointer, 2, same, { base }) },
      { base: place },
    );
    assert.equal(found.end, expected, String(base));
    if (expected === "whole") assert.deepEqual(found.frames, [250, 350]);
  }
});

test("other ways to a caller", () => {
  assert.deepEqual(callers([1016, 5, 5, 250], { 1: rule(atStackPointer, 0), 2: end }).frames, [5]);
  assert.deepEqual(callers([7, 250], { 1: rule(plt, 11), 2: end }, { ip: 112 + 11 }).frames, [250]);
  assert.deepEqual(callers([250], { 1: rule(plt, 11), 2: end }, { ip: 112 }).frames, [250]);
  assert.deepEqual(callers([], { 1: rule(returnInRegister), 2: end }, { argument: 250 }).frames, [250]);
  assert.deepEqual(callers([], { 1: rule(returnInRegister), 2: end }).end, "unreadable");
  const words = Array.from({ length: 30 }, () => 0);
  words[signalFrame.instructionPointer / 8] = 300;
  words[signalFrame.stackPointer / 8] = 1000;
  // On its first instruction, which is exact.
  assert.deepEqual(callers(words, { 1: rule(signal), 3: end }), { frames: [300], end: "whole" });
});

test("where it ends", () => {
  assert.deepEqual(callers([], {}), { frames: [], end: "unmapped" });
  assert.deepEqual(callers([], { 1: rule(unsupported) }), { frames: [], end: "no-rule" });
  assert.deepEqual(callers([], { 1: rule(stackPointer, 1) }), { frames: [], end: "unreadable" });
  assert.deepEqual(callers([Number.NaN], { 1: rule(stackPointer, 1) }), { frames: [], end: "unreadable" });
  assert.deepEqual(callers([250], { 1: rule(stackPointer, 0) }), { frames: [], end: "unreadable" });
});
