import { helpers } from "../abi/helpers.js";
import { assertNever } from "../base/assert-never.js";
import type { BinOp, CmpOp, Edge, IrInstr, Terminator, Value } from "./ir.js";

/** How a field of an instruction is written in IR text. */
export type FieldKind = "value" | "values" | "bigint" | "number" | "name" | "slot";
/** A field that is part of the mnemonic: `load.4.signed`; booleans are written as their name or left out. */
export type ModifierKind = "word" | "width" | "flag";

export interface OpInfo {
  /** No effect but its result (reading memory is none): an unused one may go. */
  readonly pure: boolean;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly result: "always" | "maybe" | "never";
  readonly modifiers: readonly (readonly [name: string, kind: ModifierKind])[];
  readonly fields: readonly (readonly [name: string, kind: FieldKind])[];
}

const value = { pure: true, reads: false, writes: false, result: "always", modifiers: [] } as const;
const effect = { pure: false, reads: true, writes: true, result: "never", modifiers: [] } as const;

/** One row per operation: what printer, parser, verifier and passes know of it. */
export const ops: Readonly<Record<IrInstr["op"], OpInfo>> = {
  const: { ...value, fields: [["value", "bigint"]] },
  ctx: { ...value, fields: [] },
  param: { ...value, fields: [["index", "number"]] },
  cookie: { ...value, fields: [] },
  slot: { ...value, fields: [["slot", "slot"]] },
  map: { ...value, fields: [["map", "name"]] },
  mapvalue: { ...value, fields: [["map", "name"], ["offset", "number"]] }, // biome-ignore format: one row
  funcref: { ...value, fields: [["func", "name"]] },
  bin: { ...value, modifiers: [["bin", "word"]], fields: [["a", "value"], ["b", "value"]] }, // biome-ignore format: one row
  ext: { ...value, modifiers: [["width", "width"], ["signed", "flag"]], fields: [["a", "value"]] }, // biome-ignore format: one row
  bswap: { ...value, modifiers: [["width", "width"]], fields: [["a", "value"]] },
  cmp: { ...value, modifiers: [["cmp", "word"]], fields: [["a", "value"], ["b", "value"]] }, // biome-ignore format: one row
  load: {
    ...value,
    reads: true,
    modifiers: [
      ["width", "width"],
      ["signed", "flag"],
    ],
    fields: [
      ["base", "value"],
      ["offset", "number"],
    ],
  },
  store: {
    ...effect,
    reads: false,
    modifiers: [["width", "width"]],
    fields: [
      ["base", "value"],
      ["offset", "number"],
      ["value", "value"],
    ],
  },
  atomic: {
    ...effect,
    result: "maybe",
    modifiers: [
      ["atomic", "word"],
      ["width", "width"],
    ],
    fields: [
      ["base", "value"],
      ["offset", "number"],
      ["value", "value"],
    ],
  },
  zero: {
    ...effect,
    reads: false,
    fields: [
      ["base", "value"],
      ["offset", "number"],
      ["size", "number"],
    ],
  },
  copy: {
    ...effect,
    fields: [
      ["base", "value"],
      ["offset", "number"],
      ["from", "value"],
      ["fromOffset", "number"],
      ["size", "number"],
    ],
  },
  call: {
    ...effect,
    result: "maybe",
    fields: [
      ["helper", "name"],
      ["args", "values"],
    ],
  },
  callkernel: {
    ...effect,
    result: "maybe",
    fields: [
      ["kfunc", "name"],
      ["id", "number"],
      ["args", "values"],
    ],
  },
  callfunc: {
    ...effect,
    result: "maybe",
    fields: [
      ["func", "name"],
      ["args", "values"],
    ],
  },
};

/** Whether an instruction whose result is unused may be dropped. */
export function isPure(instr: IrInstr): boolean {
  if (instr.op === "call") return helpers.get(instr.helper)?.pure ?? false;
  return ops[instr.op].pure;
}

/** The value that an instruction defines. */
export function resultOf(instr: IrInstr): Value | undefined {
  return "dst" in instr ? instr.dst : undefined;
}

/** The values that an instruction uses, in order of its fields. */
export function operandsOf(instr: IrInstr): readonly Value[] {
  switch (instr.op) {
    case "const":
    case "ctx":
    case "param":
    case "cookie":
    case "slot":
    case "map":
    case "mapvalue":
    case "funcref":
      return [];
    case "bin":
    case "cmp":
      return [instr.a, instr.b];
    case "ext":
    case "bswap":
      return [instr.a];
    case "load":
    case "zero":
      return [instr.base];
    case "store":
    case "atomic":
      return [instr.base, instr.value];
    case "copy":
      return [instr.base, instr.from];
    case "call":
    case "callkernel":
    case "callfunc":
      return instr.args;
    default:
      return assertNever(instr);
  }
}

