import type { BinOp, IrInstr, Value } from "../ir.js";
import type { Folder } from "./fold-constants.js";

/** log2 of an unsigned power of two, or undefined. */
function powerOfTwo(value: bigint): bigint | undefined {
  const unsigned = BigInt.asUintN(64, value);
  if (unsigned === 0n || (unsigned & (unsigned - 1n)) !== 0n) return undefined;
  return BigInt(unsigned.toString(2).length - 1);
}

/** Operations of which two with constants are one: (x op c) op d = x op (c op d). */
const combined: Partial<Record<BinOp, (c: bigint, d: bigint) => bigint>> = {
  add: (c, d) => c + d,
  mul: (c, d) => c * d,
  and: (c, d) => c & d,
  or: (c, d) => c | d,
  xor: (c, d) => c ^ d,
};

/** What can stand for an operation of which `constant` is the right operand, or undefined to leave it. */
export function simplifyBin(
  f: Folder,
  instr: IrInstr & { op: "bin" },
  constant: bigint | undefined,
): Value | undefined {
  const { bin, a, b } = instr;
  if (a === b) {
    if (bin === "sub" || bin === "xor") return f.makeConstant(0n);
    if (bin === "and" || bin === "or") return a;
  }
  if (constant === undefined) return undefined;
  return withoutEffect(f, bin, a, constant) ?? cheaper(f, bin, a, constant) ?? merged(f, bin, a, constant);
}

/** x + 0, x * 1, x & -1 ... are x; x * 0, x % 1 ... are constants. */
function withoutEffect(f: Folder, bin: BinOp, a: Value, c: bigint): Value | undefined {
  switch (bin) {
    case "add":
    case "sub":
    case "xor":
      return c === 0n ? a : undefined;
    case "or":
      if (c === 0n) return a;
      return c === -1n ? f.makeConstant(-1n) : undefined;
    case "and": {
      if (c === -1n) return a;
      if (c === 0n) return f.makeConstant(0n);
      // A mask over bits that are 0 anyway.
      const bits = f.bitsOf(a);
      const all = (1n << BigInt(bits)) - 1n;
      return bits < 64 && (BigInt.asUintN(64, c) & all) === all ? a : undefined;
    }
    case "shl":
    case "lshr":
    case "ashr":
      return (c & 63n) === 0n ? a : undefined;
    case "mul":
      if (c === 1n) return a;
      return c === 0n ? f.makeConstant(0n) : undefined;
    case "udiv":
    case "sdiv":
      if (c === 1n) return a;
      return c === 0n ? f.makeConstant(0n) : undefined;
    case "umod":
    case "smod":
      if (c === 0n) return a;
      return c === 1n || (c === -1n && bin === "smod") ? f.makeConstant(0n) : undefined;
  }
}

/** Multiplication, division and remainder by powers of two; subtraction of a constant. */
function cheaper(f: Folder, bin: BinOp, a: Value, c: bigint): Value | undefined {
  if (bin === "sub") {
    return c === -(1n << 63n) ? undefined : (simplifyAdd(f, a, -c) ?? f.makeBin("add", a, f.makeConstant(-c)));
  }
  if (bin === "sdiv" && c === -1n) return f.makeBin("sub", f.makeConstant(0n), a);
  const log = powerOfTwo(c);
  if (log === undefined) return undefined;
  switch (bin) {
    case "mul":
      return f.makeBin("shl", a, f.makeConstant(log));
    case "udiv":
      return f.makeBin("lshr", a, f.makeConstant(log));
    case "umod":
      return withoutEffect(f, "and", a, c - 1n) ?? f.makeBin("and", a, f.makeConstant(c - 1n));
    case "sdiv":
      // Rounds towards zero: a negative dividend is first raised by the divisor - 1.
      return c < 0n ? undefined : f.makeBin("ashr", f.makeBin("add", a, bias(f, a, log)), f.makeConstant(log));
    case "smod": {
      if (c < 0n) return undefined;
      const by = bias(f, a, log);
      return f.makeBin("sub", f.makeBin("and", f.makeBin("add", a, by), f.makeConstant(c - 1n)), by);
    }
    default:
      return undefined;
  }
}

/** 2^log - 1 for a negative value, 0 for others. */
function bias(f: Folder, a: Value, log: bigint): Value {
  return f.makeBin("lshr", f.makeBin("ashr", a, f.makeConstant(63n)), f.makeConstant(64n - log));
}

function simplifyAdd(f: Folder, a: Value, c: bigint): Value | undefined {
  return merged(f, "add", a, BigInt.asIntN(64, c));
}

/** (x + 1) + 2 is x + 3, if nobody else wants x + 1. */
function merged(f: Folder, bin: BinOp, a: Value, c: bigint): Value | undefined {
  const inner = f.definition(a);
  if (inner?.op !== "bin" || !f.isOnlyUse(a)) return undefined;
  const before = f.constant(inner.b);
  if (before === undefined) return undefined;
  if (bin === "shl" || bin === "lshr") {
    const sum = (before & 63n) + (c & 63n);
    if (inner.bin !== bin) return undefined;
    return sum > 63n ? f.makeConstant(0n) : f.makeBin(bin, inner.a, f.makeConstant(sum));
  }
  const combine = combined[bin];
  if (inner.bin !== bin || combine === undefined) return undefined;
  const both = BigInt.asIntN(64, combine(before, c));
  return withoutEffect(f, bin, inner.a, both) ?? f.makeBin(bin, inner.a, f.makeConstant(both));
}
