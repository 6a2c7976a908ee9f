import type { Source } from "../base/span.js";

/** A preprocessing token of C (C11 6.4). */
export interface CToken {
  readonly kind: "name" | "number" | "string" | "char" | "punct" | "newline" | "pragma" | "other";
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

/** Longest first at each first character. */
const punctuators = [
  "...",
  "<<=",
  ">>=",
  "->",
  "++",
  "--",
  "<<",
  ">>",
  "<=",
  ">=",
  "==",
  "!=",
  "&&",
  "||",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "&=",
  "^=",
  "|=",
  "##",
];

const space = /(?:[ \t\r\f\v]|\\\r?\n)+/y;
const lineComment = /\/\/(?:\\\r?\n|[^\n])*/y;
const name = /[A-Za-z_$][A-Za-z0-9_$]*/y;
const number = /\.?[0-9](?:[eEpP][+-]|[A-Za-z0-9_.])*/y;
const text = /(?:u8|[uUL])?"(?:\\[\s\S]|[^"\\\n])*"/y;
const character = /[uUL]?'(?:\\[\s\S]|[^'\\\n])*'/y;
const splitToken = /[A-Za-z0-9_]\\\r?\n[A-Za-z0-9_]/;

/** Takes C source apart; a line end is a token, since directives end there. What begins no token is one of kind `other`. */
export function tokenizeC(source: Source): readonly CToken[] {
  const tokens: CToken[] = [];
  // A spliced line may split any token; few sources do that, and joining the lines costs a copy of the file.
  const input = splitToken.test(source.text) ? source.text.replace(/\\\r?\n/g, "") : source.text;
  let at = 0;
  let spaced = false;
  let first = true;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(input)?.[0];
  };
  while (at < input.length) {
    const blank = blankAt(input, at, match);
    if (blank > 0) {
      at += blank;
      spaced = true;
      continue;
    }
    const c = input[at] ?? "";
    if (c === "\n") {
      tokens.push({ kind: "newline", text: "\n", spaced: false, first: false, source, at });
      at++;
      spaced = false;
      first = true;
      continue;
    }
    const token = tokenAt(input, at, c, match);
    tokens.push({ ...token, spaced, first, source, at });
    at += token.text.length;
    spaced = false;
    first = false;
  }
  return tokens;
}

/** Length of white space or of a comment; one without an end takes the rest. */
function blankAt(input: string, at: number, match: (pattern: RegExp) => string | undefined): number {
  const c = input[at];
  if (c === "/") {
    const next = input[at + 1];
    if (next === "/") return match(lineComment)?.length ?? 0;
    if (next !== "*") return 0;
    const end = input.indexOf("*/", at + 2);
    return (end < 0 ? input.length : end + 2) - at;
  }
  return c === " " || c === "\t" || c === "\r" || c === "\f" || c === "\v" || c === "\\"
    ? (match(space)?.length ?? 0)
    : 0;
}

function tokenAt(
  input: string,
  at: number,
  c: string,
  match: (pattern: RegExp) => string | undefined,
): Pick<CToken, "kind" | "text"> {
  if (c === '"' || c === "u" || c === "U" || c === "L") {
    const literal = match(text);
    if (literal !== undefined) return { kind: "string", text: literal };
  }
  if (c === "'" || c === "u" || c === "U" || c === "L") {
    const letter = match(character);
    if (letter !== undefined) return { kind: "char", text: letter };
  }
  const word = match(name);
  if (word !== undefined) return { kind: "name", text: word };
  const digits = match(number);
  if (digits !== undefined) return { kind: "number", text: digits };
  const long = punctuators.find((p) => p[0] === c && input.startsWith(p, at));
  if (long !== undefined) return { kind: "punct", text: long };
  return { kind: "[](){}.&*+-~!/%<>^|?:;=,#".includes(c) ? "punct" : "other", text: c };
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
