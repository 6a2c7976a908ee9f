import { byteText, joinedBytes } from "../base/byte-text.js";
import { longPunctuators } from "../base/c-operators.js";
import type { Diagnostics } from "../base/diagnostics.js";
import type { Source, Span } from "../base/span.js";

export type TokenKind =
  | "name"
  | "int"
  | "string"
  | "variable"
  | "positional"
  | "map"
  | "punctuator"
  | "directive"
  | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly span: Span;
  /** As written; of a string, what its escapes mean. */
  readonly text: string;
  /** Of an int, and the index of a positional parameter (-1 for `$#`). */
  readonly value: bigint;
}

/** Longest first, so that the first match is the right one. */
const punctuators = [
  ...longPunctuators,
  "..",
  "+",
  "-",
  "*",
  "/",
  "%",
  "&",
  "|",
  "^",
  "~",
  "!",
  "<",
  ">",
  "=",
  "?",
  ":",
  ";",
  ",",
  ".",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
] as const;

const nanosecondsPer: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

const isNameStart = (c: string): boolean => /[A-Za-z_]/.test(c);
const namePattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const numberPattern = /0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:e[0-9]+)?/y;
const suffixPattern = /[A-Za-z_][A-Za-z0-9_]*/y;
const integerSuffix = /^(?:[uU](?:[lL]{1,2})?|[lL]{1,2}[uU]?)$/;
const maxU64 = (1n << 64n) - 1n;

/**
 * Tokens of a script on demand: attach points and preprocessor lines have another grammar than expressions, so the
 * parser says where it reads them and moves {@link Lexer.offset} itself.
 */
export class Lexer {
  readonly source: Source;
  private readonly text: string;
  private readonly diags: Diagnostics;
  offset = 0;

  constructor(source: Source, diags: Diagnostics) {
    this.source = source;
    this.text = source.text;
    this.diags = diags;
    if (this.text.startsWith("#!")) this.offset = this.lineEnd(0);
  }

  span(start: number, end: number): Span {
    return { source: this.source, start, end };
  }

  lineEnd(from: number): number {
    const newline = this.text.indexOf("\n", from);
    return newline < 0 ? this.text.length : newline;
  }

  /** Moves over white space and comments. */
  skipSpace(): void {
    for (;;) {
      const c = this.text[this.offset];
      if (c === " " || c === "\t" || c === "\n" || c === "\r" || c === "\f" || c === "\v") this.offset++;
      else if (c === "/" && this.text[this.offset + 1] === "/") this.offset = this.lineEnd(this.offset);
      else if (c === "/" && this.text[this.offset + 1] === "*") this.skipComment();
      else if (c === "\\" && /^\\[ \t]*\r?\n/.test(this.text.slice(this.offset, this.lineEnd(this.offset) + 1)))
        this.offset++;
      else return;
    }
  }

  private skipComment(): void {
    const end = this.text.indexOf("*/", this.offset + 2);
    if (end < 0) {
      this.diags.error("unterminated-comment", this.span(this.offset, this.offset + 2), "this comment has no end", {
        hint: "close it with */",
      });
      this.offset = this.text.length;
    } else this.offset = end + 2;
  }

  next(): Token {
    for (;;) {
      const token = this.tryNext();
      if (token !== undefined) return token;
    }
  }

  /** The next token; undefined after a character that begins none, which is reported and skipped. */
  private tryNext(): Token | undefined {
    this.skipSpace();
    const start = this.offset;
    const c = this.text[start];
    if (c === undefined) return this.token("end", start, "end of script");
    if (isNameStart(c)) {
      namePattern.lastIndex = start;
      const name = namePattern.exec(this.text)?.[0] ?? c;
      this.offset = start + name.length;
      return this.token("name", start, name);
    }
    if (c >= "0" && c <= "9") return this.number(start);
    if (c === '"') return this.string(start);
    if (c === "$") return this.dollar(start);
    if (c === "@") {
      namePattern.lastIndex = start + 1;
      const name = namePattern.exec(this.text)?.[0] ?? "";
      this.offset = start + 1 + name.length;
      return this.token("map", start, `@${name}`);
    }
    if (c === "#") {
      this.offset = this.lineEnd(start);
      return this.token("directive", start, this.text.slice(start, this.offset));
    }
    const punctuator = punctuators.find((p) => this.text.startsWith(p, start));
    if (punctuator !== undefined) {
      this.offset = start + punctuator.length;
      return this.token("punctuator", start, punctuator);
    }
    const character = String.fromCodePoint(this.text.codePointAt(start) ?? 0);
    this.offset = start + character.length;
    this.diags.error(
      "bad-character",
      this.span(start, this.offset),
      `unexpected character ${JSON.stringify(character)}`,
      {
        hint: character === "'" ? 'strings stand in double quotes: "text"' : undefined,
      },
    );
    return undefined;
  }

