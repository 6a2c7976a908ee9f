import type { AstExpr, AstType } from "./ast.js";
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

/** Where the suffixes of a type end that begin at `distance`: `*` and `[N]`. */
function suffixesEnd(tokens: TokenStream, distance: number): number {
  let at = distance;
  for (;;) {
    if (tokens.is("*", at)) at++;
    else if (tokens.is("[", at) && tokens.is("]", at + 1)) at += 2;
    else if (tokens.is("[", at) && tokens.isKind("int", at + 1) && tokens.is("]", at + 2)) at += 3;
    else return at;
  }
}

/** Whether a name with nothing but suffixes stands before `,` or `)`, as a type does where one is expected. */
export function isBareType(tokens: TokenStream): boolean {
  if (!tokens.isKind("name")) return false;
  const end = suffixesEnd(tokens, 1);
  return end > 1 && (tokens.is(")", end) || tokens.is(",", end));
}

/** Whether `(` at the next token opens a cast: a known type, `name *`, or `(name)` right before an operand. */
export function startsCast(tokens: TokenStream): boolean {
  if (tokens.is("typeof", 1) && tokens.is("(", 2)) return closesBeforeOperand(tokens);
  if (startsType(tokens, 1)) return true;
  if (!tokens.isKind("name", 1)) return false;
  const at = suffixesEnd(tokens, 2);
  if (!tokens.is(")", at)) return false;
  if (tokens.is("*", at - 1)) return true;
  const operand = tokens.peek(at + 1);
  if (tokens.is("]", at - 1) && operand.text !== "(") {
    return ["name", "int", "variable", "map", "positional"].includes(operand.kind);
  }
  return (
    operand.kind === "name" ||
    operand.kind === "int" ||
    operand.kind === "variable" ||
    operand.kind === "map" ||
    operand.kind === "positional" ||
    operand.text === "("
  );
}

/** For `(typeof(x)...)`: a cast has its operand behind the closing parenthesis. */
function closesBeforeOperand(tokens: TokenStream): boolean {
  let depth = 0;
  for (let at = 0; ; at++) {
    const token = tokens.peek(at);
    if (token.kind === "end") return false;
    if (tokens.is("(", at)) depth++;
    else if (tokens.is(")", at) && --depth === 0) {
      const operand = tokens.peek(at + 1);
      return operand.kind !== "punctuator"
        ? operand.kind !== "end"
        : ["(", "-", "*", "&", "~", "!"].includes(operand.text);
    }
  }
}

/** Parses the operand of typeof(); given by the expression parser. */
export type ParseOperand = () => { readonly type: AstType | undefined; readonly operand: AstExpr | undefined };

/** A type as bpftrace writes it; `typeof(...)` where `operand` is given. */
export function parseType(tokens: TokenStream, operand?: ParseOperand): AstType {
  const start = tokens.peek().span.start;
  if (operand !== undefined && tokens.is("typeof") && tokens.is("(", 1)) {
    tokens.take();
    const { type, operand: of } = operand();
    const suffixes = [...(type?.suffixes ?? []), ...parseSuffixes(tokens)];
    const { name, typeOf } = type ?? { name: "", typeOf: of };
    return { kind: "type-name", span: tokens.span(start), name, typeOf, suffixes };
  }
  while (tokens.accept("const") || tokens.accept("volatile"));
  const first = tokens.expectKind("name", "a type");
  let name = first.text;
  if (tagWords.has(name)) name = `${name} ${tokens.expectKind("name", `the name of the ${name}`).text}`;
  else if (multiWords.has(name))
    while (tokens.isKind("name") && multiWords.has(tokens.peek().text)) name = `${name} ${tokens.take().text}`;
  return { kind: "type-name", span: tokens.span(start), name, typeOf: undefined, suffixes: parseSuffixes(tokens) };
}

function parseSuffixes(tokens: TokenStream): readonly ("*" | number)[] {
  const suffixes: ("*" | number)[] = [];
  for (;;) {
    if (tokens.accept("*")) suffixes.push("*");
    else if (tokens.accept("const")) continue;
    else if (tokens.is("[") && (tokens.is("]", 1) || (tokens.isKind("int", 1) && tokens.is("]", 2)))) {
      tokens.take();
      suffixes.push(tokens.isKind("int") ? Number(tokens.take().value) : 0);
      tokens.expect("]", "after the array's length");
    } else return suffixes;
  }
}
