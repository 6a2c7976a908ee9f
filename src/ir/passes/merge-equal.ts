import { helpers } from "../../abi/helpers.js";
import { dominatorChildren, dominatorsOf, graphOf } from "../graph.js";
import type { Block, IrFunction, IrInstr, Value } from "../ir.js";
import { commutative, resultOf } from "../ops.js";
import { Rewriter } from "./rewriter.js";

/**
 * Computes equal things once: global value numbering over the dominator tree, of operations without effect and of helpers
 * that give the same all through a run. Loads are not touched: what they read may change, and pointers read from BTF or
 * packet memory lose what the verifier knows of them at a call. What was computed before a comparison for size does not
 * stand for the same behind it: the verifier derives the bounds of `i * 8` from those that `i` has when it is computed.
 */
export function mergeEqual(fn: IrFunction): IrFunction {
  const graph = graphOf(fn);
  const children = dominatorChildren(dominatorsOf(graph));
  const rewriter = new Rewriter(fn);
  const known = new Map<string, Value>();
  const blocks: Block[] = [];
  // A walk over the tree; what a block adds is taken back when its subtree is done.
  const stack: { readonly node: number; next: number; readonly added: string[]; readonly bounds: Bounds }[] = [];
  let bounds: Bounds = new Map();
  let comparisons = 0;
  const enter = (node: number): void => {
    const block = graph.order[node];
    if (block === undefined) return;
    const before = bounds;
    const [pred, ...others] = graph.predecessors[node] ?? [];
    const asked = pred === undefined || others.length > 0 ? undefined : graph.order[pred]?.end;
    if (asked?.op === "branch" && asked.cmp !== "eq" && asked.cmp !== "ne") {
      comparisons++;
      const [a, b] = [rewriter.resolve(asked.a), rewriter.resolve(asked.b)];
      bounds = new Map([...bounds, [a, comparisons], [b, comparisons]]);
    }
    const added: string[] = [];
    const instrs: IrInstr[] = [];
    for (const old of block.instrs) {
      const instr = rewriter.instr(old);
      const dst = resultOf(instr);
      const key = dst === undefined ? undefined : keyOf(instr, bounds);
      if (dst === undefined || key === undefined) {
        instrs.push(instr);
        continue;
      }
      const same = known.get(key);
      if (same === undefined) {
        known.set(key, dst);
        added.push(key);
        instrs.push(instr);
      } else rewriter.replace(dst, same);
    }
    blocks[node] = { ...block, instrs, end: rewriter.end(block.end) };
    stack.push({ node, next: 0, added, bounds: before });
  };
  enter(0);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const child = children[top.node]?.[top.next++];
    if (child !== undefined) enter(child);
    else {
      for (const key of top.added) known.delete(key);
      bounds = top.bounds;
      stack.pop();
    }
  }
  return rewriter.finish(fn, blocks);
}

/** Number of the last comparison for size that each value went through on the way here. */
type Bounds = ReadonlyMap<Value, number>;

/** Equal for instructions that compute the same; undefined where two may differ. */
function keyOf(instr: IrInstr, bounds: Bounds): string | undefined {
  const named = (value: Value): string => {
    const compared = bounds.get(value);
    return compared === undefined ? `${value}` : `${value}<${compared}`;
  };
  switch (instr.op) {
    case "const":
      return `c${instr.value}`;
    case "ctx":
    case "cookie":
      return instr.op;
    case "param":
      return `p${instr.index}`;
    case "slot":
      return `s${instr.slot}`;
    case "map":
      return `m${instr.map}`;
    case "mapvalue":
      return `v${instr.offset} ${instr.map}`;
    case "funcref":
      return `f${instr.func}`;
    case "bin": {
      const [a, b] = commutative.has(instr.bin) && instr.b < instr.a ? [instr.b, instr.a] : [instr.a, instr.b];
      return `${instr.bin} ${named(a)} ${named(b)}`;
    }
    case "ext":
      return `e${instr.width}${instr.signed} ${named(instr.a)}`;
    case "bswap":
      return `w${instr.width} ${instr.a}`;
    case "cmp":
      return `?${instr.cmp} ${instr.a} ${instr.b}`;
    case "call":
      return helpers.get(instr.helper)?.constant === true ? `h${instr.helper} ${instr.args.join(" ")}` : undefined;
    default:
      return undefined;
  }
}
