import { strengthOf } from "../base/c-operators.js";
import { type CToken, parseCharacter, parseInteger } from "./tokens.js";

/** An integer of C's arithmetic: as wide as intmax_t, signed or not (C11 6.10.1p4). */
export interface CInteger {
  readonly value: bigint;
  readonly unsigned: boolean;
}

/** What an expression may contain beyond literals and operators. */
export interface ExpressionScope {
  /** Value of a name; undefined makes the whole expression unknown. */
  name(name: string): CInteger | undefined;
  /** `sizeof (type)`, `_Alignof (type)`, a cast's type, at the token behind the parenthesis; answers where it ends. */
  type?(
    tokens: readonly CToken[],
    at: number,
  ):
    | {
        readonly size: number;
        readonly align: number;
        readonly end: number;
        readonly cast?: (value: CInteger) => CInteger;
      }
    | undefined;
  /** `offsetof(type, member)` and the like: a value for a call; answers where it ends. */
  call?(tokens: readonly CToken[], at: number): { readonly value: CInteger; readonly end: number } | undefined;
}

/** Deeper than any header nests; keeps hostile input from overflowing our own stack. */
const maxDepth = 200;

/** The value of an integer constant expression; undefined if it is none. */
export function evaluate(tokens: readonly CToken[], scope: ExpressionScope): CInteger | undefined {
  const parsed = evaluatePrefix(tokens, 0, scope);
  return parsed?.end === tokens.length ? parsed.value : undefined;
}

/** The value of the expression (without commas) that begins at `from`, and where it ends. */
export function evaluatePrefix(
  tokens: readonly CToken[],
  from: number,
  scope: ExpressionScope,
): { readonly value: CInteger; readonly end: number } | undefined {
  const evaluation = new Evaluation(tokens, from, scope);
  try {
    const value = evaluation.conditional(0);
    return { value, end: evaluation.at };
  } catch (error) {
    if (error instanceof NotConstant) return undefined;
    throw error;
  }
}

/** No constant expression; internal to this file. */
class NotConstant extends Error {}

class Evaluation {
  at: number;
  private readonly tokens: readonly CToken[];
  private readonly scope: ExpressionScope;
  private depth = 0;
  /** Inside an operand that is not evaluated, such as the right side of `0 &&`. */
  private idle = 0;

  constructor(tokens: readonly CToken[], at: number, scope: ExpressionScope) {
    this.tokens = tokens;
    this.at = at;
    this.scope = scope;
  }

  private is(text: string): boolean {
    const token = this.tokens[this.at];
    return token?.kind === "punct" && token.text === text;
  }

