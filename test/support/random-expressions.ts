import { randomNumbers } from "../fixtures/fuzz.js";
import {
  type Arithmetic,
  type Cast,
  type Comparison,
  type Expression,
  type IntType,
  i64,
  type Place,
  type Text,
  type Tuple,
  u64,
} from "./program-ast.js";

const arithmetic: readonly Arithmetic[] = ["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
const comparisons: readonly Comparison[] = ["==", "!=", "<", "<=", ">", ">="];
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
export const intTypes: readonly IntType[] = ([8, 16, 32, 64] as const).flatMap((bits) => [
  { bits, signed: true },
  { bits, signed: false },
]);
const words = ["", "a", "ab", "abc", "abd", "b", "a longer text", "a longer text than that"];

/** What a place in a program can see. */
interface Visible {
  readonly numbers: string[];
  readonly texts: string[];
  readonly tuples: string[];
}

const nothing = (): Visible => ({ numbers: [], texts: [], tuples: [] });

/** The map of texts, and its key's type. */
export const textMap = "@s";

/**
 * Makes expressions. What changes something in one is seen by nothing else in it, so that C's freedom to evaluate in any order
 * changes nothing: each `++` and `--` within one has a counter of its own, and a block's variables are its own.
 */
export class ExpressionMaker {
  readonly below: (limit: number) => number;
  readonly types = new Map<string, IntType>([
    ["@m", i64],
    ["@n", i64],
    ["@k", u64],
    ["@p", i64],
    ["@r", i64],
  ]);
  readonly tuples = new Map<string, readonly IntType[]>();
  private visible: Visible[] = [nothing()];
  private names = 0;
  /** Maps that hold something from the beginning, which expressions may read. */
  private readonly readable: string[] = [];
  private textsAreKept = false;

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
    if (this.below(3) === 0) return BigInt.asUintN(64, -near);
    return this.below(4) === 0 ? BigInt.asUintN(64, near * BigInt(this.below(1 << 30))) : near;
  }

  name(letter: string): string {
    return `$${letter}${this.names++}`;
  }

  /** What is declared in the block is gone behind it. */
  inBlock<T>(make: () => T): T {
    this.visible.push(nothing());
    const made = make();
    this.visible.pop();
    return made;
  }

  declare(kind: keyof Visible, name: string): void {
    this.visible.at(-1)?.[kind].push(name);
  }

  forget(kind: keyof Visible, name: string): void {
    const names = this.visible.at(-1)?.[kind] ?? [];
    names.splice(names.indexOf(name), 1);
  }

  known(kind: keyof Visible): readonly string[] {
    return this.visible.flatMap((each) => each[kind]);
  }

  /** From here on expressions read the program's maps; without, they are of arguments and literals alone. */
  readMaps(...names: readonly string[]): void {
    this.readable.push(...names);
  }

  readTexts(): void {
    this.textsAreKept = true;
  }

  /** A variable or map whose differences are stored into it is signed, whatever else is. */
  becomesSigned(name: string): void {
    this.types.set(name, i64);
  }

  cast(of: Expression, type = this.pick(intTypes)): Cast {
    return { kind: "cast", type, of };
  }

  /** An entry of one of the maps that programs read and write. */
  entry(map: string): Place {
    const key = this.keyTypes(map).map((type) => this.cast(this.expression(1), type));
    return { kind: "entry", map, key };
  }

  private keyTypes(map: string): readonly IntType[] {
    if (map === "@m") return [];
    return map === "@p" ? [i64, { bits: 32, signed: false }] : [u64];
  }

  literal(): Expression {
    return { kind: "literal", value: this.pick(this.below(3) === 0 ? wide : edges), hex: this.below(3) === 0 };
  }

  private leaf(): Expression {
    const numbers = this.known("numbers");
    if (numbers.length > 0 && this.below(3) === 0) return { kind: "variable", name: this.pick(numbers) };
    if (this.readable.length > 0 && this.below(8) === 0) return this.entry(this.pick(this.readable));
    if (this.below(2) === 0) {
      const argument: Expression = { kind: "argument", index: this.below(3) };
      return this.below(2) === 0 ? this.cast(argument, i64) : argument;
    }
    return this.literal();
  }

  /** Anything that an action can read changes only between statements. */
  expression(depth: number): Expression {
    if (depth === 0 || this.below(6) === 0) return this.leaf();
    const sub = (): Expression => this.expression(depth - 1);
    switch (this.below(16)) {
      case 0:
        return { kind: "unary", op: this.pick(["-", "~", "!"] as const), of: sub() };
      case 1:
      case 2:
        return this.cast(sub());
      case 3:
        return { kind: "logical", op: this.pick(["&&", "||"] as const), left: sub(), right: sub() };
      case 4:
        return {
          kind: "choice",
          form: this.pick(["?:", "if"] as const),
          condition: sub(),
          yes: this.cast(sub()),
          no: this.cast(sub()),
        };
      case 5:
        return this.lessUsual(depth);
      case 6:
      case 7:
        return { kind: "binary", op: this.pick(comparisons), left: sub(), right: sub() };
      default: {
        const op = this.pick(arithmetic);
        return { kind: "binary", op, left: sub(), right: this.right(op, depth - 1) };
      }
    }
  }

  /** The right side of an operator: division by a constant zero is an error at compile time. */
  right(op: Arithmetic | "", depth: number): Expression {
    const value = this.expression(depth);
    // Compilers may do as they like with shifts by 64 bits and more; beetrace takes the lower six bits, as processors do.
    const isShift = op === "<<" || op === ">>";
    if (isShift && this.below(8) > 0)
      return {
        kind: "binary",
        op: "&",
        left: this.cast(value, u64),
        right: { kind: "literal", value: 63n, hex: false },
      };
    if (op !== "/" && op !== "%") return value;
    if (this.below(2) === 0)
      return {
        kind: "binary",
        op: "|",
        left: this.cast(value, this.pick([i64, u64])),
        right: { kind: "literal", value: 1n, hex: false },
      };
    return { kind: "binary", op: "&", left: value, right: { kind: "argument", index: 2 } };
  }

  private lessUsual(depth: number): Expression {
    const sub = (): Expression => this.expression(depth - 1);
    switch (this.below(6)) {
      case 0:
        return { kind: "or-else", value: this.cast(sub()), no: this.cast(sub()) };
      case 1:
        return { kind: "same-text", equal: this.below(2) === 0, left: this.text(), right: this.text() };
      case 2: {
        const items = Array.from({ length: 2 + this.below(3) }, () => this.cast(sub()));
        const known = this.known("tuples");
        const variable: Tuple | undefined =
          known.length > 0 && this.below(2) === 0 ? { kind: "tuple-variable", name: this.pick(known) } : undefined;
        const length = variable === undefined ? items.length : (this.tuples.get(variable.name)?.length ?? 0);
        return { kind: "item", tuple: variable ?? { kind: "tuple", items }, index: this.below(length) };
      }
      case 3: {
        const [a, b, c] = [this.cast(sub()), this.cast(sub()), this.cast(sub())];
        // Two random tuples are hardly ever equal.
        const other = this.below(2) === 0 ? this.cast(a, this.pick([i64, u64])) : c;
        return { kind: "same-tuple", equal: this.below(2) === 0, left: [a, b], right: [other, b] };
      }
      case 4:
        return this.step();
      default:
        return this.block(depth);
    }
  }

  /** A counter that only this place knows. */
  private step(): Expression {
    const by = this.pick([1, -1] as const);
    const key: Cast = {
      kind: "cast",
      type: u64,
      of: { kind: "literal", value: 1000n + BigInt(this.names++), hex: false },
    };
    return { kind: "step", by, prefix: this.below(2) === 0, place: { kind: "entry", map: "@n", key: [key] } };
  }

  private block(depth: number): Expression {
    return this.inBlock((): Expression => {
      const name = this.name("t");
      const type = this.pick(intTypes);
      const value = this.cast(this.expression(depth - 1), type);
      this.types.set(name, type);
      const place: Place = { kind: "variable", name };
      const op = this.pick([...arithmetic, ""] as const);
      const right = this.right(op, depth - 1);
      return {
        kind: "block",
        body: [
          { kind: "let", name, typed: true, value },
          { kind: "assign", place, op, value: this.fitting(right) },
          { kind: "effect", step: { kind: "step", by: this.pick([1, -1] as const), prefix: false, place } },
        ],
        value: place,
      };
    });
  }

  /** A value for a variable of a declared type, into which literals must fit: it depends on an argument. */
  fitting(value: Expression): Expression {
    return { kind: "binary", op: "^", left: value, right: { kind: "argument", index: this.below(3) } };
  }

  text(): Text {
    const known = this.known("texts");
    if (known.length > 0 && this.below(2) === 0) return { kind: "text-variable", name: this.pick(known) };
    if (this.textsAreKept && this.below(3) === 0) return { kind: "text-entry", map: textMap, key: this.textKey() };
    return { kind: "words", value: this.pick(words) };
  }

  textKey(): Cast {
    return this.cast(
      { kind: "binary", op: "&", left: this.expression(1), right: { kind: "literal", value: 3n, hex: false } },
      u64,
    );
  }
}
