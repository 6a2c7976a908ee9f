import type { Branded } from "../base/branded.js";
import type { Span } from "../base/span.js";
import type {
  AtomicOp,
  BinOp,
  Block,
  BlockId,
  CmpOp,
  IrFunction,
  IrInstr,
  Slot,
  SlotId,
  Terminator,
  Value,
  Width,
} from "./ir.js";
import { SsaVariables } from "./ssa-variables.js";

/** A place that is written and read many times while a function is built; becomes SSA values. */
export type Variable = Branded<number, "IrVariable">;

/** An instruction without its span. */
type Bare<T> = T extends unknown ? Omit<T, "span"> : never;

/** A way into a block; its arguments are known when the function is finished. */
export interface OpenEdge {
  readonly from: BlockId;
  readonly to: BlockId;
}

interface OpenBlock {
  readonly id: BlockId;
  readonly instrs: IrInstr[];
  /** Only reached by code behind a return or jump, as far as known when it was ended. */
  dead: boolean;
  end:
    | { readonly op: "jump"; readonly span: Span | undefined; readonly to: OpenEdge }
    | {
        readonly op: "branch";
        readonly span: Span | undefined;
        readonly cmp: CmpOp;
        readonly a: Value;
        readonly b: Value;
        readonly thenEdge: OpenEdge;
        readonly elseEdge: OpenEdge;
        readonly likely: "then" | "else" | undefined;
      }
    | { readonly op: "ret"; readonly span: Span | undefined; readonly value: Value }
    | undefined;
}

/**
 * Builds one function block by block. Variables become SSA on the way: M. Braun and others, "Simple and Efficient
 * Construction of Static Single Assignment Form", 2013; so every block must be sealed once all jumps to it are made.
 */
export class FunctionBuilder {
  /** Told each helper's result, behind the call. */
  afterCall: ((helper: string, result: Value) => void) | undefined;
  /** Attached to what is emitted next. */
  span: Span | undefined;
  private readonly name: string;
  private readonly kind: "program" | "subprogram";
  private readonly contextOf: (() => Value) | undefined;
  private readonly pointsTo: readonly number[] | undefined;
  private readonly blocks: OpenBlock[] = [];
  private readonly slots: Slot[] = [];
  private readonly variables = new SsaVariables(() => this.newValue());
  private values = 0;
  private open: OpenBlock;

  /** `contextOf` emits what {@link ctx} answers; a subprogram has no context but what it is given. `pointsTo`: {@link IrFunction}. */
  constructor(name: string, kind: "program" | "subprogram", contextOf?: () => Value, pointsTo?: readonly number[]) {
    this.name = name;
    this.kind = kind;
    this.contextOf = contextOf;
    this.pointsTo = pointsTo;
    this.open = this.block(this.newBlock());
    this.seal(this.open.id);
  }

  newBlock(): BlockId {
    const id = this.blocks.length as BlockId;
    this.blocks.push({ id, instrs: [], dead: false, end: undefined });
    this.variables.addBlock(id);
    return id;
  }

  /** Makes `b` the block that is emitted into. */
  setBlock(b: BlockId): void {
    this.open = this.block(b);
  }

  get current(): BlockId {
    return this.open.id;
  }

  /** The current block has its jump, branch or return. */
  get terminated(): boolean {
    return this.open.end !== undefined;
  }

  const(v: bigint | number): Value {
    return this.define({ op: "const", dst: this.newValue(), value: BigInt.asIntN(64, BigInt(v)) });
  }

  ctx(): Value {
    if (this.contextOf !== undefined) return this.contextOf();
    return this.define({ op: "ctx", dst: this.newValue() });
  }

  param(index: number): Value {
    return this.define({ op: "param", dst: this.newValue(), index });
  }

  cookie(): Value {
    return this.define({ op: "cookie", dst: this.newValue() });
  }

  /** A piece of the stack; its address is {@link slotAddr}. */
  slot(size: number, align: 1 | 2 | 4 | 8, name: string): SlotId {
    const id = this.slots.length as SlotId;
    this.slots.push({ id, size, align, name });
    return id;
  }

  slotAddr(slot: SlotId): Value {
    return this.define({ op: "slot", dst: this.newValue(), slot });
  }

  map(name: string): Value {
    return this.define({ op: "map", dst: this.newValue(), map: name });
  }

  mapValue(name: string, offset: number): Value {
    return this.define({ op: "mapvalue", dst: this.newValue(), map: name, offset });
  }

  funcRef(name: string): Value {
    return this.define({ op: "funcref", dst: this.newValue(), func: name });
  }

  bin(bin: BinOp, a: Value, b: Value): Value {
    return this.define({ op: "bin", dst: this.newValue(), bin, a, b });
  }

  ext(width: 1 | 2 | 4, signed: boolean, a: Value): Value {
    return this.define({ op: "ext", dst: this.newValue(), width, signed, a });
  }

