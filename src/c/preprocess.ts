import type { Source } from "../base/span.js";
import { evaluate } from "./constant-expression.js";
import { Budget, expand, type Macro, TooMuch } from "./macros.js";
import { type CToken, spell, tokenizeC } from "./tokens.js";

/** A header that was found. */
export interface Header extends Source {
  /** The directory that it was found in, for #include_next. */
  readonly root: string;
}

/** Where headers come from; a stand-in in tests. */
export interface Headers {
  /** The kernel's own headers are among them: __KERNEL__ makes sense. */
  readonly kernel: boolean;
  /**
   * `quoted`: the file of `#include "..."` is looked for beside `from` first. `after`: only in the directories behind
   * that one.
   */
  find(name: string, quoted: boolean, from: string, after?: string): Header | undefined;
}

export const noHeaders: Headers = { kernel: false, find: () => undefined };

/** Something that was not as it should be; how grave that is depends on whether it is missed later. */
export interface CProblem {
  readonly kind: "missing-header" | "error-directive" | "bad-directive" | "bad-declaration" | "too-much";
  readonly message: string;
  /** Of a missing header. */
  readonly header?: string;
  readonly token: CToken | undefined;
}

export interface Preprocessed {
  readonly tokens: readonly CToken[];
  readonly macros: ReadonlyMap<string, Macro>;
  readonly problems: readonly CProblem[];
  /** Paths of the headers that were read. */
  readonly headers: ReadonlySet<string>;
  readonly budget: Budget;
}

const maxIncludes = 200;
const maxProblems = 200;
/** Tokens that macros unfold to; the headers of a kernel that include most of the others stay below a million. */
const maxTokens = 6_000_000;
/** Tokens of one macro call, longer than which no text waits for its end. */
const longestCall = 50_000;
/** Files read, each as often as it is included. */
const maxFiles = 20_000;

/** Runs the preprocessor over texts in their order (C11 6.10). It never fails: what is wrong is among the problems. */
export function preprocess(sources: readonly Source[], headers: Headers, predefined: Source): Preprocessed {
  const run = new Preprocessor(headers);
  try {
    run.file(predefined);
    for (const source of sources) run.file(source);
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    run.problem({ kind: "too-much", message: error.message, token: undefined });
  }
  return run;
}

/** State of one #if and the lines up to its #endif. */
interface Condition {
  /** What surrounds it is read. */
  readonly outer: boolean;
  /** One of its branches has been chosen. */
  taken: boolean;
  active: boolean;
}

class Preprocessor implements Preprocessed {
  readonly tokens: CToken[] = [];
  readonly macros = new Map<string, Macro>();
  readonly problems: CProblem[] = [];
  readonly headers = new Set<string>();
  readonly budget = new Budget(maxTokens);
  private readonly finder: Headers;
  /** Headers, taken apart once; many are included again and again for one of their parts. */
  private readonly read = new Map<string, { readonly tokens: readonly CToken[]; readonly guard: string | undefined }>();
  private readonly once = new Set<string>();
  private depth = 0;
  private files = 0;
  private counter = 0;

  constructor(finder: Headers) {
    this.finder = finder;
  }

  problem(problem: CProblem): void {
    if (this.problems.length < maxProblems) this.problems.push(problem);
  }

  file(source: Source): void {
    this.lines(tokenizeC(source), source.name, "");
  }

  private lines(tokens: readonly CToken[], name: string, root: string): void {
    const conditions: Condition[] = [];
    let active = true;
    // Text waits for the parentheses that it opens: the kernel's headers have directives among the arguments of macros.
    let waiting: CToken[] = [];
    let open = 0;
    for (let at = 0; at < tokens.length; ) {
      if (isDirective(tokens[at])) {
        const end = lineEnd(tokens, at);
        const line = tokens.slice(at + 1, end);
        if (isConditional(line[0])) {
          this.condition(line, conditions, active);
          active = conditions.at(-1)?.active ?? true;
        } else if (active) this.directive(line, name, root);
        at = end;
        continue;
      }
      const end = blockEnd(tokens, at);
      if (active) {
        for (let i = at; i < end; i++) {
          const token = tokens[i];
          if (token === undefined) break;
          waiting.push(token);
          if (token.text === "(") open++;
          else if (token.text === ")") open--;
        }
        if (open <= 0 || waiting.length > longestCall) {
          this.text(waiting);
          waiting = [];
          open = 0;
        }
      }
      at = end;
    }
    this.text(waiting);
  }

