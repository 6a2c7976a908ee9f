// What a program does, computed by BigInt and nothing of the compiler.
import type { Contents, Expression, IntType, Place, Program, Statement, Text } from "./program-ast.js";

/** An integer with what decides the meaning of operators on it. */
interface Number64 {
  readonly bits: bigint;
  readonly signed: boolean;
  /** A constant that the compiler knows: if it is not negative, it takes the other operand's sign. */
  readonly literal?: boolean;
  /** A literal that was cast, or computed of such: its type stays. */
  readonly cast?: boolean;
  /** Bits of a type of fewer than 64; of a literal that of its cast. */
  readonly width?: number;
  /** The truth of a condition, which is of no integer type. */
  readonly truth?: boolean;
}

/** How another implementation of the language computes. */
export interface Dialect {
  /** Division and remainder are unsigned whatever their operands are. */
  readonly dividesUnsigned?: boolean;
  /** So are shifts to the right. */
  readonly shiftsUnsigned?: boolean;
  /** Constants that leave the signed 64 bits become unsigned. */
  readonly constantsGrow?: boolean;
  /** The variable of a range has the smallest type of its bounds, unsigned if none is negative. */
  readonly rangesAreNarrow?: boolean;
  /** A literal that was cast does not take the other operand's sign. */
  readonly castsAreTyped?: boolean;
  /** A literal that is shifted by what is none becomes unsigned. */
  readonly literalsShiftUnsigned?: boolean;
  /** Operators on two truths that are constants have one bit. */
  readonly truthsAreBits?: boolean;
  /** `break` and `continue` in an unroll are for the loop around it. */
  readonly unrollIsNoLoop?: boolean;
  /** What makes the key is done twice in compound assignments. */
  readonly keysTwice?: boolean;
  /** Told of comparisons of tuples in one another. */
  readonly onNestedTuples?: () => void;
  /** Told of shifts by 64 bits or more, of which C and LLVM say nothing. */
  readonly onWideShift?: () => void;
}

/** How a statement ended: by running into the next one, or by leaving something. */
type Outcome = "next" | "break" | "continue" | "return";

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const i64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const numberOf = ({ bits, signed }: Number64): bigint => (signed ? i64(bits) : u64(bits));
/** `literal`: what it was decided by is known to the compiler. */
const flag = (truth: boolean, literal: boolean): Number64 => ({
  bits: truth ? 1n : 0n,
  signed: false,
  literal,
  truth: true,
});

/** A value as its type holds it. */
const converted = (bits: bigint, { bits: width, signed }: IntType): bigint =>
  u64(signed ? BigInt.asIntN(width, bits) : BigInt.asUintN(width, bits));

const typed = (bits: bigint, { bits: width, signed }: IntType): Number64 => ({
  bits,
  signed,
  ...(width === 64 ? {} : { width }),
});

/** The type that holds both; a signed one of 64 bits where none does. */
function common(a: IntType, b: IntType): IntType {
  if (a.signed === b.signed) return a.bits >= b.bits ? a : b;
  const [signed, unsigned] = a.signed ? [a, b] : [b, a];
  const bits = ([8, 16, 32, 64] as const).find((each) => each > unsigned.bits && each >= signed.bits) ?? 64;
  return { bits, signed: true };
}

function signedTogether(a: Number64, b: Number64, dialect: Dialect): boolean {
  const fits = (n: Number64): boolean =>
    n.literal === true && i64(n.bits) >= 0n && !(dialect.castsAreTyped === true && n.cast === true);
  if (a.signed === b.signed) return a.signed;
  if (fits(a)) return b.signed;
  if (fits(b)) return a.signed;
  return true;
}

