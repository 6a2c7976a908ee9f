import type { AstType } from "./ast.js";
import type { TokenStream } from "./token-stream.js";

/** Names that are types wherever they stand. */
const typeWords = new Set([
  "void",
  "bool",
  "char",
  "short",
  "int",
  "long",
  "unsigned",
  "signed",
  "string",
  "buffer",
  "inet",
  "size_t",
  "ssize_t",
  "uintptr_t",
  "intptr_t",
  "uint",
  "ulong",
  "ushort",
  "uchar",
  "u8",
  "u16",
  "u32",
  "u64",
  "s8",
  "s16",
  "s32",
  "s64",
  "__u8",
  "__u16",
  "__u32",
  "__u64",
  "__s8",
  "__s16",
  "__s32",
  "__s64",
  "pid_t",
  "uid_t",
  "gid_t",
  "off_t",
  "loff_t",
  ...["int", "uint"].flatMap((base) => [8, 16, 32, 64].flatMap((bits) => [`${base}${bits}`, `${base}${bits}_t`])),
]);
const tagWords = new Set(["struct", "union", "enum"]);
const multiWords = new Set(["unsigned", "signed", "long", "short", "int", "char"]);

/** Whether the tokens from `distance` on begin a type beyond doubt. */
export function startsType(tokens: TokenStream, distance = 0): boolean {
  const token = tokens.peek(distance);
  if (token.kind !== "name") return false;
  return (
    typeWords.has(token.text) ||
    (tagWords.has(token.text) && tokens.isKind("name", distance + 1)) ||
    token.text === "const"
  );
}

/** Whether `(` at the next token opens a cast: a known type, `name *`, or `(name)` right before an operand. */
export function startsCast(tokens: TokenStream): boolean {
  if (startsType(tokens, 1)) return true;
  if (!tokens.isKind("name", 1)) return false;
  let at = 2;
  while (tokens.is("*", at)) at++;
  const stars = at - 2;
  if (tokens.is("[", at)) return false;
  if (!tokens.is(")", at)) return false;
  if (stars > 0) return true;
  const operand = tokens.peek(at + 1);
  return (
    operand.kind === "name" ||
    operand.kind === "int" ||
    operand.kind === "variable" ||
    operand.kind === "map" ||
    operand.kind === "positional" ||
    operand.text === "("
  );
}

export function parseType(tokens: TokenStream): AstType {
  const start = tokens.peek().span.start;
  while (tokens.accept("const") || tokens.accept("volatile"));
  const first = tokens.expectKind("name", "a type");
  let name = first.text;
  if (tagWords.has(name)) name = `${name} ${tokens.expectKind("name", `the name of the ${name}`).text}`;
  else if (multiWords.has(name))
    while (tokens.isKind("name") && multiWords.has(tokens.peek().text)) name = `${name} ${tokens.take().text}`;
  let pointers = 0;
  while (tokens.is("*") || tokens.is("const")) if (tokens.take().text === "*") pointers++;
  let array: number | undefined;
  if (tokens.is("[") && (tokens.is("]", 1) || tokens.isKind("int", 1))) {
    tokens.take();
    array = tokens.isKind("int") ? Number(tokens.take().value) : 0;
    tokens.expect("]", "after the array's length");
  }
  return { span: tokens.span(start), name, pointers, array };
}