  private text(tokens: readonly CToken[]): void {
    if (tokens.length === 0) return;
    for (const token of expand(tokens, this.macros, this.budget)) this.tokens.push(this.special(token));
  }

  /** Macros that are different each time; the line is that of nobody's interest. */
  private special(token: CToken): CToken {
    if (token.kind !== "name" || !token.text.startsWith("__")) return token;
    if (token.text === "__COUNTER__") return { ...token, kind: "number", text: String(this.counter++) };
    if (token.text === "__LINE__") return { ...token, kind: "number", text: "1" };
    if (token.text === "__FILE__") return { ...token, kind: "string", text: JSON.stringify(token.source.name) };
    return token;
  }

  private condition(line: readonly CToken[], conditions: Condition[], active: boolean): void {
    const [keyword, ...rest] = line;
    const current = conditions.at(-1);
    switch (keyword?.text) {
      case "if":
      case "ifdef":
      case "ifndef": {
        const holds = active && this.holds(keyword.text, rest);
        conditions.push({ outer: active, taken: holds, active: holds });
        return;
      }
      case "elif":
      case "elifdef":
      case "elifndef":
        if (current === undefined) break;
        current.active = current.outer && !current.taken && this.holds(keyword.text.slice(2), rest);
        current.taken ||= current.active;
        return;
      case "else":
        if (current === undefined) break;
        current.active = current.outer && !current.taken;
        current.taken = true;
        return;
      default:
        if (conditions.pop() === undefined) break;
        return;
    }
    this.problem({
      kind: "bad-directive",
      message: `#${keyword?.text ?? ""} without an #if before it`,
      token: keyword,
    });
  }

  private holds(keyword: string, line: readonly CToken[]): boolean {
    if (keyword !== "if") return this.isDefined(line[0]?.text ?? "") === (keyword === "ifdef");
    const replaced = this.withoutDefined(line);
    const tokens = expand(replaced, this.macros, this.budget).map((token) => this.special(token));
    const value = evaluate(tokens, { name: () => ({ value: 0n, unsigned: false }) });
    if (value === undefined)
      this.problem({ kind: "bad-directive", message: `'#if ${spell(line)}' is no integer expression`, token: line[0] });
    return value !== undefined && value.value !== 0n;
  }

  private isDefined(name: string): boolean {
    return this.macros.has(name) || /^__(?:has_include|has_include_next|COUNTER__|LINE__|FILE__)$/.test(name);
  }

  /** `defined X`, `defined(X)` and __has_include(...) as 1 or 0, before macros are replaced. */
  private withoutDefined(line: readonly CToken[]): readonly CToken[] {
    const out: CToken[] = [];
    for (let i = 0; i < line.length; i++) {
      const token = line[i];
      if (token === undefined) break;
      const parenthesis = line[i + 1]?.text === "(";
      if (token.text === "defined") {
        const name = line[parenthesis ? i + 2 : i + 1]?.text ?? "";
        out.push({ ...token, kind: "number", text: this.isDefined(name) ? "1" : "0" });
        i += parenthesis ? 3 : 1;
      } else if (/^__has_include(_next)?$/.test(token.text) && parenthesis) {
        let end = i + 2;
        while (end < line.length && line[end]?.text !== ")") end++;
        const wanted = headerName(line.slice(i + 2, end));
        const found =
          wanted === undefined ? undefined : this.finder.find(wanted.name, wanted.quoted, token.source.name);
        out.push({ ...token, kind: "number", text: found === undefined ? "0" : "1" });
        i = end;
      } else out.push(token);
    }
    return out;
  }

  private directive(line: readonly CToken[], name: string, root: string): void {
    const [keyword, ...rest] = line;
    switch (keyword?.text) {
      case "define":
        this.define(keyword, rest);
        return;
      case "undef":
        this.macros.delete(rest[0]?.text ?? "");
        return;
      case "include":
      case "include_next":
      case "import":
        this.include(keyword, rest, name, keyword.text === "include_next" ? root : undefined);
        return;
      case "error":
        this.problem({ kind: "error-directive", message: `#error ${spell(rest)}`, token: keyword });
        return;
      case "pragma":
        if (rest[0]?.text === "once") this.once.add(name);
        // The layout of structures depends on it.
        else if (rest[0]?.text === "pack") this.tokens.push({ ...rest[0], kind: "pragma", text: spell(rest) });
        return;
      case undefined:
      case "warning":
      case "line":
      case "ident":
        return;
      default:
        // `# 12 "file"` is what a preprocessor leaves behind.
        if (keyword?.kind !== "number")
          this.problem({
            kind: "bad-directive",
            message: `there is no preprocessor directive '#${keyword?.text ?? ""}'`,
            token: keyword,
          });
    }
  }

