import { helpers } from "../abi/helpers.js";
import { dominance, dominatorsOf, edgesOf, graphOf } from "./graph.js";
import type { Block, BlockId, IrFunction, IrInstr, Value } from "./ir.js";
import { operandsOf, resultOf, usesOfEnd } from "./ops.js";
import { printEnd, printInstr } from "./printer.js";

/**
 * Throws an internal error, naming `pass`, if the function breaks a rule of the IR: each value is defined once and its
 * definition dominates its uses, edges give every parameter an argument, operands lie in their ranges.
 */
export function verifyIr(fn: IrFunction, pass: string): void {
  const fail: (what: string) => never = (what) => {
    throw new Error(`internal: IR of ${fn.name} is wrong after ${pass}: ${what}`);
  };
  const blocks = new Map<BlockId, Block>();
  for (const block of fn.blocks) {
    if (blocks.has(block.id)) fail(`two blocks b${block.id}`);
    blocks.set(block.id, block);
  }
  const entry = fn.blocks[0];
  if (entry === undefined) fail("no entry block");
  if (entry.params.length > 0) fail("the entry block has parameters");
  checkEdges(fn, blocks, entry.id, fail);
  const slots = new Set(fn.slots.map((slot) => slot.id));
  for (const slot of fn.slots) if (!(slot.size > 0)) fail(`slot ${slot.name} has size ${slot.size}`);

  const graph = graphOf(fn);
  const dominates = dominance(dominatorsOf(graph));
  // Where each value is defined: block position and index in it (-1 for a parameter).
  const definedIn = new Int32Array(fn.values).fill(-1);
  const definedAt = new Int32Array(fn.values);
  const define = (value: Value, block: number, index: number): void => {
    if (!(value >= 0 && value < fn.values)) fail(`%${value} is not below ${fn.values}`);
    if (definedIn[value] !== -1) fail(`%${value} is defined twice`);
    definedIn[value] = block;
    definedAt[value] = index;
  };
  graph.order.forEach((block, b) => {
    for (const param of block.params) define(param, b, -1);
    block.instrs.forEach((instr, i) => {
      const dst = resultOf(instr);
      if (dst !== undefined) define(dst, b, i);
    });
  });
  const use = (value: Value, block: number, index: number, where: () => string): void => {
    const from = definedIn[value] ?? -1;
    if (from === -1) fail(`%${value} is used but not defined: ${where()}`);
    const ok = from === block ? (definedAt[value] ?? 0) < index : dominates(from, block);
    if (!ok) fail(`%${value} is used where its definition does not reach: ${where()}`);
  };
  graph.order.forEach((block, b) => {
    block.instrs.forEach((instr, i) => {
      const problem = rangeProblem(instr, fn, slots);
      if (problem !== undefined) fail(`${problem}: ${printInstr(instr)}`);
      for (const operand of operandsOf(instr)) use(operand, b, i, () => printInstr(instr));
    });
    for (const value of usesOfEnd(block.end)) use(value, b, block.instrs.length, () => printEnd(block.end));
  });
}

function checkEdges(
  fn: IrFunction,
  blocks: ReadonlyMap<BlockId, Block>,
  entry: BlockId,
  fail: (what: string) => never,
): void {
  for (const block of fn.blocks) {
    for (const edge of edgesOf(block.end)) {
      const target = blocks.get(edge.block);
      if (target === undefined) fail(`b${block.id} jumps to b${edge.block}, which is missing`);
      if (edge.block === entry) fail(`b${block.id} jumps to the entry block`);
      if (target.params.length !== edge.args.length) {
        fail(`b${block.id} gives b${edge.block} ${edge.args.length} arguments for ${target.params.length} parameters`);
      }
    }
  }
}

const isOffset = (n: number): boolean => Number.isInteger(n) && Math.abs(n) < 2 ** 31;

function rangeProblem(instr: IrInstr, fn: IrFunction, slots: ReadonlySet<number>): string | undefined {
  switch (instr.op) {
    case "const":
      return BigInt.asIntN(64, instr.value) === instr.value ? undefined : "the constant is no signed 64-bit number";
    case "ctx":
    case "cookie":
      return fn.kind === "program" ? undefined : "only a program has a context";
    case "param":
      if (fn.kind !== "subprogram") return "only a subprogram has parameters";
      return instr.index >= 0 && instr.index < 5 ? undefined : "there are 5 parameters at most";
    case "slot":
      return slots.has(instr.slot) ? undefined : "no such slot";
    case "ext":
      return [1, 2, 4].includes(instr.width) ? undefined : "no such width";
    case "bswap":
      return [2, 4, 8].includes(instr.width) ? undefined : "no such width";
    case "atomic":
      if (instr.width !== 4 && instr.width !== 8) return "no such width";
      return isOffset(instr.offset) ? undefined : "offset out of range";
    case "mapvalue":
    case "load":
    case "store":
      return isOffset(instr.offset) ? undefined : "offset out of range";
    case "zero":
      return isOffset(instr.offset) && isOffset(instr.size) && instr.size > 0 ? undefined : "range out of range";
    case "copy":
      return isOffset(instr.offset) && isOffset(instr.fromOffset) && isOffset(instr.size) && instr.size > 0
        ? undefined
        : "range out of range";
    case "call":
      if (!helpers.has(instr.helper)) return `no helper ${instr.helper}`;
      return instr.args.length <= 5 ? undefined : "a call has 5 arguments at most";
    case "callkernel":
    case "callfunc":
      return instr.args.length <= 5 ? undefined : "a call has 5 arguments at most";
    default:
      return undefined;
  }
}
