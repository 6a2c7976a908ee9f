import { longPunctuators } from "../base/c-operators.js";
import type { Source } from "../base/span.js";

/** A preprocessing token of C (C11 6.4). */
export interface CToken {
  readonly kind: "name" | "number" | "string" | "char" | "punct" | "pragma" | "other";
  readonly text: string;
  /** White space or a comment stands in front. */
  readonly spaced: boolean;
  /** First on its line, where `#` begins a directive. */
  readonly first: boolean;
  /** The file it was written in, and where there. */
  readonly source: Source;
  readonly at: number;
  /** A macro's name met inside its own expansion: never expanded again (C11 6.10.3.4). */
  readonly blocked?: boolean;
}

const punctuators = [...longPunctuators, "##"];

const space = /(?:[ \t\r\f\v]|\\\r?\n)+/y;
const lineComment = /\/\/(?:\\\r?\n|[^\n])*/y;
const name = /[A-Za-z_$][A-Za-z0-9_$]*/y;
const number = /\.?[0-9](?:[eEpP][+-]|[A-Za-z0-9_.])*/y;
const text = /(?:u8|[uUL])?"(?:\\[\s\S]|[^"\\\n])*"/y;
const character = /[uUL]?'(?:\\[\s\S]|[^'\\\n])*'/y;
const splitToken = /[A-Za-z0-9_]\\\r?\n[A-Za-z0-9_]/;

/** Takes C source apart. What begins no token is one of kind `other`. */
export function tokenizeC(source: Source): readonly CToken[] {
  const tokens: CToken[] = [];
  // A spliced line may split any token; few sources do that, and joining the lines costs a copy of the file.
  const input = splitToken.test(source.text) ? source.text.replace(/\\\r?\n/g, "") : source.text;
  let at = 0;
  let spaced = false;
  let first = true;
  while (at < input.length) {
    const c = input.charCodeAt(at);
    if (c === newline) {
      at++;
      spaced = true;
      first = true;
      continue;
    }
    const blank = endOfBlank(input, at, c);
    if (blank > at) {
      at = blank;
      spaced = true;
      continue;
    }
    const { kind, end } = tokenAt(input, at, c);
    tokens.push({ kind, text: input.slice(at, end), spaced, first, source, at });
    at = end;
    spaced = false;
    first = false;
  }
  return tokens;
}

const newline = 10;
const slash = 47;
const backslash = 92;

/** Where a pattern that matches at `at` ends; `at` if it does not. */
function endOf(pattern: RegExp, input: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(input) ? pattern.lastIndex : at;
}

/** Behind white space or a comment; one without an end takes the rest. */
function endOfBlank(input: string, at: number, c: number): number {
  if (c === slash) {
    const next = input.charCodeAt(at + 1);
    if (next === slash) return endOf(lineComment, input, at);
    if (next !== 42) return at;
    const end = input.indexOf("*/", at + 2);
    return end < 0 ? input.length : end + 2;
  }
  // Blank, tab, vertical tab, form feed, carriage return.
  return c === 32 || c === 9 || (c >= 11 && c <= 13) || c === backslash ? endOf(space, input, at) : at;
}

const isLetter = (c: number): boolean => (c >= 97 && c <= 122) || (c >= 65 && c <= 90) || c === 95 || c === 36;
const isDigit = (c: number): boolean => c >= 48 && c <= 57;

function tokenAt(input: string, at: number, c: number): { readonly kind: CToken["kind"]; readonly end: number } {
  // Letters that may also be the prefix of a literal: u, U, L.
  const prefix = c === 117 || c === 85 || c === 76;
  if (c === 34 || prefix) {
    const end = endOf(text, input, at);
    if (end > at) return { kind: "string", end };
  }
  if (c === 39 || prefix) {
    const end = endOf(character, input, at);
    if (end > at) return { kind: "char", end };
  }
  if (isLetter(c)) return { kind: "name", end: endOf(name, input, at) };
  if (isDigit(c) || (c === 46 && isDigit(input.charCodeAt(at + 1))))
    return { kind: "number", end: endOf(number, input, at) };
  const own = input[at] ?? "";
  for (const p of punctuators)
    if (p[0] === own && input.startsWith(p, at)) return { kind: "punct", end: at + p.length };
  return { kind: "[](){}.&*+-~!/%<>^|?:;=,#".includes(own) ? "punct" : "other", end: at + 1 };
}

/** Tokens as source again, with single blanks where there were any. */
export function spell(tokens: readonly CToken[]): string {
  let out = "";
  for (const token of tokens) out += (token.spaced && out !== "" ? " " : "") + token.text;
  return out;
}

/** Value and type of an integer constant; undefined for anything else (floating constants, odd suffixes). */
export function parseInteger(written: string): { readonly value: bigint; readonly unsigned: boolean } | undefined {
  const parts = /^(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)([uU]?(?:ll|LL|[lL])?|(?:ll|LL|[lL])[uU])$/.exec(written);
  if (parts === null) return undefined;
  const [, digits = "", suffix = ""] = parts;
  const octal = /^0[0-9]+$/.test(digits);
  if (octal && !/^0[0-7]+$/.test(digits)) return undefined;
  if (digits.length > 80) return undefined;
  const value = BigInt(octal ? `0o${digits.slice(1)}` : digits);
  if (value >= 1n << 64n) return undefined;
  return { value, unsigned: /u/i.test(suffix) || value >= 1n << 63n };
}

const escapes: Readonly<Record<string, number>> = {
  n: 10,
  t: 9,
  r: 13,
  a: 7,
  b: 8,
  f: 12,
  v: 11,
  e: 27,
  "\\": 92,
  "'": 39,
  '"': 34,
  "?": 63,
};

/** Value of a character constant, as gcc has it: an int, signed char. */
export function parseCharacter(written: string): bigint | undefined {
  const body = written.slice(written.indexOf("'") + 1, -1);
  let value = 0n;
  let count = 0;
  for (let i = 0; i < body.length; count++) {
    const escaped = /^\\(?:x([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))/s.exec(body.slice(i, i + 10));
    let code: number;
    if (escaped === null) code = body.charCodeAt(i++);
    else {
      const [whole, hex, octal, letter = ""] = escaped;
      code = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : -1;
      if (code < 0) code = escapes[letter] ?? letter.charCodeAt(0);
      i += whole.length;
    }
    value = (value << 8n) | BigInt(code & 0xff);
  }
  if (count === 0) return undefined;
  return count === 1 ? BigInt.asIntN(8, value) : BigInt.asIntN(32, value);
}