  bswap(width: 2 | 4 | 8, a: Value): Value {
    return this.define({ op: "bswap", dst: this.newValue(), width, a });
  }

  cmp(cmp: CmpOp, a: Value, b: Value): Value {
    return this.define({ op: "cmp", dst: this.newValue(), cmp, a, b });
  }

  load(width: Width, signed: boolean, base: Value, offset: number): Value {
    return this.define({ op: "load", dst: this.newValue(), width, signed, base, offset });
  }

  store(width: Width, base: Value, offset: number, value: Value): void {
    this.emit({ op: "store", width, base, offset, value });
  }

  atomic(atomic: AtomicOp, width: 4 | 8, base: Value, offset: number, value: Value): void {
    this.emit({ op: "atomic", dst: undefined, atomic, width, base, offset, value });
  }

  /** As {@link atomic}; gives the old value. */
  atomicFetch(atomic: AtomicOp, width: 4 | 8, base: Value, offset: number, value: Value): Value {
    return this.define({ op: "atomic", dst: this.newValue(), atomic, width, base, offset, value });
  }

  zero(base: Value, offset: number, size: number): void {
    if (size > 0) this.emit({ op: "zero", base, offset, size });
  }

  copy(base: Value, offset: number, from: Value, fromOffset: number, size: number): void {
    if (size > 0) this.emit({ op: "copy", base, offset, from, fromOffset, size });
  }

  /** The result may stay unused. */
  call(helper: string, args: readonly Value[]): Value {
    const result = this.define({ op: "call", dst: this.newValue(), helper, args });
    this.afterCall?.(helper, result);
    return result;
  }

  /** Calls a function that the kernel offers to programs, since Linux 5.13; which ones depends on the program's type. */
  callKernel(kfunc: string, id: number, args: readonly Value[]): Value {
    return this.define({ op: "callkernel", dst: this.newValue(), kfunc, id, args });
  }

  callFunc(func: string, args: readonly Value[]): Value {
    return this.define({ op: "callfunc", dst: this.newValue(), func, args });
  }

  jump(b: BlockId): void {
    const from = this.writable();
    from.end = { op: "jump", span: this.span, to: this.edge(from, b) };
  }

  branch(cmp: CmpOp, a: Value, b: Value, thenBlock: BlockId, elseBlock: BlockId, likely?: "then" | "else"): void {
    const from = this.writable();
    const thenEdge = this.edge(from, thenBlock);
    const elseEdge = this.edge(from, elseBlock);
    from.end = { op: "branch", span: this.span, cmp, a, b, thenEdge, elseEdge, likely };
  }

  /** Runs what `emit` writes if the comparison holds, and goes on behind it in any case. */
  when(cmp: CmpOp, a: Value, b: Value, likely: "then" | "else" | undefined, emit: () => void): void {
    const inside = this.newBlock();
    const done = this.newBlock();
    this.branch(cmp, a, b, inside, done, likely);
    this.seal(inside);
    this.setBlock(inside);
    emit();
    this.jump(done);
    this.seal(done);
    this.setBlock(done);
  }

  /** One of two pieces of code, and what follows both. */
  either(cmp: CmpOp, a: Value, b: Value, then: () => void, otherwise: () => void, likely?: "then" | "else"): void {
    const yes = this.newBlock();
    const no = this.newBlock();
    const done = this.newBlock();
    this.branch(cmp, a, b, yes, no, likely);
    this.seal(yes);
    this.seal(no);
    this.setBlock(yes);
    then();
    this.jump(done);
    this.setBlock(no);
    otherwise();
    this.jump(done);
    this.seal(done);
    this.setBlock(done);
  }

  /** The value of one of two pieces of code. */
  select(cmp: CmpOp, a: Value, b: Value, then: () => Value, otherwise: () => Value, likely?: "then" | "else"): Value {
    const result = this.newVariable();
    this.either(
      cmp,
      a,
      b,
      () => this.write(result, then()),
      () => this.write(result, otherwise()),
      likely,
    );
    return this.read(result);
  }

  /** Goes on where the comparison holds, which is the likely way; `otherwise` must leave: return, or jump to a block. */
  require(cmp: CmpOp, a: Value, b: Value, otherwise: () => void): void {
    const [yes, no] = [this.newBlock(), this.newBlock()];
    this.branch(cmp, a, b, yes, no, "then");
    this.seal(no);
    this.setBlock(no);
    otherwise();
    this.seal(yes);
    this.setBlock(yes);
  }