  private accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw new NotConstant();
  }

  private nested<T>(parse: () => T): T {
    if (++this.depth > maxDepth) throw new NotConstant();
    const result = parse();
    this.depth--;
    return result;
  }

  private unevaluated<T>(idle: boolean, parse: () => T): T {
    if (idle) this.idle++;
    const result = parse();
    if (idle) this.idle--;
    return result;
  }

  conditional(_level: number): CInteger {
    return this.nested(() => {
      const condition = this.binary(0);
      if (!this.accept("?")) return condition;
      const yes = condition.value !== 0n;
      const then = this.unevaluated(!yes, () => (this.is(":") ? condition : this.conditional(0)));
      this.expect(":");
      const otherwise = this.unevaluated(yes, () => this.conditional(0));
      return make((yes ? then : otherwise).value, then.unsigned || otherwise.unsigned);
    });
  }

  private binary(level: number): CInteger {
    let left = this.unary();
    for (;;) {
      const token = this.tokens[this.at];
      const own = token?.kind === "punct" ? strengthOf.get(token.text) : undefined;
      if (token === undefined || own === undefined || own < level) return left;
      this.at++;
      const op = token.text;
      const skip = (op === "&&" && left.value === 0n) || (op === "||" && left.value !== 0n);
      const before = left;
      const right = this.unevaluated(skip, () => this.nested(() => this.binary(own + 1)));
      left = this.apply(op, before, right);
    }
  }

  private apply(op: string, a: CInteger, b: CInteger): CInteger {
    const unsigned = a.unsigned || b.unsigned;
    const [x, y] = [make(a.value, unsigned).value, make(b.value, unsigned).value];
    const truth = (value: boolean): CInteger => ({ value: value ? 1n : 0n, unsigned: false });
    switch (op) {
      case "||":
        return truth(a.value !== 0n || b.value !== 0n);
      case "&&":
        return truth(a.value !== 0n && b.value !== 0n);
      case "|":
        return make(x | y, unsigned);
      case "^":
        return make(x ^ y, unsigned);
      case "&":
        return make(x & y, unsigned);
      case "==":
        return truth(x === y);
      case "!=":
        return truth(x !== y);
      case "<":
        return truth(x < y);
      case ">":
        return truth(x > y);
      case "<=":
        return truth(x <= y);
      case ">=":
        return truth(x >= y);
      case "<<":
        return make(a.value << (b.value & 63n), a.unsigned);
      case ">>":
        return make(a.value >> (b.value & 63n), a.unsigned);
      case "+":
        return make(x + y, unsigned);
      case "-":
        return make(x - y, unsigned);
      case "*":
        return make(x * y, unsigned);
      default:
        if (y === 0n) {
          if (this.idle > 0) return make(0n, unsigned);
          throw new NotConstant();
        }
        return make(op === "/" ? x / y : x % y, unsigned);
    }
  }

  private unary(): CInteger {
    const token = this.tokens[this.at];
    if (token?.kind === "punct" && "+-!~".includes(token.text) && token.text.length === 1) {
      this.at++;
      const operand = this.nested(() => this.unary());
      if (token.text === "-") return make(-operand.value, operand.unsigned);
      if (token.text === "~") return make(~operand.value, operand.unsigned);
      if (token.text === "!") return { value: operand.value === 0n ? 1n : 0n, unsigned: false };
      return operand;
    }
    if (token?.kind === "name" && /^(?:sizeof|_Alignof|__alignof__|__alignof)$/.test(token.text)) {
      this.at++;
      if (!this.is("(")) throw new NotConstant();
      const type = this.scope.type?.(this.tokens, this.at + 1);
      const text = this.textSize();
      if (text !== undefined) return text;
      // Of an expression: an int, or as wide as its value needs.
      if (type === undefined) {
        const { value } = this.primary();
        return { value: BigInt.asIntN(32, value) === value ? 4n : 8n, unsigned: true };
      }
      this.at = type.end;
      this.expect(")");
      return { value: BigInt(token.text === "sizeof" ? type.size : type.align), unsigned: true };
    }
    return this.primary();
  }

  /** A name whose value does not matter, or a call of it. */
  private idleName(): CInteger {
    this.at++;
    if (this.is("(")) {
      let depth = 0;
      do {
        const text = this.tokens[this.at++]?.text;
        if (text === undefined) throw new NotConstant();
        if (text === "(") depth++;
        else if (text === ")") depth--;
      } while (depth > 0);
    }
    return { value: 0n, unsigned: false };
  }

  /** The size of `("text")`, its NUL included. */
  private textSize(): CInteger | undefined {
    const text = this.tokens[this.at + 1];
    if (text?.kind !== "string" || this.tokens[this.at + 2]?.text !== ")") return undefined;
    this.at += 3;
    const characters = text.text.slice(text.text.indexOf('"') + 1, -1);
    const bytes = characters.replace(/\\(?:x[0-9a-fA-F]+|[0-7]{1,3}|[\s\S])/g, ".").length;
    return { value: BigInt(bytes + 1), unsigned: true };
  }

  private primary(): CInteger {
    const token = this.tokens[this.at];
    if (token === undefined) throw new NotConstant();
    if (token.kind === "punct" && token.text === "(") {
      const type = this.scope.type?.(this.tokens, this.at + 1);
      if (type?.cast !== undefined) {
        this.at = type.end;
        this.expect(")");
        return type.cast(this.nested(() => this.unary()));
      }
      this.at++;
      const value = this.conditional(0);
      this.expect(")");
      return value;
    }
    if (this.idle > 0 && token.kind === "name") return this.idleName();
    const called = token.kind === "name" ? this.scope.call?.(this.tokens, this.at) : undefined;
    if (called !== undefined) {
      this.at = called.end;
      return called.value;
    }
    const value =
      token.kind === "number"
        ? parseInteger(token.text)
        : token.kind === "char"
          ? asInteger(parseCharacter(token.text))
          : token.kind === "name"
            ? this.scope.name(token.text)
            : undefined;
    if (value === undefined) throw new NotConstant();
    this.at++;
    return value;
  }
}

const asInteger = (value: bigint | undefined): CInteger | undefined =>
  value === undefined ? undefined : { value, unsigned: false };

const make = (value: bigint, unsigned: boolean): CInteger => ({
  value: unsigned ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value),
  unsigned,
});
