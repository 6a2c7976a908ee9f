import assert from "node:assert/strict";
import { test } from "node:test";
import { Diagnostics } from "../base/diagnostics.js";
import { Lexer, type Token } from "./lexer.js";

function lex(text: string): { readonly tokens: readonly Token[]; readonly errors: readonly string[] } {
  const diags = new Diagnostics();
  const lexer = new Lexer({ name: "test", text }, diags);
  const tokens: Token[] = [];
  for (let token = lexer.next(); token.kind !== "end"; token = lexer.next()) tokens.push(token);
  const errors = diags.list.map(({ code, span }) => `${code} '${span && text.slice(span.start, span.end)}'`);
  return { tokens, errors };
}

const kinds = (text: string): string[] => lex(text).tokens.map(({ kind, text: written }) => `${kind} ${written}`);
const number = (text: string): bigint | undefined => lex(text).tokens[0]?.value;

test("numbers in all their forms", () => {
  const forms: Readonly<Record<string, bigint>> = {
    "0": 0n,
    "42": 42n,
    "0x1F": 31n,
    "0XfF": 255n,
    "017": 15n,
    "1_000_000": 1_000_000n,
    "0xffff_ffff": 0xffff_ffffn,
    "1e6": 1_000_000n,
    "1e0": 1n,
    "5u": 5n,
    "5ULL": 5n,
    "5LLU": 5n,
    "7l": 7n,
    "10ns": 10n,
    "10us": 10_000n,
    "3ms": 3_000_000n,
    "2s": 2_000_000_000n,
    "1m": 60_000_000_000n,
    "1h": 3_600_000_000_000n,
    "1d": 86_400_000_000_000n,
    "18446744073709551615": (1n << 64n) - 1n,
  };
  for (const [text, value] of Object.entries(forms)) {
    assert.deepEqual([number(text), lex(text).tokens.length, lex(text).errors], [value, 1, []], text);
  }
});

test("numbers that are none", () => {
  assert.deepEqual(lex("09").errors, ["bad-number '09'"]);
  assert.deepEqual(lex("5x").errors, ["bad-number '5x'"]);
  assert.deepEqual(lex("1e99").errors, ["bad-number '1e99'"]);
  assert.deepEqual(lex("18446744073709551616").errors, ["number-too-large '18446744073709551616'"]);
  assert.deepEqual(lex("1e19 99999999d").errors, ["number-too-large '99999999d'"]);
  assert.deepEqual(lex("0x").errors.length, 1);
});

test("strings and their escapes", () => {
  const text = '"a\\n\\t\\r\\\\\\"\\a\\b\\f\\v\\e\\101\\x41\\0é"';
  assert.equal(lex(text).tokens[0]?.text, 'a\n\t\r\\"\x07\b\f\v\x1bAA\0é');
  assert.deepEqual(lex('"\\q"').errors, ["bad-escape '\\q'"]);
  assert.deepEqual(lex('"abc').errors, ["unterminated-string '\"abc'"]);
  assert.deepEqual(lex('"abc\n"').errors, ["unterminated-string '\"abc'", "unterminated-string '\"'"]);
  assert.deepEqual(lex('"a\\').errors, ["bad-escape '\\'", "unterminated-string '\"a\\'"]);
  assert.deepEqual(lex('"\\').errors, ["bad-escape '\\'", "unterminated-string '\"\\'"]);
});

test("escapes of numbers are bytes, and bytes that are UTF-8 are a character", () => {
  const meaning = (text: string): string | undefined => lex(text).tokens[0]?.text;
  assert.equal(meaning('"\\xc3\\xa9"'), "é");
  assert.equal(meaning('"\\342\\202\\254"'), "€");
  assert.equal(meaning('"\\xff"'), "\udcff");
  assert.equal(meaning('"\\377a\\xfe"'), "\udcffa\udcfe");
  assert.equal(meaning('"\\xc3é"'), "\udcc3é");
  // The rest of a character stands in the script as a byte.
  assert.equal(meaning('"\\xc3\udca9"'), "é");
  assert.equal(meaning('"\udcff\\x41"'), "\udcffA");
});

test("names, maps, variables, parameters", () => {
  assert.deepEqual(kinds("abc _x1 @ @map $var $1 $12 $# args->x"), [
    "name abc",
    "name _x1",
    "map @",
    "map @map",
    "variable $var",
    "positional $1",
    "positional $12",
    "positional $#",
    "name args",
    "punctuator ->",
    "name x",
  ]);
  assert.equal(lex("$#").tokens[0]?.value, -1n);
  assert.deepEqual(lex("$ x").errors, ["bad-variable '$'"]);
});

test("the longest punctuator wins", () => {
  assert.deepEqual(
    kinds("a<<=b>>c<=d&&e||f++--g...h..i")
      .filter((kind) => kind.startsWith("punctuator"))
      .map((kind) => kind.slice(11)),
    ["<<=", ">>", "<=", "&&", "||", "++", "--", "...", ".."],
  );
});

test("comments, line ends, hash-bang and continued lines are space", () => {
  assert.deepEqual(kinds("#!/usr/bin/env bpftrace\na // b\n/* c\n d */ e \\\n f"), ["name a", "name e", "name f"]);
  assert.deepEqual(lex("a /* b").errors, ["unterminated-comment '/*'"]);
  assert.deepEqual(kinds("#include <linux/fs.h>\nx"), ["directive #include <linux/fs.h>", "name x"]);
});

test("a character that begins nothing is reported and skipped", () => {
  const { tokens, errors } = lex("a ` b '");
  assert.deepEqual(
    tokens.map((token) => token.text),
    ["a", "b"],
  );
  assert.deepEqual(errors, ["bad-character '`'", "bad-character '''"]);
});

test("spans cover the token as written", () => {
  const text = 'a "b\\n" 0x10 @c';
  assert.deepEqual(
    lex(text).tokens.map(({ span }) => text.slice(span.start, span.end)),
    ["a", '"b\\n"', "0x10", "@c"],
  );
});
