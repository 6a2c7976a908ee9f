import { Diagnostics } from "../base/diagnostics.js";
import type { Source, Span } from "../base/span.js";
import type { AstProgram } from "./ast.js";
import { Lexer } from "./lexer.js";

/** Columns after which a line is broken at a comma. */
const lineWidth = 100;
const indentation = "  ";

/** A piece of the script that is printed as it is: a token, an attach point, a piece of C. */
interface Piece {
  readonly kind: "token" | "attach-point" | "c";
  readonly operand: boolean;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Slashes around a predicate. */
  readonly predicate?: "open" | "close";
}

/**
 * A script in the usual layout: a statement a line, blocks indented, one space around operators. Tokens, comments and single
 * empty lines stay; `program` is the parsed `source`, without errors.
 */
export function formatScript(source: Source, program: AstProgram): string {
  return new Formatter(source.text, piecesOf(source, program)).run();
}

function piecesOf(source: Source, program: AstProgram): readonly Piece[] {
  const opaque = [
    ...program.preamble.map((span) => ({ span, kind: "c" as const })),
    ...program.probes.flatMap((probe) =>
      probe.attachPoints.map(({ span }) => ({ span, kind: "attach-point" as const })),
    ),
  ].sort((a, b) => a.span.start - b.span.start);
  const predicates = program.probes.flatMap(({ predicate }) => (predicate === undefined ? [] : [predicate.span]));
  const pieces: Piece[] = [];
  const lexer = new Lexer(source, new Diagnostics());
  const cut = ({ start, end }: Span): string => source.text.slice(start, end);
  for (let next = 0; ; ) {
    const before = lexer.offset;
    lexer.skipSpace();
    const ahead = opaque[next];
    if (ahead !== undefined && lexer.offset >= ahead.span.start) {
      const { span, kind } = ahead;
      pieces.push({ kind, operand: false, start: span.start, end: span.end, text: cut(span).trimEnd() });
      lexer.offset = span.end;
      next++;
      continue;
    }
    lexer.offset = before;
    const token = lexer.next();
    if (token.kind === "end") return pieces;
    const { span } = token;
    const isSlash = token.kind === "punctuator" && token.text === "/";
    const predicate = predicates.some((p) => isSlash && lastTokenBefore(pieces, p.start, span))
      ? ("open" as const)
      : predicates.some((p) => isSlash && span.start >= p.end && onlySpace(source.text.slice(p.end, span.start)))
        ? ("close" as const)
        : undefined;
    pieces.push({
      kind: "token",
      operand: token.kind !== "punctuator",
      start: span.start,
      end: span.end,
      text: cut(span),
      ...(predicate === undefined ? {} : { predicate }),
    });
  }
}

/** Whether a slash is the one in front of a predicate that begins at `start`. */
function lastTokenBefore(pieces: readonly Piece[], start: number, slash: Span): boolean {
  const before = pieces.at(-1);
  return slash.start < start && before?.kind === "attach-point" && slash.start >= before.end;
}

