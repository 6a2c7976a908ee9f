import type { Span } from "../../base/span.js";
import { graphOf } from "../graph.js";
import type { BinOp, Block, CmpOp, IrFunction, IrInstr, Terminator, Value } from "../ir.js";
import { bitsOf } from "../known-bits.js";
import { binFold, cmpFold, commutative, extend, mirrored, negated, resultOf, swapBytes } from "../ops.js";
import { simplifyBin } from "./algebra.js";
import { countUses, Rewriter } from "./rewriter.js";

/**
 * Computes what is constant, uses what is cheaper, and turns branches on constants into jumps. A value that something else
 * uses too is never taken apart: the verifier may have learned its bounds from a comparison.
 */
export function foldConstants(fn: IrFunction): IrFunction {
  const folder = new Folder(fn);
  const blocks = graphOf(fn).order.map((block) => folder.block(block));
  return folder.finish(blocks);
}

/** What an instruction becomes: another value, or instructions of which the last defines its result. */
type Replacement = Value | undefined;

export class Folder {
  private readonly fn: IrFunction;
  private readonly rewriter: Rewriter;
  private readonly uses: number[];
  private readonly definitions: (IrInstr | undefined)[] = [];
  private readonly bits: number[] = [];
  private out: IrInstr[] = [];
  private span: Span | undefined;

  constructor(fn: IrFunction) {
    this.fn = fn;
    this.rewriter = new Rewriter(fn);
    this.uses = countUses(fn);
  }

  block(block: Block): Block {
    this.out = [];
    for (const instr of block.instrs) this.instr(this.rewriter.instr(instr));
    return { ...block, end: this.end(this.rewriter.end(block.end)), instrs: this.out };
  }

  finish(blocks: readonly Block[]): IrFunction {
    return this.rewriter.finish(this.fn, blocks);
  }

  definition(value: Value): IrInstr | undefined {
    return this.definitions[value];
  }

  constant(value: Value): bigint | undefined {
    const instr = this.definitions[value];
    return instr?.op === "const" ? instr.value : undefined;
  }

  bitsOf(value: Value): number {
    return this.bits[value] ?? 64;
  }

  /** Nobody but the instruction at hand uses it. */
  isOnlyUse(value: Value): boolean {
    return (this.uses[value] ?? 0) <= 1;
  }

  makeConstant(value: bigint): Value {
    return this.push({ op: "const", dst: this.rewriter.newValue(), value: BigInt.asIntN(64, value), span: this.span });
  }

  makeBin(bin: BinOp, a: Value, b: Value): Value {
    return this.push({ op: "bin", dst: this.rewriter.newValue(), bin, a, b, span: this.span });
  }

  makeCmp(cmp: CmpOp, a: Value, b: Value): Value {
    return this.push({ op: "cmp", dst: this.rewriter.newValue(), cmp, a, b, span: this.span });
  }

  makeExt(width: 1 | 2 | 4, signed: boolean, a: Value): Value {
    return this.push({ op: "ext", dst: this.rewriter.newValue(), width, signed, a, span: this.span });
  }

  private push(instr: IrInstr & { readonly dst: Value }): Value {
    this.out.push(instr);
    this.note(instr);
    return instr.dst;
  }

  private note(instr: IrInstr): void {
    const dst = resultOf(instr);
    if (dst === undefined) return;
    this.definitions[dst] = instr;
    this.bits[dst] = bitsOf(
      instr,
      (value) => this.bitsOf(value),
      (value) => this.constant(value),
    );
  }

  private instr(instr: IrInstr): void {
    this.span = instr.span;
    const dst = resultOf(instr);
    const by = dst === undefined ? undefined : this.simplify(instr);
    if (dst === undefined || by === undefined) {
      this.out.push(instr);
      this.note(instr);
      return;
    }
    // Who used the old value now uses the new one.
    this.uses[by] = (this.uses[by] ?? 0) + (this.uses[dst] ?? 0);
    this.rewriter.replace(dst, by);
  }

