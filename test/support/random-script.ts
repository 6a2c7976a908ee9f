// Random scripts together with what they mean, computed by BigInt and nothing of the compiler.
import { randomNumbers } from "../fixtures/fuzz.js";

/** An integer with what decides the meaning of operators on it. */
interface Number64 {
  readonly bits: bigint;
  readonly signed: boolean;
  /** A constant that the compiler knows: if it is not negative, it takes the other operand's sign. */
  readonly literal?: boolean;
  /** Bits of an unsigned type of fewer than 64, which a cast has given it. */
  readonly width?: number | undefined;
}

export interface World {
  readonly args: readonly bigint[];
  readonly variables: Map<string, bigint>;
  readonly maps: Map<string, Map<bigint, bigint>>;
}

/** An expression: its text, and its value when run. */
export interface Expression {
  readonly text: string;
  readonly run: (world: World) => Number64;
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const i64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const numberOf = ({ bits, signed }: Number64): bigint => (signed ? i64(bits) : u64(bits));
/** `literal`: what it was decided by is known to the compiler. */
const flag = (truth: boolean, literal: boolean): Number64 => ({ bits: truth ? 1n : 0n, signed: false, literal });

function signedTogether(a: Number64, b: Number64): boolean {
  const fits = (n: Number64): boolean => n.literal === true && i64(n.bits) >= 0n;
  if (a.signed === b.signed) return a.signed;
  if (fits(a)) return b.signed;
  if (fits(b)) return a.signed;
  return true;
}

/** Divided by 0, everything is 1, as in bpftrace. */
function compute(op: string, a: Number64, b: Number64): Number64 {
  const signed = signedTogether(a, b);
  const left = signed ? i64(a.bits) : u64(a.bits);
  const right = signed ? i64(b.bits) : u64(b.bits);
  const shift = u64(b.bits) & 63n;
  const literal = a.literal === true && b.literal === true;
  const result = (value: bigint, isSigned: boolean): Number64 => {
    // A constant that was computed is signed whenever it fits.
    const knownSigned = literal && value < 1n << 63n;
    return { bits: u64(value), signed: isSigned || knownSigned, literal };
  };
  switch (op) {
    case "+":
      return result(left + right, signed);
    case "-":
      return literal ? result(left - right, signed) : { ...result(left - right, true) };
    case "*":
      return result(left * right, signed);
    case "/":
      return result(right === 0n ? 1n : left / right, signed);
    case "%":
      return result(right === 0n ? 1n : left % right, signed);
    case "&":
      return result(left & right, signed);
    case "|":
      return result(left | right, signed);
    case "^":
      return result(left ^ right, signed);
    case "<<":
      return result(a.bits << shift, literal ? signed : a.signed);
    case ">>":
      return result(numberOf(a) >> shift, literal ? signed : a.signed);
    case "==":
      return flag(u64(left) === u64(right), literal);
    case "!=":
      return flag(u64(left) !== u64(right), literal);
    case "<":
      return flag(left < right, literal);
    case "<=":
      return flag(left <= right, literal);
    case ">":
      return flag(left > right, literal);
    case ">=":
      return flag(left >= right, literal);
    default:
      throw new Error(`no operator ${op}`);
  }
}

const arithmetic = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
const comparisons = ["==", "!=", "<", "<=", ">", ">="];
const edges = [0n, 1n, 2n, 7n, 8n, 63n, 64n, 127n, 128n, 255n, 256n, 65535n, 65536n, 0x7fff_ffffn, 0x8000_0000n];
const wide = [
  0xffff_ffffn,
  1n << 32n,
  (1n << 62n) + 5n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 2n,
  (1n << 64n) - 1n,
];
const casts = [8, 16, 32, 64].flatMap((bits) => [`int${bits}`, `uint${bits}`]);

const argument = (w: World, index: number): Number64 => ({ bits: w.args[index] ?? 0n, signed: false });
const one: Number64 = { bits: 1n, signed: true, literal: true };

export class ScriptMaker {
  readonly below: (limit: number) => number;
  /** Variables that hold a value here, with their signedness. */
  private readonly variables = new Map<string, boolean>();

  constructor(seed: number) {
    this.below = randomNumbers(seed * 2654435761);
    this.below(2);
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error("an empty list");
    return item;
  }

  /** An argument of the probe: edges more often than anything else. */
  word(): bigint {
    const near = this.pick([...edges, ...wide]);
    if (this.below(3) === 0) return u64(-near);
    return this.below(4) === 0 ? u64(near * BigInt(this.below(1 << 30))) : near;
  }