  private token(kind: TokenKind, start: number, text: string, value = 0n): Token {
    return { kind, span: this.span(start, this.offset), text, value };
  }

  private dollar(start: number): Token {
    if (this.text[start + 1] === "#") {
      this.offset = start + 2;
      return this.token("positional", start, "$#", -1n);
    }
    const digits = /^[0-9]+/.exec(this.text.slice(start + 1, start + 12))?.[0];
    if (digits !== undefined) {
      this.offset = start + 1 + digits.length;
      return this.token("positional", start, `$${digits}`, BigInt(digits));
    }
    namePattern.lastIndex = start + 1;
    const name = namePattern.exec(this.text)?.[0] ?? "";
    this.offset = start + 1 + name.length;
    if (name === "") {
      this.diags.error("bad-variable", this.span(start, this.offset), "a variable needs a name after the $");
    }
    return this.token("variable", start, `$${name}`);
  }

  private number(start: number): Token {
    numberPattern.lastIndex = start;
    const digits = numberPattern.exec(this.text)?.[0] ?? "0";
    this.offset = start + digits.length;
    suffixPattern.lastIndex = this.offset;
    const suffix = suffixPattern.exec(this.text)?.[0] ?? "";
    this.offset += suffix.length;
    const span = this.span(start, this.offset);
    let value = digits.length > 100 ? undefined : parseDigits(digits.replaceAll("_", ""));
    if (value === undefined) {
      const octal = /^0[0-9]/.test(digits);
      this.diags.error(
        "bad-number",
        span,
        octal ? `${digits} is not octal: digits are 0 to 7` : `bad number ${digits.slice(0, 40)}`,
        {
          hint: octal ? "a leading 0 makes a number octal; leave it out for decimal" : undefined,
        },
      );
      value = 0n;
    }
    const factor = nanosecondsPer[suffix];
    if (factor !== undefined) value *= factor;
    else if (suffix !== "" && !integerSuffix.test(suffix)) {
      this.diags.error("bad-number", span, `unknown suffix '${suffix}' on a number`, {
        hint: "suffixes are those of C (u, l, ul, ll, ull) and durations: ns, us, ms, s, m, h, d",
      });
    }
    if (value > maxU64) {
      this.diags.error("number-too-large", span, "this number does not fit into 64 bits");
      value = maxU64;
    }
    return this.token("int", start, this.text.slice(start, this.offset), value);
  }

  private string(start: number): Token {
    let value = "";
    let at = start + 1;
    for (;;) {
      const c = this.text[at];
      if (c === undefined || c === "\n") {
        this.diags.error("unterminated-string", this.span(start, at), "this string has no end", {
          hint: 'close it with "',
        });
        break;
      }
      if (c === '"') {
        at++;
        break;
      }
      if (c !== "\\") {
        value += c;
        at++;
        continue;
      }
      const known = readEscape(this.text, at);
      if (known === undefined) {
        this.diags.error(
          "bad-escape",
          this.span(at, Math.min(at + 2, this.text.length)),
          `unknown escape ${this.text.slice(at, at + 2)}`,
          {
            hint: 'known ones: \\n \\t \\r \\\\ \\" \\a \\b \\f \\v \\e, \\101 (octal), \\x41',
          },
        );
        at = Math.min(at + 2, this.text.length);
      } else {
        value += known.text;
        at += known.length;
      }
    }
    this.offset = at;
    // Bytes, some of them escaped, may be a character together.
    return this.token("string", start, joinedBytes(value));
  }
}

function parseDigits(digits: string): bigint | undefined {
  if (/^0[xX]/.test(digits)) return /^0[xX][0-9a-fA-F]+$/.test(digits) ? BigInt(digits) : undefined;
  const [mantissa = "", exponent] = digits.split("e");
  if (exponent !== undefined) return Number(exponent) > 19 ? undefined : BigInt(mantissa) * 10n ** BigInt(exponent);
  if (/^0[0-9]/.test(digits)) return /^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : undefined;
  return BigInt(digits);
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  '"': '"',
  "'": "'",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  e: "\x1b",
  "?": "?",
};

function readEscape(text: string, at: number): { text: string; length: number } | undefined {
  const octal = /^[0-7]{1,3}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (octal !== undefined) return { text: byteText(Number.parseInt(octal, 8) & 0xff), length: 1 + octal.length };
  const hex = /^x[0-9a-fA-F]{1,2}/.exec(text.slice(at + 1, at + 4))?.[0];
  if (hex !== undefined) return { text: byteText(Number.parseInt(hex.slice(1), 16)), length: 1 + hex.length };
  const simple = simpleEscapes[text[at + 1] ?? ""];
  return simple === undefined ? undefined : { text: simple, length: 2 };
}
