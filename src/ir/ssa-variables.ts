import type { OpenEdge, Variable } from "./builder.js";
import type { BlockId, IrInstr, Value } from "./ir.js";
import { mapOperands } from "./ops.js";

/** A block parameter in the making: one operand for each edge into its block. */
interface Phi {
  readonly value: Value;
  readonly block: BlockId;
  readonly variable: Variable;
  operands: Value[];
  /** Phis that have this one as an operand. */
  readonly users: Set<Phi>;
}

interface BlockState {
  sealed: boolean;
  readonly edges: OpenEdge[];
  readonly definitions: Map<Variable, Value>;
  /** Phis of reads before the block was sealed. */
  readonly incomplete: Phi[];
  readonly phis: Phi[];
}

/**
 * The SSA half of the builder (Braun and others, 2013), without recursion: scripts of thousands of statements must not
 * overflow the stack.
 */
export class SsaVariables {
  /** What a variable is worth before any write; to be defined at the start of the entry block if set. */
  zeroValue: Value | undefined;
  private readonly newValue: () => Value;
  private readonly blocks: BlockState[] = [];
  private readonly phis = new Map<Value, Phi>();
  /** Removed phis and what they stand for. */
  private readonly replaced = new Map<Value, Value>();
  private variables = 0;

  constructor(newValue: () => Value) {
    this.newValue = newValue;
  }

  addBlock(id: BlockId): void {
    this.blocks[id] = { sealed: false, edges: [], definitions: new Map(), incomplete: [], phis: [] };
  }

  addEdge(edge: OpenEdge): void {
    const to = this.state(edge.to);
    if (to.sealed) throw new Error(`internal: jump to b${edge.to}, which is sealed`);
    to.edges.push(edge);
  }

  newVariable(): Variable {
    return this.variables++ as Variable;
  }

  isSealed(block: BlockId): boolean {
    return this.state(block).sealed;
  }

  hasPredecessors(block: BlockId): boolean {
    return this.state(block).edges.length > 0;
  }

  write(variable: Variable, block: BlockId, value: Value): void {
    this.state(block).definitions.set(variable, value);
  }

  read(variable: Variable, block: BlockId): Value {
    const open: Phi[] = [];
    const value = this.lookUp(variable, block, open);
    this.complete(open);
    return this.resolve(value);
  }

  seal(block: BlockId): void {
    const state = this.state(block);
    if (state.sealed) return;
    state.sealed = true;
    this.complete(state.incomplete.splice(0));
  }

  /** What stands for `value` after trivial phis have gone. */
  resolve(value: Value): Value {
    let root = value;
    for (let next = this.replaced.get(root); next !== undefined; next = this.replaced.get(root)) root = next;
    // Path compression keeps chains short.
    for (let at = value; at !== root; ) {
      const next = this.replaced.get(at) ?? root;
      this.replaced.set(at, root);
      at = next;
    }
    return root;
  }

  resolveOperands(instr: IrInstr): IrInstr {
    return this.replaced.size === 0 ? instr : mapOperands(instr, (value) => this.resolve(value));
  }

  paramsOf(block: BlockId): readonly Value[] {
    return this.livePhis(block).map((phi) => phi.value);
  }

  /** The arguments that an edge hands to its block's parameters. */
  argumentsOf(edge: OpenEdge): readonly Value[] {
    const state = this.state(edge.to);
    const index = state.edges.indexOf(edge);
    return this.livePhis(edge.to).map((phi) => {
      const operand = phi.operands[index];
      if (operand === undefined) throw new Error(`internal: phi %${phi.value} has no operand for edge ${index}`);
      return this.resolve(operand);
    });
  }

  private livePhis(block: BlockId): readonly Phi[] {
    return this.state(block).phis.filter((phi) => !this.replaced.has(phi.value));
  }

  /** Walks up to the nearest definition; where ways meet, a phi is made and left in `open` for its operands. */
  private lookUp(variable: Variable, from: BlockId, open: Phi[]): Value {
    const path: BlockState[] = [];
    let block = from;
    let value: Value | undefined;
    for (;;) {
      const state = this.state(block);
      value = state.definitions.get(variable);
      if (value !== undefined) break;
      path.push(state);
      const [only] = state.edges;
      if (!state.sealed) {
        const phi = this.newPhi(variable, block);
        state.incomplete.push(phi);
        value = phi.value;
        break;
      }
      // What nothing leads to, or only itself: a loop in code that never runs, each of whose blocks has one way in.
      if (only === undefined || path.length > this.blocks.length) {
        this.zeroValue ??= this.newValue();
        value = this.zeroValue;
        break;
      }
      if (state.edges.length > 1) {
        const phi = this.newPhi(variable, block);
        open.push(phi);
        value = phi.value;
        break;
      }
      block = only.from;
    }
    for (const state of path) state.definitions.set(variable, value);
    return value;
  }

  private newPhi(variable: Variable, block: BlockId): Phi {
    const phi: Phi = { value: this.newValue(), block, variable, operands: [], users: new Set() };
    this.phis.set(phi.value, phi);
    this.state(block).phis.push(phi);
    return phi;
  }

  /** Gives each open phi its operands, which may open more, then removes the trivial ones. */
  private complete(open: Phi[]): void {
    const done: Phi[] = [];
    for (let phi = open.pop(); phi !== undefined; phi = open.pop()) {
      const { variable, block } = phi;
      phi.operands = this.state(block).edges.map((edge) => this.resolve(this.lookUp(variable, edge.from, open)));
      for (const operand of phi.operands) this.phis.get(operand)?.users.add(phi);
      done.push(phi);
    }
    this.removeTrivial(done);
  }

  private removeTrivial(work: Phi[]): void {
    for (let phi = work.pop(); phi !== undefined; phi = work.pop()) {
      if (this.replaced.has(phi.value) || phi.operands.length === 0) continue;
      let same: Value | undefined;
      let trivial = true;
      for (const operand of phi.operands) {
        const value = this.resolve(operand);
        if (value === phi.value || value === same) continue;
        if (same !== undefined) {
          trivial = false;
          break;
        }
        same = value;
      }
      if (!trivial) continue;
      if (same === undefined) {
        this.zeroValue ??= this.newValue();
        same = this.zeroValue;
      }
      this.replaced.set(phi.value, same);
      const heir = this.phis.get(same);
      for (const user of phi.users) {
        if (user === phi) continue;
        heir?.users.add(user);
        work.push(user);
      }
    }
  }

  private state(block: BlockId): BlockState {
    const state = this.blocks[block];
    if (state === undefined) throw new Error(`internal: no block b${block}`);
    return state;
  }
}
