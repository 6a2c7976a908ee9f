// What can be asked of texts: how long, where, equal, joined.

import { bytesIn, encodeBytes } from "../../base/byte-text.js";
import type { BlockId, Value } from "../../ir/ir.js";
import { i32, string, type Type, u64 } from "../../types/type.js";
import { align8, residence, sizeOf } from "../../wire/layout.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { describeType } from "../describe-type.js";
import type { Dest, Lowering } from "../lowering.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { builtin, literalNumber, textOf, valueArg } from "./define.js";
import { search } from "./search.js";

/** Text in the memory of programs: `size` bytes, a NUL among them and zeros from there on. */
interface Operand extends Dest {
  readonly size: number;
}

/** Bytes of text that a type can hold, its NUL included: its own, or for a pointer what the settings say. */
export function capacity(type: Type, maxStrlen: number): number {
  if (type.kind === "string") return type.size;
  if (type.kind === "array") return type.count;
  return maxStrlen;
}

/** Reports what is not like text. */
function needsText(context: CheckContext, name: string, e: TypedExpr): void {
  const { type } = e;
  const part = type.kind === "array" ? type.of : type.kind === "pointer" ? type.to : undefined;
  const isChar = (part?.kind === "int" && part.size === 1) || part?.kind === "string";
  if (type.kind === "string" || isChar) return;
  context.diags.error("type-mismatch", e.span, `${name}() takes text here, not ${describeType(type)}`, {
    hint: type.kind === "int" || type.kind === "pointer" ? "str() reads the text at an address" : undefined,
  });
}

const isInPlace = (e: TypedExpr): boolean => e.kind === "variable" || e.kind === "map";

/** A text where programs can read it, zero-filled behind its end. */
function operand(l: Lowering, e: TypedExpr): Operand {
  const { type } = e;
  if (type.kind === "string") {
    if (isInPlace(e)) {
      const place = l.place(e);
      if (place.space === "bpf") return { ...place, size: sizeOf(type) };
    }
    const copy = l.temporary(sizeOf(type), "text");
    l.into(e, copy, true);
    return { ...copy, size: sizeOf(type) };
  }
  const size = align8(capacity(type, l.config.max_strlen));
  const copy = l.temporary(size, "text");
  l.b.zero(copy.base, copy.offset, size);
  readInto(l, copy, size, e);
  return { ...copy, size };
}

/** Reads the text at a pointer or in an array; answers the helper's result. */
function readInto(l: Lowering, to: Dest, size: number, e: TypedExpr): Value {
  const { b } = l;
  if (residence(e.type) === "register") {
    const space = e.type.kind === "pointer" ? e.type.space : "none";
    return l.readText(l.address(to), b.const(size), l.value(e), space);
  }
  const place = l.place(e);
  return l.readText(l.address(to), b.const(size), l.address(place), place.space === "user" ? "user" : "kernel");
}

const lengthOf = (text: string): number => bytesIn(text.split("\0")[0] ?? "");

const constant = (value: number, type: Type, e: { readonly span: TypedExpr["span"] }): TypedExpr => ({
  kind: "const",
  value: BigInt(value),
  type,
  span: e.span,
});

const strlen: Builtin = {
  name: "strlen",
  params: [{ name: "text", kind: "text" }],
  doc: "Number of bytes in front of the NUL of a text, an array of characters, or the text at a pointer (at most max_strlen).",
  result: (context, args) => {
    needsText(context, "strlen", valueArg(args, 0));
    return u64;
  },
  rewrite: (context, args, type) => {
    const text = textOf(args[0]);
    return text === undefined ? undefined : constant(lengthOf(text), type, context);
  },
  value: (l, args) => {
    const e = valueArg(args, 0);
    const { b } = l;
    // The helper that copies text answers how long it is, quicker than a loop would.
    const size = capacity(e.type, l.config.max_strlen);
    const copy = l.temporary(size, "text");
    const result = readInto(l, copy, size, e);
    const length = b.newVariable();
    b.write(length, b.bin("sub", result, b.const(1)));
    l.ifNegative(result, () => b.write(length, b.const(0)));
    return b.read(length);
  },
};

