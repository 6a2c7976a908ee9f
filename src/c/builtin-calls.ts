import { type CInteger, type ExpressionScope, evaluatePrefix } from "./constant-expression.js";
import type { CToken } from "./tokens.js";

const bitsOf = (name: string): number => (name.endsWith("l") ? 64 : 32);

function leadingZeros(value: bigint, bits: number): bigint {
  const unsigned = BigInt.asUintN(bits, value);
  return BigInt(bits - (unsigned === 0n ? 0 : unsigned.toString(2).length));
}

function trailingZeros(value: bigint, bits: number): bigint {
  const unsigned = BigInt.asUintN(bits, value);
  return unsigned === 0n ? BigInt(bits) : BigInt((unsigned & -unsigned).toString(2).length - 1);
}

const ones = (value: bigint, bits: number): bigint =>
  BigInt([...BigInt.asUintN(bits, value).toString(2)].filter((c) => c === "1").length);

/**
 * Builtins that compilers compute in constant expressions (gcc, "Other Built-in Functions Provided by GCC"), as far as
 * headers use them for lengths: at the name at `at`; answers where the call ends.
 */
export function builtinCall(
  tokens: readonly CToken[],
  at: number,
  scope: ExpressionScope,
): { readonly value: CInteger; readonly end: number } | undefined {
  const name = tokens[at]?.text ?? "";
  if (!name.startsWith("__builtin_") || tokens[at + 1]?.text !== "(") return undefined;
  const args: (CInteger | undefined)[] = [];
  let next = at + 2;
  for (;;) {
    const parsed = evaluatePrefix(tokens, next, scope);
    const end = endOfArgument(tokens, next);
    if (end === undefined) return undefined;
    args.push(parsed?.end === end ? parsed.value : undefined);
    next = end + 1;
    if (tokens[end]?.text === ")") break;
  }
  const value = compute(name.slice("__builtin_".length), args);
  return value === undefined ? undefined : { value, end: next };
}

/** Where the `,` or `)` behind an argument is. */
function endOfArgument(tokens: readonly CToken[], from: number): number | undefined {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const text = tokens[at]?.text;
    if (text === "(" || text === "{" || text === "[") depth++;
    else if (depth > 0 && (text === ")" || text === "}" || text === "]")) depth--;
    else if (depth === 0 && (text === "," || text === ")")) return at;
  }
  return undefined;
}

function compute(name: string, args: readonly (CInteger | undefined)[]): CInteger | undefined {
  const [first, second, third] = args;
  const int = (value: bigint): CInteger => ({ value, unsigned: false });
  if (name === "constant_p") return int(first === undefined ? 0n : 1n);
  if (first === undefined) return undefined;
  if (name === "choose_expr") return first.value === 0n ? third : second;
  if (name === "expect") return first;
  const bits = bitsOf(name);
  if (/^clz(?:l|ll)?$/.test(name)) return int(leadingZeros(first.value, bits));
  if (/^ctz(?:l|ll)?$/.test(name)) return int(trailingZeros(first.value, bits));
  if (/^ffs(?:l|ll)?$/.test(name)) return int(first.value === 0n ? 0n : trailingZeros(first.value, bits) + 1n);
  if (/^popcount(?:l|ll)?$/.test(name)) return int(ones(first.value, bits));
  return undefined;
}