  private leaf(): Expression {
    const known = [...this.variables];
    if (known.length > 0 && this.below(4) === 0) {
      const [name, signed] = this.pick(known);
      // Its type is settled by the whole script, what stands behind this place included.
      const isSigned = (): boolean => this.variables.get(name) ?? signed;
      return { text: name, run: (w) => ({ bits: w.variables.get(name) ?? 0n, signed: isSigned() }) };
    }
    if (this.below(2) === 0) {
      const index = this.below(3);
      const asSigned = this.below(2) === 0;
      const text = asSigned ? `((int64)arg${index})` : `arg${index}`;
      return { text, run: (w) => ({ bits: w.args[index] ?? 0n, signed: asSigned }) };
    }
    const value = this.pick(this.below(3) === 0 ? wide : edges);
    const text = this.below(3) === 0 ? `0x${value.toString(16)}` : `${value}`;
    return { text, run: () => ({ bits: value, signed: value < 1n << 63n, literal: true }) };
  }

  expression(depth: number): Expression {
    if (depth === 0 || this.below(6) === 0) return this.leaf();
    switch (this.below(10)) {
      case 0: {
        const of = this.expression(depth - 1);
        return {
          text: `(-${of.text})`,
          run: (w) => {
            const { bits, literal, width } = of.run(w);
            if (width !== undefined)
              return { bits: BigInt.asUintN(width, -bits), signed: false, literal: literal === true };
            return { bits: u64(-bits), signed: true, literal: literal === true };
          },
        };
      }
      case 1: {
        const of = this.expression(depth - 1);
        return {
          text: `(~${of.text})`,
          run: (w) => {
            const { bits, width = 64 } = of.run(w);
            return { bits: BigInt.asUintN(width, ~bits), signed: false };
          },
        };
      }
      case 2: {
        const of = this.expression(depth - 1);
        return {
          text: `(!${of.text})`,
          run: (w) => {
            const { bits, literal } = of.run(w);
            return flag(bits === 0n, literal === true);
          },
        };
      }
      case 3:
        return this.cast(this.expression(depth - 1));
      case 4: {
        const [a, b] = [this.expression(depth - 1), this.expression(depth - 1)];
        const and = this.below(2) === 0;
        return {
          text: `(${a.text} ${and ? "&&" : "||"} ${b.text})`,
          run: (w) => {
            const left = a.run(w);
            const truth = left.bits !== 0n;
            if (truth !== and) return flag(truth, left.literal === true);
            const right = b.run(w);
            return flag(right.bits !== 0n, left.literal === true && right.literal === true);
          },
        };
      }
      case 5: {
        const condition = this.expression(depth - 1);
        // Both results of one type, so that which of them it was does not decide what follows.
        const cast = this.pick(["(int64)", "(uint64)"]);
        const [a, b] = [this.expression(depth - 1), this.expression(depth - 1)];
        return {
          text: `(${condition.text} ? ${cast}${a.text} : ${cast}${b.text})`,
          run: (w) => ({ bits: (condition.run(w).bits !== 0n ? a : b).run(w).bits, signed: cast === "(int64)" }),
        };
      }
      case 6: {
        const op = this.pick(comparisons);
        const [a, b] = [this.expression(depth - 1), this.expression(depth - 1)];
        return { text: `(${a.text} ${op} ${b.text})`, run: (w) => compute(op, a.run(w), b.run(w)) };
      }
      default: {
        const op = this.pick(arithmetic);
        const a = this.expression(depth - 1);
        let b = this.expression(depth - 1);
        // Division by a constant zero is an error at compile time.
        if (op === "/" || op === "%") {
          const [of, mask] = this.below(2) === 0 ? [this.cast(b, "uint64"), one] : [b, undefined];
          if (mask !== undefined) b = { text: `(${of.text} | 1)`, run: (w) => compute("|", of.run(w), mask) };
          else b = { text: `(${of.text} & arg2)`, run: (w) => compute("&", of.run(w), argument(w, 2)) };
        }
        return { text: `(${a.text} ${op} ${b.text})`, run: (w) => compute(op, a.run(w), b.run(w)) };
      }
    }
  }

  private cast(of: Expression, type = this.pick(casts)): Expression {
    const bits = Number(/\d+/.exec(type)?.[0]);
    const signed = type.startsWith("int");
    return {
      text: `((${type})${of.text})`,
      run: (w) => {
        const { bits: from, literal } = of.run(w);
        const cut = signed ? BigInt.asIntN(bits, from) : BigInt.asUintN(bits, from);
        const width = signed || bits === 64 ? undefined : bits;
        return { bits: u64(cut), signed, literal: literal === true, width };
      },
    };
  }

  /** A variable that expressions may use from here on. */
  declare(name: string, signed: boolean): void {
    this.variables.set(name, signed);
  }
}