const strcap: Builtin = {
  name: "strcap",
  params: [{ name: "text", kind: "text" }],
  doc: "Bytes that a text or array of characters has room for; of a pointer, the length of the text there.",
  result: (context, args) => {
    needsText(context, "strcap", valueArg(args, 0));
    return u64;
  },
  rewrite: (context, args, type) => {
    const e = valueArg(args, 0);
    if (e.type.kind !== "pointer") return constant(capacity(e.type, context.config.max_strlen), type, context);
    return { kind: "builtin", builtin: strlen, args, type, span: context.span };
  },
};

const defaultLength = builtin({
  name: "default_str_length",
  bare: true,
  params: [],
  type: u64,
  doc: "Bytes of a text whose length is not given: the setting max_strlen.",
  rewrite: (context) => constant(context.config.max_strlen, u64, context),
});

/** What strstr() answers where nothing is found: -ENOENT, as bpftrace 0.27.1 does. */
const notFound = -2;

/** Bytes of a needle that are compared one after the other without a loop. */
const unrolledNeedle = 64;

function compareLiteral(l: Lowering, hay: Operand, needle: Uint8Array): Value {
  const positions = hay.size - needle.length;
  return search(l, { hay, positions, steps: needle.length, notFound }, (b, { hayBase, index, found, next }) => {
    const at = b.bin("add", hayBase, index);
    for (const [j, byte] of needle.entries()) {
      const same = b.newBlock();
      b.branch("ne", b.load(1, false, at, j), b.const(byte), next, same);
      b.seal(same);
      b.setBlock(same);
    }
    b.jump(found);
  });
}

function compareTexts(l: Lowering, hay: Operand, needle: Operand): Value {
  const facts = { hay, positions: hay.size, steps: needle.size, notFound, needle };
  return search(l, facts, (b, { hayBase, needleBase, index, found, next }) => {
    if (needleBase === undefined) throw new Error("internal: a search for nothing");
    const step = b.newVariable();
    b.write(step, b.const(0));
    const blocks = ["head", "inside", "more", "bounded", "again"].map(() => b.newBlock());
    const [head, inside, more, bounded, again] = blocks as [BlockId, BlockId, BlockId, BlockId, BlockId];
    b.jump(head);
    b.setBlock(head);
    const j = b.read(step);
    b.branch("ult", j, b.const(needle.size), inside, found);
    b.seal(inside);
    b.setBlock(inside);
    const wanted = b.load(1, false, b.bin("add", needleBase, j), 0);
    b.branch("eq", wanted, b.const(0), found, more);
    b.seal(more);
    b.setBlock(more);
    const k = b.bin("add", index, j);
    b.branch("ult", k, b.const(hay.size), bounded, next);
    b.seal(bounded);
    b.setBlock(bounded);
    b.branch("eq", b.load(1, false, b.bin("add", hayBase, k), 0), wanted, again, next);
    b.seal(again);
    b.setBlock(again);
    b.write(step, b.bin("add", j, b.const(1)));
    b.jump(head);
    b.seal(head);
  });
}

/** Nothing is found at the start of every text, also of an empty one. */
function unlessEmpty(l: Lowering, needle: Operand, hay: Operand): Value {
  const { b } = l;
  const first = b.load(1, false, needle.base, needle.offset);
  return b.select(
    "ne",
    first,
    b.const(0),
    () => compareTexts(l, hay, needle),
    () => b.const(0),
  );
}

const strstr: Builtin = {
  name: "strstr",
  params: [
    { name: "text", kind: "text" },
    { name: "part", kind: "text" },
  ],
  doc: "Where a text has another one in it for the first time, counted from 0; negative if nowhere.",
  result: (context, args) => {
    for (const i of [0, 1]) needsText(context, "strstr", valueArg(args, i));
    return i32;
  },
  rewrite: (context, args, type) => {
    const [text, part] = [textOf(args[0]), textOf(args[1])];
    if (part !== undefined && lengthOf(part) === 0) return constant(0, type, context);
    if (text === undefined || part === undefined) return undefined;
    const at = encodeBytes(text.split("\0")[0] ?? "").indexOf(encodeBytes(part.split("\0")[0] ?? ""));
    return constant(at < 0 ? notFound : at, type, context);
  },
  value: (l, args) => {
    const hay = operand(l, valueArg(args, 0));
    const literal = textOf(args[1]);
    const bytes = literal === undefined ? undefined : encodeBytes(literal.split("\0")[0] ?? "");
    if (bytes === undefined || bytes.length > unrolledNeedle) return unlessEmpty(l, operand(l, valueArg(args, 1)), hay);
    return bytes.length >= hay.size ? l.b.const(notFound) : compareLiteral(l, hay, bytes);
  },
};