/** Divided by 0, everything is 1, as in bpftrace. */
function compute(op: string, a: Number64, b: Number64, dialect: Dialect): Number64 {
  const signed = signedTogether(a, b, dialect);
  const left = signed ? i64(a.bits) : u64(a.bits);
  const right = signed ? i64(b.bits) : u64(b.bits);
  const shift = u64(b.bits) & 63n;
  const shiftSigned = a.signed && !(dialect.literalsShiftUnsigned === true && a.literal === true);
  if ((op === "<<" || op === ">>") && u64(b.bits) > 63n) dialect.onWideShift?.();
  const literal = a.literal === true && b.literal === true;
  const result = (value: bigint, isSigned: boolean): Number64 => {
    // A constant that was computed is signed whenever it fits.
    const fits = value < 1n << 63n;
    const grows = dialect.constantsGrow === true && literal && !fits;
    if (dialect.truthsAreBits === true && literal && a.truth === true && b.truth === true)
      return { bits: value & 1n, signed: false, literal };
    const cast = literal && (a.cast === true || b.cast === true);
    return { bits: u64(value), signed: grows ? false : isSigned || (literal && fits), literal, cast };
  };
  switch (op) {
    case "+":
      return result(left + right, signed);
    case "-":
      return literal ? result(left - right, signed) : result(left - right, true);
    case "*":
      return result(left * right, signed);
    case "/":
    case "%": {
      const [n, d] = dialect.dividesUnsigned === true ? [u64(left), u64(right)] : [left, right];
      return result(d === 0n ? 1n : op === "/" ? n / d : n % d, signed);
    }
    case "&":
      return result(left & right, signed);
    case "|":
      return result(left | right, signed);
    case "^":
      return result(left ^ right, signed);
    case "<<":
      return result(a.bits << shift, literal ? signed : shiftSigned);
    case ">>":
      return result(
        (dialect.shiftsUnsigned === true && !literal ? u64(a.bits) : numberOf(a)) >> shift,
        literal ? signed : shiftSigned,
      );
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

/** One run of a program. */
class Evaluation {
  private readonly program: Program;
  private readonly args: readonly bigint[];
  private readonly dialect: Dialect;
  private readonly numbers = new Map<string, bigint>();
  private readonly texts = new Map<string, string>();
  private readonly tuples = new Map<string, readonly bigint[]>();
  /** Comparisons of tuples that are being made. */
  private comparing = 0;
  /** Where each range begins. */
  private readonly ranges = new Map<string, number>();
  readonly maps: Record<string, Record<string, string>> = {};

  constructor(program: Program, args: readonly bigint[], dialect: Dialect) {
    this.program = program;
    this.args = args;
    this.dialect = dialect;
  }

  run(body: readonly Statement[]): Outcome {
    for (const statement of body) {
      const outcome = this.statement(statement);
      if (outcome !== "next") return outcome;
    }
    return "next";
  }

  private typeOf(name: string): IntType {
    const range = this.ranges.get(name);
    if (range !== undefined && this.dialect.rangesAreNarrow === true) return { bits: 8, signed: range < 0 };
    const type = this.program.types.get(name);
    // The counter of a while loop begins as the literal 0 and is stepped.
    return type ?? { bits: 64, signed: true };
  }

  private key(key: readonly Expression[]): string {
    return key.map((part) => this.value(part).bits).join();
  }

  private read(place: Place): { readonly value: Number64; readonly write: (bits: bigint) => Number64 } {
    const name = place.kind === "variable" ? place.name : place.map;
    const type = this.typeOf(name);
    if (place.kind === "variable") {
      const write = (bits: bigint): Number64 => {
        this.numbers.set(name, converted(bits, type));
        return typed(converted(bits, type), type);
      };
      return { value: typed(this.numbers.get(name) ?? 0n, type), write };
    }
    const key = this.key(place.key);
    const write = (bits: bigint): Number64 => {
      this.maps[name] = { ...this.maps[name], [key]: `${u64(bits)}` };
      return typed(u64(bits), type);
    };
    return { value: typed(BigInt(this.maps[name]?.[key] ?? 0), type), write };
  }

  private text(e: Text): string {
    switch (e.kind) {
      case "words":
        return e.value;
      case "text-variable":
        return this.texts.get(e.name) ?? "";
      case "text-entry":
        return JSON.parse(this.maps[e.map]?.[this.key([e.key])] ?? '""') as string;
    }
  }

  private value(e: Expression): Number64 {
    switch (e.kind) {
      case "literal":
        return { bits: e.value, signed: e.value < 1n << 63n, literal: true };
      case "argument":
        return { bits: this.args[e.index] ?? 0n, signed: false };
      case "variable":
      case "entry":
        return this.read(e).value;
      case "unary":
        return this.unary(e.op, this.value(e.of));
      case "cast": {
        const { bits, literal } = this.value(e.of);
        return { ...typed(converted(bits, e.type), e.type), literal: literal === true, cast: literal === true };
      }
      case "binary":
        return compute(e.op, this.value(e.left), this.value(e.right), this.dialect);
      case "logical": {
        const left = this.value(e.left);
        const truth = left.bits !== 0n;
        if (truth === (e.op === "||")) return flag(truth, left.literal === true);
        const right = this.value(e.right);
        return flag(right.bits !== 0n, left.literal === true && right.literal === true);
      }
      case "choice": {
        const way = this.value(e.condition).bits !== 0n ? e.yes : e.no;
        return typed(this.value(way).bits, common(e.yes.type, e.no.type));
      }
      case "or-else": {
        const { bits } = this.value(e.value);
        return typed(bits !== 0n ? bits : this.value(e.no).bits, common(e.value.type, e.no.type));
      }
      case "step": {
        const { value, write } = this.read(e.place);
        const after = write(value.bits + BigInt(e.by));
        return e.prefix ? after : value;
      }
      case "same-text": {
        const known = e.left.kind === "words" && e.right.kind === "words";
        return flag((this.text(e.left) === this.text(e.right)) === e.equal, known);
      }
      case "item": {
        if (e.tuple.kind === "tuple") {
          const { items } = e.tuple;
          const values = items.map((item) => this.value(item));
          const { literal: _, ...value } = values[e.index] ?? { bits: 0n, signed: true };
          return { ...value, literal: values.every((each) => each.literal === true) };
        }
        const type = this.program.tuples.get(e.tuple.name)?.[e.index] ?? this.typeOf("");
        return typed(this.tuples.get(e.tuple.name)?.[e.index] ?? 0n, type);
      }
      case "same-tuple": {
        if (this.comparing++ > 0) this.dialect.onNestedTuples?.();
        const [left, right] = [e.left, e.right].map((items) => items.map((item) => this.value(item).bits));
        this.comparing--;
        return flag(left?.every((bits, i) => bits === right?.[i]) === e.equal, false);
      }
      case "block":
        this.run(e.body);
        return this.value(e.value);
    }
  }

  private unary(op: "-" | "~" | "!", of: Number64): Number64 {
    const { bits, signed, literal = false, width = 64 } = of;
    // A literal as it is written, or a truth, has no type that would decide anything.
    const isTyped = of.truth !== true && (!literal || of.cast === true);
    switch (op) {
      case "-":
        if (!isTyped || signed) return { bits: u64(-bits), signed: true, literal };
        return { bits: BigInt.asUintN(width, -bits), signed: false, literal, cast: literal, width };
      case "~":
        if (!isTyped) return { bits: u64(~bits), signed: false };
        return signed ? { bits: u64(~bits), signed } : { bits: BigInt.asUintN(width, ~bits), signed, width };
      case "!":
        return flag(bits === 0n, literal);
    }
  }

  private statement(s: Statement): Outcome {
    switch (s.kind) {
      case "assign": {
        const value = this.value(s.value);
        const place = this.read(s.place);
        const { write } = s.op !== "" && this.dialect.keysTwice === true ? this.read(s.place) : place;
        write((s.op === "" ? value : compute(s.op, place.value, value, this.dialect)).bits);
        return "next";
      }
      case "let":
        this.read({ kind: "variable", name: s.name }).write(this.value(s.value).bits);
        return "next";
      case "effect":
        this.value(s.step);
        return "next";
      case "set-text": {
        const text = this.text(s.value);
        if (s.to.kind === "text-variable") this.texts.set(s.to.name, text);
        else this.maps[s.to.map] = { ...this.maps[s.to.map], [this.key([s.to.key])]: JSON.stringify(text) };
        return "next";
      }
      case "set-tuple":
        this.tuples.set(
          s.name,
          s.items.map((item) => this.value(item).bits),
        );
        return "next";
      case "if":
        return this.run(this.value(s.condition).bits !== 0n ? s.yes : s.no);
      case "leave":
        return this.value(s.condition).bits !== 0n ? s.how : "next";
      case "unroll":
        if (this.dialect.unrollIsNoLoop === true) return this.run(Array.from({ length: s.times }, () => s.body).flat());
        return this.repeat(s.times, s.body);
      case "while":
        return this.repeat(s.times, s.body);
      case "range":
        this.ranges.set(s.variable, s.from);
        return this.repeat(s.to - s.from, s.body, (i) => this.numbers.set(s.variable, u64(BigInt(s.from + i))));
    }
  }

  private repeat(times: number, body: readonly Statement[], before?: (i: number) => void): Outcome {
    for (let i = 0; i < times; i++) {
      before?.(i);
      const outcome = this.run(body);
      if (outcome === "return") return "return";
      if (outcome === "break") break;
    }
    return "next";
  }
}

/** What the program's maps hold after one run with these arguments. */
export function meaningOf(program: Program, args: readonly bigint[], dialect: Dialect = {}): Contents {
  const evaluation = new Evaluation(program, args, dialect);
  evaluation.run(program.body);
  return evaluation.maps;
}