  /**
   * A loop over numbers from 0, by `step`, below `end`; the verifier walks each round. `body` must end with `next()` or `leave()`, and
   * may have either of them in any of its branches; what follows the loop stands behind it.
   */
  loop(
    end: number,
    body: (index: Value, ways: { readonly next: () => void; readonly leave: () => void }) => void,
    step = 1,
  ): void {
    const index = this.newVariable();
    const [head, inside, again, done] = [this.newBlock(), this.newBlock(), this.newBlock(), this.newBlock()];
    this.write(index, this.const(0));
    this.jump(head);
    this.setBlock(head);
    const now = this.read(index);
    this.branch("ult", now, this.const(end), inside, done);
    this.seal(inside);
    this.setBlock(inside);
    body(now, { next: () => this.jump(again), leave: () => this.jump(done) });
    this.seal(again);
    this.setBlock(again);
    this.write(index, this.bin("add", now, this.const(step)));
    this.jump(head);
    this.seal(head);
    this.seal(done);
    this.setBlock(done);
  }

  ret(value: Value): void {
    this.writable().end = { op: "ret", span: this.span, value };
  }

  newVariable(): Variable {
    return this.variables.newVariable();
  }

  write(variable: Variable, value: Value): void {
    this.variables.write(variable, this.writable().id, value);
  }

  /** What was written last on the way here; 0 where nothing was. */
  read(variable: Variable): Value {
    return this.variables.read(variable, this.writable().id);
  }

  /** No more jumps to `b` will be made. */
  seal(b: BlockId): void {
    this.variables.seal(b);
  }

  /** The finished function, without unreachable blocks. */
  finish(): IrFunction {
    const reachable = this.reachable();
    for (const block of reachable) {
      if (!this.variables.isSealed(block.id)) throw new Error(`internal: ${this.name}: b${block.id} is not sealed`);
    }
    const final = (value: Value): Value => this.variables.resolve(value);
    const blocks = reachable.map((block): Block => {
      const instrs = block.instrs.map((instr) => this.variables.resolveOperands(instr));
      return { id: block.id, params: this.variables.paramsOf(block.id), instrs, end: this.finishEnd(block, final) };
    });
    const zero = this.variables.zeroValue;
    const [entry] = blocks;
    if (zero !== undefined && entry !== undefined) {
      const instr: IrInstr = { op: "const", dst: zero, value: 0n, span: undefined };
      blocks[0] = { ...entry, instrs: [instr, ...entry.instrs] };
    }
    const { name, kind, pointsTo, slots, values } = this;
    return { name, kind, pointsTo, slots, blocks, values };
  }

  private finishEnd(block: OpenBlock, final: (value: Value) => Value): Terminator {
    const { end } = block;
    if (end === undefined) throw new Error(`internal: ${this.name}: b${block.id} has no end`);
    const close = (edge: OpenEdge) => ({ block: edge.to, args: this.variables.argumentsOf(edge) });
    if (end.op === "jump") return { op: "jump", span: end.span, to: close(end.to) };
    if (end.op === "ret") return { op: "ret", span: end.span, value: final(end.value) };
    const { span, cmp, thenEdge, elseEdge, likely } = end;
    return {
      op: "branch",
      span,
      cmp,
      a: final(end.a),
      b: final(end.b),
      then: close(thenEdge),
      else: close(elseEdge),
      ...(likely === undefined ? {} : { likely }),
    };
  }

  private reachable(): OpenBlock[] {
    const seen = new Set<BlockId>([0 as BlockId]);
    const found: OpenBlock[] = [];
    const work = [0 as BlockId];
    for (let id = work.pop(); id !== undefined; id = work.pop()) {
      const block = this.block(id);
      found.push(block);
      const { end } = block;
      const edges = end?.op === "jump" ? [end.to] : end?.op === "branch" ? [end.thenEdge, end.elseEdge] : [];
      for (const { to } of edges) {
        if (seen.has(to)) continue;
        seen.add(to);
        work.push(to);
      }
    }
    return found.sort((a, b) => a.id - b.id);
  }

  private block(id: BlockId): OpenBlock {
    const block = this.blocks[id];
    if (block === undefined) throw new Error(`internal: ${this.name} has no block b${id}`);
    return block;
  }

  private newValue(): Value {
    return this.values++ as Value;
  }

  /** The current block, or a fresh unreachable one if that has ended: `return; x = 1;` needs no care. */
  private writable(): OpenBlock {
    if (this.open.end !== undefined) {
      this.open = this.block(this.newBlock());
      this.open.dead = true;
      this.seal(this.open.id);
    }
    return this.open;
  }

  private edge(from: OpenBlock, to: BlockId): OpenEdge {
    this.block(to);
    const edge: OpenEdge = { from: from.id, to };
    // What only dead code jumps to is dead itself, if nothing else can come: values from there must not become phis.
    if (from.id !== 0 && this.variables.isSealed(from.id) && !this.variables.hasPredecessors(from.id)) from.dead = true;
    if (!from.dead) this.variables.addEdge(edge);
    return edge;
  }

  private define(instr: Bare<IrInstr> & { readonly dst: Value | undefined }): Value {
    this.emit(instr);
    return instr.dst as Value;
  }

  private emit(instr: Bare<IrInstr>): void {
    this.writable().instrs.push({ ...instr, span: this.span } as IrInstr);
  }
}