const strcontains: Builtin = {
  name: "strcontains",
  params: strstr.params ?? [],
  doc: "Whether a text has another one in it.",
  result: (context, args) => {
    for (const i of [0, 1]) needsText(context, "strcontains", valueArg(args, i));
    return { kind: "bool" };
  },
  rewrite: (context, args, type) => {
    const { span } = context;
    const folded = strstr.rewrite?.(context, args, i32);
    if (folded?.kind === "const") return { kind: "const", value: folded.value >= 0n ? 1n : 0n, type, span };
    const left: TypedExpr = { kind: "builtin", builtin: strstr, args, type: i32, span };
    return { kind: "compare", cmp: "sge", left, right: { kind: "const", value: 0n, type: i32, span }, type, span };
  },
};

/** Words that are compared one after the other; more are compared by a loop. */
const unrolledWords = 16;

const strncmp: Builtin = {
  name: "strncmp",
  params: [
    { name: "text", kind: "text" },
    { name: "other", kind: "text" },
    { name: "length", kind: "literal-int" },
  ],
  doc: "Compares the first length bytes of two texts: 0 if they are equal or both end before, else 1.",
  result: (context, args) => {
    for (const i of [0, 1]) needsText(context, "strncmp", valueArg(args, i));
    if ((literalNumber(args, 2) ?? 0n) < 0n)
      context.diags.error("bad-argument", context.span, "strncmp() takes a length of at least 0");
    return u64;
  },
  rewrite: (context, args, type) => {
    const [a, b] = [textOf(args[0]), textOf(args[1])];
    const length = Number(literalNumber(args, 2) ?? 0n);
    if (length === 0) return constant(0, type, context);
    if (a === undefined || b === undefined) return undefined;
    const [x, y] = [a, b].map((text) => encodeBytes(text.split("\0")[0] ?? "").subarray(0, length));
    return constant(x !== undefined && y !== undefined && x.equals(y) ? 0 : 1, type, context);
  },
  value: (l, args) => {
    const { b } = l;
    const [left, right] = [operand(l, valueArg(args, 0)), operand(l, valueArg(args, 1))];
    const limit = Math.min(Number(literalNumber(args, 2) ?? 0n), left.size, right.size);
    const words = limit >> 3;
    const result = b.newVariable();
    const different = b.newBlock();
    const done = b.newBlock();
    if (words > unrolledWords) compareWords(l, left, right, words, different);
    else for (let i = 0; i < words; i++) compareWord(l, left, right, 8 * i, different);
    if ((limit & 7) !== 0) {
      const mask = b.const((1n << BigInt(8 * (limit & 7))) - 1n);
      const part = (side: Operand): Value => b.bin("and", b.load(8, false, side.base, side.offset + 8 * words), mask);
      goOn(l, part(left), part(right), different);
    }
    b.write(result, b.const(0));
    b.jump(done);
    b.seal(different);
    b.setBlock(different);
    b.write(result, b.const(1));
    b.jump(done);
    b.seal(done);
    b.setBlock(done);
    return b.read(result);
  },
};

function goOn(l: Lowering, a: Value, c: Value, different: BlockId): void {
  const { b } = l;
  const same = b.newBlock();
  b.branch("ne", a, c, different, same);
  b.seal(same);
  b.setBlock(same);
}

function compareWord(l: Lowering, left: Dest, right: Dest, at: number, different: BlockId): void {
  const { b } = l;
  const word = (side: Dest): Value => b.load(8, false, side.base, side.offset + at);
  goOn(l, word(left), word(right), different);
}