const onlySpace = (text: string): boolean => /^(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*$/.test(text) && !text.includes("{");

const keywords: ReadonlySet<string> = new Set(["if", "for", "while", "unroll", "return", "else", "comptime"]);
const binary: ReadonlySet<string> = new Set(
  "+ - * / % & | ^ << >> < > <= >= == != && || = += -= *= /= %= &= |= ^= <<= >>= ? :".split(" "),
);
const tight: ReadonlySet<string> = new Set([".", "->", ".."]);

class Formatter {
  private readonly text: string;
  private readonly pieces: readonly Piece[];
  private readonly lines: string[] = [];
  private line = "";
  private depth = 0;
  /** Open brackets: what they are, and for braces whether the line goes on behind them. */
  private readonly open: { readonly bracket: string; readonly value: boolean }[] = [];
  private at = 0;

  constructor(text: string, pieces: readonly Piece[]) {
    this.text = text;
    this.pieces = pieces;
  }

  run(): string {
    const [first] = this.pieces;
    if (this.text.startsWith("#!"))
      this.lines.push(this.text.slice(0, (this.text.indexOf("\n") + 1 || this.text.length + 1) - 1));
    this.gap(this.text.startsWith("#!") ? (this.lines[0] ?? "").length : 0, first?.start ?? this.text.length);
    for (; this.at < this.pieces.length; this.at++) {
      const piece = this.pieces[this.at];
      if (piece === undefined) break;
      this.piece(piece);
      this.gap(piece.end, this.pieces[this.at + 1]?.start ?? this.text.length);
    }
    this.endLine();
    while (this.lines.at(-1) === "") this.lines.pop();
    return `${this.lines.join("\n")}\n`;
  }

  private piece(piece: Piece): void {
    if (piece.kind !== "token") {
      this.endLine();
      if (piece.kind === "c") this.lines.push(...piece.text.split("\n").map((line) => line.trimEnd()));
      else this.line = piece.text;
      return;
    }
    if (piece.predicate === "open") {
      this.endLine();
      this.line = "/";
      return;
    }
    if (piece.predicate === "close") {
      this.line += "/";
      this.endLine();
      return;
    }
    switch (piece.text) {
      case "{":
        this.openBlock();
        return;
      case "}":
        this.closeBlock();
        return;
      case ";":
        if (this.line === "" && this.lines.length > 0 && this.lines.at(-1)?.endsWith("}") === true) return;
        this.line += ";";
        this.endLine();
        return;
      default:
        this.token(piece);
    }
  }

  private openBlock(): void {
    const top = this.open.length === 0;
    const before = this.pieces[this.at - 1];
    const header = top && !this.line.startsWith("config");
    if (this.pieces[this.at + 1]?.text === "}" && this.isEmptyGap()) {
      this.line += this.line === "" ? "{ }" : " { }";
      this.at++;
      this.endLine();
      return;
    }
    if (header) {
      this.endLine();
      this.line = "{";
    } else if (this.line === "" || before?.text === "(") this.line += "{";
    else this.line += " {";
    // Within brackets or behind an operator a block has a value, and the line goes on behind it.
    const value =
      !top &&
      (this.open.some(({ bracket }) => bracket !== "{") ||
        (before !== undefined && (binary.has(before.text) || before.text === "return")));
    this.open.push({ bracket: "{", value });
    this.endLine();
    this.depth++;
  }

  private isEmptyGap(): boolean {
    const here = this.pieces[this.at];
    const next = this.pieces[this.at + 1];
    return here !== undefined && next !== undefined && this.text.slice(here.end, next.start).trim() === "";
  }

  private closeBlock(): void {
    this.endLine();
    // A blank line at the end of a block says nothing.
    while (this.lines.at(-1) === "") this.lines.pop();
    this.depth = Math.max(0, this.depth - 1);
    const block = this.open.pop();
    this.line = "}";
    const next = this.pieces[this.at + 1];
    if (block?.value === true || next?.text === "else") return;
    this.endLine();
  }

  private token(piece: Piece): void {
    const { text } = piece;
    if (text === ")" || text === "]") this.open.pop();
    if (this.line !== "" && this.spaceBefore(piece)) this.line += " ";
    this.line += text;
    if (text === "(" || text === "[") this.open.push({ bracket: text, value: true });
    if (text === "," && this.open.length === 0) this.endLine();
  }

  private spaceBefore(piece: Piece): boolean {
    const { text } = piece;
    const before = this.pieces[this.at - 1];
    if (before === undefined || before.kind !== "token" || before.predicate === "open") return false;
    const previous = before.text;
    if ([")", "]", ",", ";"].includes(text) || tight.has(text) || tight.has(previous)) return false;
    if (["(", "[", "!", "~"].includes(previous)) return false;
    if (previous === "," || previous === "}") return true;
    if (text === "(") return keywords.has(previous) || (binary.has(previous) && !this.isPrefix(this.at - 1));
    if (text === "[") return binary.has(previous) && !this.isPrefix(this.at - 1) && !this.isSuffix(this.at - 1);
    if (text === "++" || text === "--") return !isOperandEnd(before);
    if (previous === "++" || previous === "--")
      return binary.has(text) || (isOperandEnd(this.pieces[this.at - 2]) && piece.operand);
    // (name=value): the `=` of a record.
    if (this.isField(this.at) || this.isField(this.at - 1)) return false;
    if (this.isSuffix(this.at)) return previous !== "*" && isWord(previous) && this.pieces[this.at + 1]?.text === ")";
    if (this.isPrefix(this.at - 1)) return false;
    // `)` in front of an operand ends a cast.
    if (previous === ")" && !binary.has(text)) return !(piece.operand || this.isPrefix(this.at)) || keywords.has(text);
    if (previous === ")" && this.isPrefix(this.at)) return false;
    return true;
  }

  /** A `*` behind a type: nothing that could be multiplied follows. */
  private isSuffix(at: number): boolean {
    const next = this.pieces[at + 1]?.text;
    return (
      this.pieces[at]?.text === "*" && (next === ")" || next === "," || next === "*" || next === "[" || next === "=")
    );
  }

  /** `-`, `*`, `&`, `+`, `!` or `~` in front of its operand. */
  private isPrefix(at: number): boolean {
    const piece = this.pieces[at];
    if (piece === undefined || piece.predicate !== undefined) return false;
    if (piece.text === "!" || piece.text === "~") return true;
    if (!["-", "*", "&", "+"].includes(piece.text)) return false;
    const before = this.pieces[at - 1];
    if (before === undefined) return true;
    if (before.text === ")") return this.closesCast(at - 1);
    return !isOperandEnd(before) || before.text === "return" || before.predicate === "open";
  }

  /** Whether the parenthesis that is closed at `at` holds a type: `(struct x *)` or `(uint8)`. */
  private closesCast(at: number): boolean {
    let depth = 0;
    let start = at;
    for (; start >= 0; start--) {
      const text = this.pieces[start]?.text;
      if (text === ")") depth++;
      else if (text === "(" && --depth === 0) break;
    }
    const inner = this.pieces.slice(start + 1, at).map((piece) => piece.text);
    if (isWord(this.pieces[start - 1]?.text ?? "") && !keywords.has(this.pieces[start - 1]?.text ?? "")) return false;
    if (inner.length === 0 || !inner.every((text) => isWord(text) || text === "*" || /^[[\]0-9]+$/.test(text)))
      return false;
    return (
      inner.at(-1) === "*" ||
      inner.length > 1 ||
      /^u?int(?:8|16|32|64)(?:_t)?$|^(?:bool|string|char)$/.test(inner[0] ?? "")
    );
  }

  /** `=` between the name and the value of a record's field. */
  private isField(at: number): boolean {
    return this.pieces[at]?.text === "=" && this.open.at(-1)?.bracket === "(";
  }

  /** Comments and empty lines between two pieces. */
  private gap(from: number, to: number): void {
    const between = this.text.slice(from, to);
    const comments = /\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
    let last = 0;
    for (let found = comments.exec(between); found !== null; found = comments.exec(between)) {
      const newlines = count(between.slice(last, found.index));
      const text = found[0].trimEnd();
      if (newlines === 0 && from > 0) this.trailing(text);
      else {
        this.endLine();
        if (newlines > 1) this.blank();
        for (const line of text.split("\n"))
          this.lines.push(`${this.indent()}${line.trim().startsWith("*") ? " " : ""}${line.trim()}`);
      }
      last = found.index + found[0].length;
    }
    if (count(between.slice(last)) > 1 && this.line === "") this.blank();
  }

  /** A comment behind code stays on its line. */
  private trailing(comment: string): void {
    if (this.line !== "") {
      this.line += ` ${comment}`;
      if (comment.startsWith("//")) this.endLine();
    } else if (this.lines.length > 0) this.lines[this.lines.length - 1] += ` ${comment}`;
  }

  private blank(): void {
    const last = this.lines.at(-1);
    if (last !== undefined && last !== "" && !last.endsWith("{")) this.lines.push("");
  }

  private indent(): string {
    return indentation.repeat(this.depth);
  }

  private endLine(): void {
    if (this.line === "") return;
    this.lines.push(...wrap(this.indent() + this.line.trimEnd()));
    this.line = "";
  }
}

const count = (text: string): number => text.split("\n").length - 1;
const isWord = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text);
const isOperandEnd = (piece: Piece | undefined): boolean =>
  piece !== undefined &&
  (piece.operand ? !keywords.has(piece.text) : piece.text === ")" || piece.text === "]" || piece.text === "}");

/** Breaks a line that is too long behind commas, and goes on below the parenthesis that they are in. */
function wrap(line: string): readonly string[] {
  if (line.length <= lineWidth) return [line];
  const open: number[] = [];
  let best: { readonly at: number; readonly column: number } | undefined;
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quoted) {
      if (c === "\\") i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    // A comment stays behind the code that it is about.
    else if (c === "/" && (line[i + 1] === "/" || line[i + 1] === "*")) {
      const code = wrap(line.slice(0, i).trimEnd());
      return [...code.slice(0, -1), `${code.at(-1) ?? ""} ${line.slice(i)}`];
    } else if (c === "(" || c === "[") open.push(i + 1);
    else if (c === ")" || c === "]") open.pop();
    else if (c === "," && i < lineWidth && open.length > 0 && line[i + 1] === " ")
      best = { at: i + 1, column: open.at(-1) ?? 0 };
  }
  if (best === undefined || best.column >= best.at) return [line];
  const rest = " ".repeat(best.column) + line.slice(best.at + 1);
  if (rest.length >= line.length) return [line];
  return [line.slice(0, best.at), ...wrap(rest)];
}