  private define(keyword: CToken, line: readonly CToken[]): void {
    const [name, open] = line;
    if (name?.kind !== "name") {
      this.problem({ kind: "bad-directive", message: "#define needs a name", token: name ?? keyword });
      return;
    }
    let parameters: string[] | undefined;
    let variadic = false;
    let at = 1;
    if (open?.text === "(" && !open.spaced) {
      parameters = [];
      for (at = 2; at < line.length; at++) {
        const token = line[at];
        if (token?.text === ")") break;
        if (token?.text === "...") {
          variadic = true;
          // `args...` names them itself (GNU).
          if (line[at - 1]?.kind !== "name") parameters.push("__VA_ARGS__");
        } else if (token?.kind === "name") parameters.push(token.text);
      }
      at++;
    }
    const body = line.slice(at).map((token, i) => (i === 0 && token.spaced ? { ...token, spaced: false } : token));
    this.macros.set(name.text, { name: name.text, parameters, variadic, body });
  }

  private include(keyword: CToken, line: readonly CToken[], from: string, after: string | undefined): void {
    const wanted = headerName(line) ?? headerName(expand(line, this.macros, this.budget));
    if (wanted === undefined) {
      this.problem({ kind: "bad-directive", message: '#include needs <name> or "name"', token: keyword });
      return;
    }
    const header = this.finder.find(wanted.name, wanted.quoted, from, after);
    if (header === undefined) {
      const message = `'${wanted.name}' file not found`;
      this.problem({ kind: "missing-header", message, header: wanted.name, token: keyword });
      return;
    }
    this.headers.add(header.name);
    if (this.once.has(header.name)) return;
    const guard = this.read.get(header.name)?.guard;
    if (guard !== undefined && this.macros.has(guard)) return;
    if (this.depth >= maxIncludes || ++this.files > maxFiles)
      throw new TooMuch(`headers include each other without end ('${wanted.name}')`);
    this.depth++;
    let known = this.read.get(header.name);
    if (known === undefined) {
      const tokens = tokenizeC(header);
      known = { tokens, guard: guardOf(tokens) };
      this.read.set(header.name, known);
    }
    this.lines(known.tokens, header.name, header.root);
    this.depth--;
  }
}

const conditionals = new Set(["if", "ifdef", "ifndef", "elif", "elifdef", "elifndef", "else", "endif"]);
const isConditional = (token: CToken | undefined): boolean => token !== undefined && conditionals.has(token.text);

const isDirective = (token: CToken | undefined): boolean => token?.first === true && token.text === "#";

function lineEnd(tokens: readonly CToken[], from: number): number {
  let at = from + 1;
  while (at < tokens.length && tokens[at]?.first !== true) at++;
  return at;
}

/**
 * The macro that keeps a header from being read twice: all of it stands between #ifndef and #endif. Undefined if the header
 * has none; `#pragma once` is told when it is met.
 */
function guardOf(tokens: readonly CToken[]): string | undefined {
  const [hash, keyword, name] = tokens;
  if (!isDirective(hash) || keyword?.text !== "ifndef" || name?.kind !== "name") return undefined;
  let depth = 0;
  for (let at = 0; at < tokens.length; at++) {
    if (!isDirective(tokens[at])) continue;
    const word = tokens[at + 1]?.text;
    if (word === "if" || word === "ifdef" || word === "ifndef") depth++;
    else if (depth === 1 && (word === "else" || word === "elif")) return undefined;
    else if (word === "endif" && --depth === 0) return lineEnd(tokens, at) === tokens.length ? name.text : undefined;
  }
  return undefined;
}

/** Where the next directive begins. */
function blockEnd(tokens: readonly CToken[], from: number): number {
  let at = from;
  while (at < tokens.length && !isDirective(tokens[at])) at++;
  return at;
}

function headerName(line: readonly CToken[]): { readonly name: string; readonly quoted: boolean } | undefined {
  const [head] = line;
  if (head?.kind === "string" && head.text.startsWith('"')) return { name: head.text.slice(1, -1), quoted: true };
  if (head?.text !== "<" && head?.text !== "<=" && head?.text !== "<<") return undefined;
  const all = spell(line);
  const end = all.indexOf(">");
  return end < 2 ? undefined : { name: all.slice(1, end).trim(), quoted: false };
}