/** The same instruction with every operand replaced; itself if nothing changes. */
export function mapOperands(instr: IrInstr, to: (value: Value) => Value): IrInstr {
  switch (instr.op) {
    case "const":
    case "ctx":
    case "param":
    case "cookie":
    case "slot":
    case "map":
    case "mapvalue":
    case "funcref":
      return instr;
    case "bin":
    case "cmp": {
      const a = to(instr.a);
      const b = to(instr.b);
      return a === instr.a && b === instr.b ? instr : { ...instr, a, b };
    }
    case "ext":
    case "bswap": {
      const a = to(instr.a);
      return a === instr.a ? instr : { ...instr, a };
    }
    case "load":
    case "zero": {
      const base = to(instr.base);
      return base === instr.base ? instr : { ...instr, base };
    }
    case "store":
    case "atomic": {
      const base = to(instr.base);
      const value = to(instr.value);
      return base === instr.base && value === instr.value ? instr : { ...instr, base, value };
    }
    case "copy": {
      const base = to(instr.base);
      const from = to(instr.from);
      return base === instr.base && from === instr.from ? instr : { ...instr, base, from };
    }
    case "call":
    case "callkernel":
    case "callfunc": {
      const args = mapValues(instr.args, to);
      return args === instr.args ? instr : { ...instr, args };
    }
    default:
      return assertNever(instr);
  }
}

/** The list mapped; itself if nothing changes. */
export function mapValues(values: readonly Value[], to: (value: Value) => Value): readonly Value[] {
  let changed = false;
  const mapped = values.map((v) => {
    const w = to(v);
    if (w !== v) changed = true;
    return w;
  });
  return changed ? mapped : values;
}

/** Every value that a terminator uses, arguments of its edges included. */
export function usesOfEnd(end: Terminator): readonly Value[] {
  switch (end.op) {
    case "jump":
      return end.to.args;
    case "branch":
      return [end.a, end.b, ...end.then.args, ...end.else.args];
    case "ret":
      return [end.value];
    default:
      return assertNever(end);
  }
}

function mapEdge(edge: Edge, to: (value: Value) => Value): Edge {
  const args = mapValues(edge.args, to);
  return args === edge.args ? edge : { block: edge.block, args };
}

/** The same terminator with every value replaced; itself if nothing changes. */
export function mapEnd(end: Terminator, to: (value: Value) => Value): Terminator {
  switch (end.op) {
    case "jump": {
      const edge = mapEdge(end.to, to);
      return edge === end.to ? end : { ...end, to: edge };
    }
    case "branch": {
      const [a, b, yes, no] = [to(end.a), to(end.b), mapEdge(end.then, to), mapEdge(end.else, to)];
      const same = a === end.a && b === end.b && yes === end.then && no === end.else;
      return same ? end : { ...end, a, b, then: yes, else: no };
    }
    case "ret":
      return { ...end, value: to(end.value) };
    default:
      return assertNever(end);
  }
}

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const s64 = (v: bigint): bigint => BigInt.asIntN(64, v);

/** What a `bin` computes; operands and result are signed 64-bit numbers. */
export const binFold: Readonly<Record<BinOp, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => s64(a + b),
  sub: (a, b) => s64(a - b),
  mul: (a, b) => s64(a * b),
  udiv: (a, b) => (b === 0n ? 0n : s64(u64(a) / u64(b))),
  umod: (a, b) => (b === 0n ? a : s64(u64(a) % u64(b))),
  sdiv: (a, b) => (b === 0n ? 0n : s64(a / b)),
  smod: (a, b) => (b === 0n ? a : s64(a % b)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => s64(a << (b & 63n)),
  lshr: (a, b) => s64(u64(a) >> (b & 63n)),
  ashr: (a, b) => a >> (b & 63n),
};

export const commutative: ReadonlySet<BinOp> = new Set(["add", "mul", "and", "or", "xor"]);

/** What a comparison answers; operands are signed 64-bit numbers. */
export const cmpFold: Readonly<Record<CmpOp, (a: bigint, b: bigint) => boolean>> = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  ult: (a, b) => u64(a) < u64(b),
  ule: (a, b) => u64(a) <= u64(b),
  ugt: (a, b) => u64(a) > u64(b),
  uge: (a, b) => u64(a) >= u64(b),
  slt: (a, b) => a < b,
  sle: (a, b) => a <= b,
  sgt: (a, b) => a > b,
  sge: (a, b) => a >= b,
};

/** The comparison that holds exactly when `op` does not. */
export const negated: Readonly<Record<CmpOp, CmpOp>> = {
  eq: "ne",
  ne: "eq",
  ult: "uge",
  ule: "ugt",
  ugt: "ule",
  uge: "ult",
  slt: "sge",
  sle: "sgt",
  sgt: "sle",
  sge: "slt",
};

/** The comparison with its sides exchanged. */
export const mirrored: Readonly<Record<CmpOp, CmpOp>> = {
  eq: "eq",
  ne: "ne",
  ult: "ugt",
  ule: "uge",
  ugt: "ult",
  uge: "ule",
  slt: "sgt",
  sle: "sge",
  sgt: "slt",
  sge: "sle",
};

export const extend = (v: bigint, width: number, signed: boolean): bigint =>
  signed ? BigInt.asIntN(width * 8, v) : s64(BigInt.asUintN(width * 8, v));

/** The low `width` bytes in reverse order, zero-extended, as a signed 64-bit number. */
export function swapBytes(v: bigint, width: number): bigint {
  let out = 0n;
  for (let i = 0; i < width; i++) out = (out << 8n) | ((v >> BigInt(8 * i)) & 0xffn);
  return s64(out);
}