  private simplify(instr: IrInstr): Replacement {
    switch (instr.op) {
      case "bin": {
        const a = this.constant(instr.a);
        const b = this.constant(instr.b);
        if (a !== undefined && b !== undefined) return this.makeConstant(binFold[instr.bin](a, b));
        if (a !== undefined && commutative.has(instr.bin)) return this.makeOrdered(instr, a);
        return simplifyBin(this, instr, b);
      }
      case "ext":
        return this.simplifyExt(instr);
      case "bswap": {
        const a = this.constant(instr.a);
        return a === undefined ? undefined : this.makeConstant(swapBytes(a, instr.width));
      }
      case "cmp":
        return this.simplifyCmp(instr);
      default:
        return undefined;
    }
  }

  /** Constants stand on the right. */
  private makeOrdered(instr: IrInstr & { op: "bin" }, constant: bigint): Value {
    const turned = { ...instr, a: instr.b, b: instr.a };
    return simplifyBin(this, turned, constant) ?? this.makeBin(instr.bin, instr.b, instr.a);
  }

  private simplifyExt(instr: IrInstr & { op: "ext" }): Replacement {
    const { a, width, signed } = instr;
    const constant = this.constant(a);
    if (constant !== undefined) return this.makeConstant(extend(constant, width, signed));
    if (this.bitsOf(a) < width * 8 + (signed ? 0 : 1)) return a;
    const inner = this.definitions[a];
    const extended = inner?.op === "ext" || inner?.op === "load";
    if (signed && extended && inner.signed && inner.width <= width) return a;
    if (inner?.op === "ext" && width <= inner.width && this.isOnlyUse(a)) return this.makeExt(width, signed, inner.a);
    return undefined;
  }

  private simplifyCmp(instr: IrInstr & { op: "cmp" }): Replacement {
    const known = this.decide(instr.cmp, instr.a, instr.b);
    if (known !== undefined) return this.makeConstant(known ? 1n : 0n);
    const test = this.test(instr.cmp, instr.a, instr.b);
    if (test.cmp === "ne" && this.constant(test.b) === 0n && this.bitsOf(test.a) <= 1) return test.a;
    if (test.cmp === instr.cmp && test.a === instr.a && test.b === instr.b) return undefined;
    return this.makeCmp(test.cmp, test.a, test.b);
  }

  /** Whether the comparison holds, if that can be told. */
  private decide(cmp: CmpOp, a: Value, b: Value): boolean | undefined {
    const left = this.constant(a);
    const right = this.constant(b);
    if (left !== undefined && right !== undefined) return cmpFold[cmp](left, right);
    if (a === b) return cmpFold[cmp](0n, 0n);
    if (right === 0n && cmp === "ult") return false;
    if (right === 0n && cmp === "uge") return true;
    return undefined;
  }

  /** The comparison in its plainest form: constants on the right, what was compared before compared directly. */
  private test(cmp: CmpOp, a: Value, b: Value): { readonly cmp: CmpOp; readonly a: Value; readonly b: Value } {
    if (this.constant(a) !== undefined && this.constant(b) === undefined) return this.test(mirrored[cmp], b, a);
    const inner = this.definitions[a];
    const constant = this.constant(b);
    if (inner?.op !== "cmp" || (cmp !== "eq" && cmp !== "ne")) return { cmp, a, b };
    if (constant !== 0n && constant !== 1n) return { cmp, a, b };
    const same = (cmp === "ne") === (constant === 0n);
    return this.test(same ? inner.cmp : negated[inner.cmp], inner.a, inner.b);
  }

  private end(end: Terminator): Terminator {
    if (end.op !== "branch") return end;
    const known = this.decide(end.cmp, end.a, end.b);
    if (known !== undefined) return { op: "jump", span: end.span, to: known ? end.then : end.else };
    const test = this.test(end.cmp, end.a, end.b);
    const again = this.decide(test.cmp, test.a, test.b);
    if (again !== undefined) return { op: "jump", span: end.span, to: again ? end.then : end.else };
    return { ...end, ...test };
  }
}