/** The same by a loop, whose constant number of rounds the verifier walks. */
function compareWords(l: Lowering, left: Dest, right: Dest, words: number, different: BlockId): void {
  const { b } = l;
  b.loop(
    8 * words,
    (at, { next }) => {
      const word = (side: Dest): Value => b.load(8, false, b.bin("add", side.base, at), side.offset);
      goOn(l, word(left), word(right), different);
      next();
    },
    8,
  );
}

/** Bytes of what str_concat() makes: bpftrace's figure. */
const concatSize = 1024;

const strConcat: Builtin = {
  name: "str_concat",
  params: [
    { name: "text", kind: "text" },
    { name: "other", kind: "text" },
  ],
  doc: `Two texts as one, of at most ${concatSize - 1} bytes; how often there were more is told at the end.`,
  result: (context, args) => {
    for (const i of [0, 1]) needsText(context, "str_concat", valueArg(args, i));
    return string(concatSize);
  },
  into: (l, args, _type, dest, clean) => {
    const { b } = l;
    const [first, second] = [operand(l, valueArg(args, 0)), operand(l, valueArg(args, 1))];
    // The second text begins at any byte of the first one's room: both rooms together are needed.
    const room = first.size + second.size;
    const fits = room <= concatSize;
    const to = fits ? dest : l.temporary(room, "joined text");
    if (clean) b.zero(to.base, to.offset, fits ? concatSize : room);
    const length = l.readText(l.address(to), b.const(first.size), l.address(first), "kernel");
    const end = b.newVariable();
    b.write(end, b.const(0));
    const before = b.bin("sub", length, b.const(1));
    // The comparison tells the verifier what is true anyway; an error is a large number.
    b.when("ult", before, b.const(first.size), undefined, () => {
      b.write(end, before);
    });
    const behind = b.bin("add", l.address(to), b.read(end));
    const more = l.readText(behind, b.const(second.size), l.address(second), "kernel");
    if (fits) return;
    // With its NUL; an error is negative.
    b.when("sgt", b.bin("add", b.read(end), more), b.const(concatSize), undefined, () => l.countLoss("cut"));
    b.copy(dest.base, dest.offset, to.base, to.offset, concatSize);
    b.store(1, dest.base, dest.offset + concatSize - 1, b.const(0));
  },
};

const memcmp: Builtin = {
  name: "memcmp",
  params: [
    { name: "value", kind: "any" },
    { name: "other", kind: "any" },
    { name: "count", kind: "literal-int" },
  ],
  doc: "Compares the first count bytes of two values: 0 if they are equal, else the difference of the first bytes that are not.",
  result: (context, args) => {
    const sizes = [0, 1].map((i) => sizeOf(valueArg(args, i).type));
    const count = literalNumber(args, 2) ?? 0n;
    if (count < 0n || count > BigInt(Math.min(...sizes)))
      context.diags.error("bad-argument", context.span, `memcmp() can compare ${Math.min(...sizes)} bytes here`, {
        hint: "as many as the smaller of the two values has",
      });
    return i32;
  },
  value: (l, args: readonly TypedArg[]) => {
    const { b } = l;
    const [left, right] = [0, 1].map((i) => {
      const e = valueArg(args, i);
      const copy = l.temporary(align8(sizeOf(e.type)), "value");
      l.into(e, copy, true);
      return copy;
    });
    if (left === undefined || right === undefined) throw new Error("internal: a comparison of one side");
    const result = b.newVariable();
    b.write(result, b.const(0));
    b.loop(Number(literalNumber(args, 2) ?? 0n), (at, { next, leave }) => {
      const byte = (side: Dest): Value => b.load(1, false, b.bin("add", side.base, at), side.offset);
      const difference = b.bin("sub", byte(left), byte(right));
      b.write(result, difference);
      b.require("eq", difference, b.const(0), leave);
      next();
    });
    return b.read(result);
  },
};

export const stringBuiltins: readonly Builtin[] = [
  strlen,
  strcap,
  defaultLength,
  strstr,
  strcontains,
  strncmp,
  strConcat,
  memcmp,
];
