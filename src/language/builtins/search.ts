import type { FunctionBuilder } from "../../ir/builder.js";
import type { BlockId, Value } from "../../ir/ir.js";
import type { Dest, Lowering } from "../lowering.js";

export interface SearchFacts {
  /** Where positions are tried. */
  readonly hay: Dest;
  readonly needle?: Dest;
  /** How many positions there are. */
  readonly positions: number;
  /** Comparisons that one position may take. */
  readonly steps: number;
  readonly notFound: number;
}

/** What the code for one position is built with; it must go to `found` or `next`. */
export interface SearchStep {
  /** Address of the first byte. */
  readonly hayBase: Value;
  readonly needleBase: Value | undefined;
  readonly index: Value;
  readonly found: BlockId;
  readonly next: BlockId;
}

type EmitStep = (b: FunctionBuilder, step: SearchStep) => void;

/**
 * Comparisons up to which a search is a plain loop: the verifier walks each of them, and it walks a million instructions
 * at most (BPF_COMPLEXITY_LIMIT_INSNS, include/linux/bpf.h).
 */
const walkedComparisons = 4096;

/** Tries positions of a text from the first to its end, its NUL; answers the one that was found. */
export function search(l: Lowering, facts: SearchFacts, emit: EmitStep): Value {
  const byLoop = facts.positions * facts.steps <= walkedComparisons || l.kernel.feature("bpfLoop") === "no";
  return byLoop ? searchInline(l, facts, emit) : searchByHelper(l, facts, emit);
}

function searchInline(l: Lowering, facts: SearchFacts, emit: EmitStep): Value {
  const { b } = l;
  const position = b.newVariable();
  const result = b.newVariable();
  b.write(position, b.const(0));
  b.write(result, b.const(facts.notFound));
  const head = b.newBlock();
  const done = b.newBlock();
  const inside = b.newBlock();
  const found = b.newBlock();
  const next = b.newBlock();
  const hayBase = l.address(facts.hay);
  const needleBase = facts.needle === undefined ? undefined : l.address(facts.needle);
  b.jump(head);
  b.setBlock(head);
  const index = b.read(position);
  b.branch("ult", index, b.const(facts.positions), inside, done);
  b.seal(inside);
  b.setBlock(inside);
  emitPosition(b, { hayBase, needleBase, index, found, next }, done, emit);
  b.seal(found);
  b.setBlock(found);
  b.write(result, index);
  b.jump(done);
  b.seal(next);
  b.setBlock(next);
  b.write(position, b.bin("add", index, b.const(1)));
  b.jump(head);
  b.seal(head);
  b.seal(done);
  b.setBlock(done);
  return b.read(result);
}

/** The text's end is the end of the search. */
function emitPosition(b: FunctionBuilder, step: SearchStep, end: BlockId, emit: EmitStep): void {
  const text = b.newBlock();
  b.branch("eq", b.load(1, false, b.bin("add", step.hayBase, step.index), 0), b.const(0), end, text);
  b.seal(text);
  b.setBlock(text);
  emit(b, step);
}

/** What the callback shares with the program, in the program's stack. */
const frame = { hay: 0, needle: 8, result: 16, size: 24 } as const;

/** By bpf_loop(), since Linux 5.17: the verifier walks one position, whatever their number. */
function searchByHelper(l: Lowering, facts: SearchFacts, emit: EmitStep): Value {
  const { b } = l;
  const shared = b.slotAddr(b.slot(frame.size, 8, "search"));
  b.store(8, shared, frame.hay, l.address(facts.hay));
  b.store(8, shared, frame.needle, facts.needle === undefined ? b.const(0) : l.address(facts.needle));
  b.store(8, shared, frame.result, b.const(facts.notFound));
  const name = l.subprogram("search", (inner) => {
    const index = inner.param(0);
    const at = inner.param(1);
    const inside = inner.newBlock();
    const found = inner.newBlock();
    const next = inner.newBlock();
    const end = inner.newBlock();
    const hayBase = inner.load(8, false, at, frame.hay);
    const needleBase = facts.needle === undefined ? undefined : inner.load(8, false, at, frame.needle);
    inner.branch("ult", index, inner.const(facts.positions), inside, end);
    inner.seal(inside);
    inner.setBlock(inside);
    emitPosition(inner, { hayBase, needleBase, index, found, next }, end, emit);
    inner.seal(found);
    inner.setBlock(found);
    inner.store(8, at, frame.result, index);
    inner.jump(end);
    inner.seal(end);
    inner.setBlock(end);
    inner.ret(inner.const(1));
    inner.seal(next);
    inner.setBlock(next);
    inner.ret(inner.const(0));
  });
  b.call("loop", [b.const(facts.positions), b.funcRef(name), shared, b.const(0)]);
  return b.load(8, false, shared, frame.result);
}
