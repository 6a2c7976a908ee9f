import type { Block, IrFunction, IrInstr, Terminator, Value } from "../ir.js";
import { mapEnd, mapOperands, operandsOf, resultOf, usesOfEnd } from "../ops.js";

/** Replaces values by others while a pass goes through a function, and numbers new ones. */
export class Rewriter {
  private readonly replaced = new Map<Value, Value>();
  private next: number;

  constructor(fn: IrFunction) {
    this.next = fn.values;
  }

  /** How many values there are with the new ones. */
  get values(): number {
    return this.next;
  }

  get changed(): boolean {
    return this.replaced.size > 0;
  }

  newValue(): Value {
    return this.next++ as Value;
  }

  /** From now on `by` stands for `value`. */
  replace(value: Value, by: Value): void {
    this.replaced.set(value, this.resolve(by));
  }

  readonly resolve = (value: Value): Value => {
    let root = value;
    for (let to = this.replaced.get(root); to !== undefined; to = this.replaced.get(root)) root = to;
    if (root !== value) this.replaced.set(value, root);
    return root;
  };

  instr(instr: IrInstr): IrInstr {
    return this.replaced.size === 0 ? instr : mapOperands(instr, this.resolve);
  }

  end(end: Terminator): Terminator {
    return this.replaced.size === 0 ? end : mapEnd(end, this.resolve);
  }

  /** The blocks with every replacement done, also where a use came before it was known (round a loop). */
  finish(fn: IrFunction, blocks: readonly Block[]): IrFunction {
    const done = !this.changed
      ? blocks
      : blocks.map((block) => ({
          ...block,
          instrs: block.instrs.map((instr) => this.instr(instr)),
          end: this.end(block.end),
        }));
    return { ...fn, blocks: done, values: this.next };
  }
}

/** How often each value is used. */
export function countUses(fn: IrFunction): number[] {
  const uses = new Array<number>(fn.values).fill(0);
  const count = (value: Value): void => {
    uses[value] = (uses[value] ?? 0) + 1;
  };
  for (const block of fn.blocks) {
    for (const instr of block.instrs) operandsOf(instr).forEach(count);
    usesOfEnd(block.end).forEach(count);
  }
  return uses;
}

/** The instruction that defines each value; undefined for block parameters. */
export function definitionsOf(fn: IrFunction): (IrInstr | undefined)[] {
  const definitions = new Array<IrInstr | undefined>(fn.values).fill(undefined);
  for (const block of fn.blocks) {
    for (const instr of block.instrs) {
      const dst = resultOf(instr);
      if (dst !== undefined) definitions[dst] = instr;
    }
  }
  return definitions;
}
