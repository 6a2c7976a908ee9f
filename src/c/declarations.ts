import { type Attributes, parseAttributes, skipAssembly } from "./attributes.js";
import { builtinCall } from "./builtin-calls.js";
import { type CEnum, type CMember, type CRecord, type CType, cInt, plain } from "./c-type.js";
import { type CInteger, type ExpressionScope, evaluate } from "./constant-expression.js";
import { completeEnum, parseEnumerators } from "./enumerators.js";
import type { Layouts } from "./layout.js";
import type { CProblem } from "./preprocess.js";
import { specifierKind, typeOfWords } from "./specifiers.js";
import { CSyntaxError, TokenCursor } from "./token-cursor.js";
import { type CToken, spell } from "./tokens.js";

/** What a text of declarations comes to. */
export interface CDeclarations {
  /** By `struct Foo`, `union Bar`. */
  readonly records: ReadonlyMap<string, CRecord>;
  /** By `enum Foo`. */
  readonly enums: ReadonlyMap<string, CEnum>;
  readonly typedefs: ReadonlyMap<string, CType>;
  readonly enumerators: ReadonlyMap<string, { readonly value: bigint; readonly of: CEnum }>;
  readonly problems: readonly CProblem[];
  readonly layouts: Layouts;
}

const maxProblems = 200;

/** Reads declarations (C11 6.7). It never fails: what cannot be understood is skipped and among the problems. */
export function parseDeclarations(tokens: readonly CToken[], layouts: Layouts, charSigned: boolean): CDeclarations {
  const parser = new DeclarationParser(tokens, layouts, charSigned);
  parser.run();
  return parser;
}

interface Specified {
  readonly type: CType;
  /** `__user`: what pointers to it point into is the memory of a process. */
  readonly user: boolean;
  readonly typedef: boolean;
  /** A structure, union or enum is defined here. */
  readonly defines: boolean;
  readonly attributes: Attributes;
}

interface Declared {
  readonly name: CToken | undefined;
  readonly type: CType;
}

class DeclarationParser implements CDeclarations {
  readonly records: Map<string, CRecord>;
  readonly enums: Map<string, CEnum>;
  readonly typedefs: Map<string, CType>;
  readonly enumerators: Map<string, { readonly value: bigint; readonly of: CEnum }>;
  readonly problems: CProblem[];
  readonly layouts: Layouts;
  private readonly cursor: TokenCursor;
  private readonly charSigned: boolean;
  private readonly scope: ExpressionScope;
  private anonymous = 0;
  /** Where the definition of a structure, union or enum ended last. */
  private definitionEnd = -1;

  /** `outer`: reads a part of that one's text, with its names. */
  constructor(tokens: readonly CToken[], layouts: Layouts, charSigned: boolean, outer?: DeclarationParser) {
    this.records = outer?.records ?? new Map();
    this.enums = outer?.enums ?? new Map();
    this.typedefs = outer?.typedefs ?? new Map();
    this.enumerators = outer?.enumerators ?? new Map();
    this.problems = outer?.problems ?? [];
    this.cursor = new TokenCursor(tokens);
    this.layouts = layouts;
    this.charSigned = charSigned;
    this.scope = {
      name: (name) => {
        const found = this.enumerators.get(name);
        return found === undefined ? undefined : { value: found.value, unsigned: false };
      },
      type: (list, at) => this.typeAt(list, at),
      call: (list, at) => this.offsetofAt(list, at) ?? builtinCall(list, at, this.scope),
    };
  }

  run(): void {
    const { cursor } = this;
    while (cursor.peek() !== undefined) {
      const start = cursor.at;
      try {
        this.external();
      } catch (error) {
        if (!(error instanceof CSyntaxError)) throw error;
        this.problem(error.message, error.token);
        this.recover(start);
      }
    }
  }

  private problem(message: string, token: CToken | undefined): void {
    if (this.problems.length < maxProblems) this.problems.push({ kind: "bad-declaration", message, token });
  }

  /** Goes on behind the declaration that began at `start`: its `;`, or the body of a function. */
  private recover(start: number): void {
    const { cursor } = this;
    cursor.at = start;
    try {
      for (;;) {
        const token = cursor.peek();
        if (token === undefined) return;
        if (token.text === "(" || token.text === "[") cursor.skipBalanced();
        else if (token.text === "{") {
          cursor.skipBalanced();
          // What follows the brace of a type belongs to it; a function ends there.
          if (!cursor.is(";") && !cursor.is("=") && !cursor.is(",")) return;
        } else {
          cursor.take();
          if (token.text === ";") return;
        }
      }
    } catch (error) {
      if (!(error instanceof CSyntaxError)) throw error;
      cursor.at = cursor.tokens.length;
    }
  }

  private external(): void {
    const { cursor } = this;
    if (cursor.accept(";") || cursor.accept("__extension__")) return;
    if (cursor.is("_Static_assert") || cursor.is("static_assert") || skipAssembly(cursor)) {
      cursor.until(";");
      return;
    }
    const specified = this.specifiers();
    if (cursor.accept(";") || (specified.defines && !specified.typedef && this.atNextDeclaration())) return;
    for (;;) {
      const declared = this.declarator(specified.type, specified.user);
      skipAssembly(cursor);
      const late = parseAttributes(cursor, this.constant);
      const align = Math.max(specified.attributes.align, late.align);
      if (specified.typedef && declared.name !== undefined) {
        const type = late.mode ?? specified.attributes.mode ?? declared.type;
        this.typedefs.set(declared.name.text, align > 0 ? { kind: "aligned", of: type, align } : type);
      }
      if (cursor.is("{") && plain(declared.type).kind === "function") {
        cursor.skipBalanced();
        return;
      }
      if (cursor.accept("=")) cursor.until(",", ";");
      if (cursor.accept(",")) continue;
      cursor.expect(";", "after a declaration");
      return;
    }
  }

  /** Behind a definition without its semicolon, which bpftrace lets scripts leave out. */
  private atNextDeclaration(): boolean {
    const token = this.cursor.peek();
    return token === undefined || token.first || /^(?:struct|union|enum|typedef)$/.test(token.text);
  }

  private readonly constant = (tokens: readonly CToken[]): CInteger | undefined => evaluate(tokens, this.scope);

  /** The specifiers in front of a declarator (C11 6.7p2). */
  private specifiers(): Specified {
    const { cursor } = this;
    const words: string[] = [];
    let type: CType | undefined;
    let typedef = false;
    let user = false;
    let attributes = parseAttributes(cursor, this.constant);
    for (;;) {
      const token = cursor.peek();
      if (token?.kind !== "name") break;
      const kind = specifierKind(token.text);
      if (type !== undefined && (kind === "record" || kind === "enum" || kind === "typedef")) break;
      if (kind === "attribute") {
        attributes = attributes.with(parseAttributes(cursor, this.constant));
        continue;
      }
      if (kind === "ignored") {
        cursor.take();
        if (token.text === "__user") user = true;
      } else if (kind === "typedef") {
        cursor.take();
        typedef = true;
      } else if (kind === "word") {
        words.push(cursor.take().text);
      } else if (kind === "record") type = this.recordSpecifier();
      else if (kind === "enum") type = this.enumSpecifier();
      else if (kind === "typeof") {
        cursor.take();
        type = this.typeof();
      } else if (kind === "alignas") {
        cursor.take();
        cursor.expect("(", "after _Alignas");
        const inside = cursor.until(")");
        cursor.take();
        attributes = attributes.withAlign(this.alignment(inside));
      } else if (kind === "atomic") {
        cursor.take();
        if (cursor.is("(")) type = this.typeof();
      } else if (type === undefined && words.length === 0) {
        cursor.take();
        type = this.typedefs.get(token.text) ?? { kind: "unknown", name: token.text };
      } else break;
    }
    if (type === undefined) {
      if (words.length === 0) cursor.fail(`expected a type, found ${cursor.found()}`);
      type = typeOfWords(words, this.charSigned);
    }
    const defines = this.definitionEnd === cursor.at;
    return { type, user, typedef, defines, attributes };
  }

  private alignment(tokens: readonly CToken[]): number {
    const type = this.typeAt(tokens, 0);
    if (type?.end === tokens.length) return type.align;
    return Number(this.constant(tokens)?.value ?? 0n);
  }

  private typeof(): CType {
    const { cursor } = this;
    cursor.expect("(", "after typeof");
    const start = cursor.at;
    if (this.startsTypeName(cursor.peek())) {
      const type = this.typeName();
      if (cursor.accept(")")) return type;
    }
    cursor.at = start;
    const inside = cursor.until(")");
    cursor.take();
    // Of a constant, its type is that of the arithmetic; of anything else, nobody knows it here.
    const value = this.constant(inside);
    return value === undefined ? { kind: "unknown", name: `typeof(${spell(inside)})` } : cInt(8, !value.unsigned);
  }

  private startsTypeName(token: CToken | undefined): boolean {
    if (token?.kind !== "name") return false;
    return specifierKind(token.text) !== undefined || this.typedefs.has(token.text);
  }

  private typeName(): CType {
    const { type, user } = this.specifiers();
    return this.declarator(type, user).type;
  }

  /** A type name at a place of some list, as constant expressions need it. */
  private typeAt(list: readonly CToken[], at: number): ReturnType<NonNullable<ExpressionScope["type"]>> {
    if (!this.startsTypeName(list[at])) return undefined;
    const inner = new DeclarationParser(list, this.layouts, this.charSigned, this);
    inner.cursor.at = at;
    let type: CType;
    try {
      type = inner.typeName();
    } catch (error) {
      if (error instanceof CSyntaxError) return undefined;
      throw error;
    }
    const extent = this.layouts.extent(type);
    if ("problem" in extent) return undefined;
    const { kind } = plain(type);
    const stripped = plain(type);
    const cast = (value: CInteger): CInteger => {
      if (stripped.kind !== "int") return value;
      const bits = stripped.size * 8;
      const cut = stripped.signed ? BigInt.asIntN(bits, value.value) : BigInt.asUintN(bits, value.value);
      return { value: cut, unsigned: !stripped.signed && stripped.size === 8 };
    };
    const castable = kind === "int" || kind === "bool" || kind === "enum" || kind === "pointer";
    return { ...extent, end: inner.cursor.at, ...(castable ? { cast } : {}) };
  }

  /** offsetof() as compilers have it built in. */
  private offsetofAt(list: readonly CToken[], at: number): ReturnType<NonNullable<ExpressionScope["call"]>> {
    const name = list[at]?.text;
    if ((name !== "__builtin_offsetof" && name !== "offsetof") || list[at + 1]?.text !== "(") return undefined;
    const inner = new DeclarationParser(list, this.layouts, this.charSigned, this);
    inner.cursor.at = at + 2;
    try {
      let type = plain(inner.typeName());
      inner.cursor.expect(",", "after the type");
      let bits = 0;
      do {
        const member = inner.cursor.take().text;
        const layout = type.kind === "record" ? this.layouts.record(type.record) : undefined;
        const found =
          layout === undefined || "problem" in layout ? undefined : layout.members.find((m) => m.name === member);
        if (found === undefined) return undefined;
        bits += found.bitOffset;
        type = plain(found.type);
      } while (inner.cursor.accept("."));
      inner.cursor.expect(")", "after the member");
      return { value: { value: BigInt(bits >> 3), unsigned: true }, end: inner.cursor.at };
    } catch (error) {
      if (error instanceof CSyntaxError) return undefined;
      throw error;
    }
  }

  /** Pointers, arrays, functions and the name in their midst (C11 6.7.6); the name is undefined in a type name. */
  private declarator(base: CType, user: boolean): Declared {
    const { cursor } = this;
    return cursor.nested(() => {
      let type = base;
      for (;;) {
        parseAttributes(cursor, this.constant);
        const token = cursor.peek();
        if (token?.kind === "punct" && (token.text === "*" || token.text === "^")) {
          cursor.take();
          type = { kind: "pointer", to: type, user: user && type === base };
        } else if (token?.kind === "name" && specifierKind(token.text) === "ignored") {
          cursor.take();
        } else break;
      }
      if (cursor.is("(") && this.opensDeclarator()) {
        const inside = cursor.at + 1;
        cursor.skipBalanced();
        const outer = this.suffixes(type);
        const end = cursor.at;
        cursor.at = inside;
        const declared = this.declarator(outer, user);
        if (!cursor.is(")")) cursor.fail(`expected ')' in a declarator, found ${cursor.found()}`);
        cursor.at = end;
        return declared;
      }
      const name = cursor.isName() ? cursor.take() : undefined;
      return { name, type: this.suffixes(type) };
    });
  }

  /** Whether a parenthesis holds a declarator, `(*f)`, and not parameters. */
  private opensDeclarator(): boolean {
    const { cursor } = this;
    const next = cursor.peek(1);
    if (next === undefined) return false;
    if (next.kind === "punct") return next.text === "*" || next.text === "^" || next.text === "(" || next.text === "[";
    if (next.kind !== "name") return false;
    const kind = specifierKind(next.text);
    if (kind === "attribute") return true;
    return kind === undefined && !this.typedefs.has(next.text);
  }

  private suffixes(type: CType): CType {
    const { cursor } = this;
    const found: (number | "function")[] = [];
    for (;;) {
      if (cursor.is("(")) {
        cursor.skipBalanced();
        found.push("function");
      } else if (cursor.is("[")) {
        cursor.take();
        const inside = cursor.until("]").filter((t) => !/^(?:static|const|volatile|restrict|__restrict)$/.test(t.text));
        cursor.take();
        found.push(this.length(inside));
      } else break;
    }
    let result = type;
    for (const suffix of found.reverse())
      result = suffix === "function" ? { kind: "function" } : { kind: "array", of: result, count: suffix };
    return result;
  }

  private length(tokens: readonly CToken[]): number {
    if (tokens.length === 0 || (tokens.length === 1 && tokens[0]?.text === "*")) return 0;
    const value = this.constant(tokens)?.value;
    if (value === undefined || value < 0n || value > 1n << 40n)
      throw new CSyntaxError(`the length of this array, '${spell(tokens)}', is no constant that is known`, tokens[0]);
    return Number(value);
  }

  private tag(keyword: string, token: CToken | undefined): string {
    return token === undefined ? `${keyword} (anonymous ${++this.anonymous})` : `${keyword} ${token.text}`;
  }

  private recordOf(name: string, union: boolean, anonymous: boolean): CRecord {
    let record = this.records.get(name);
    if (record === undefined) {
      record = { name, union, anonymous, definition: undefined };
      this.records.set(name, record);
    }
    return record;
  }

  private recordSpecifier(): CType {
    const { cursor } = this;
    const keyword = cursor.take().text;
    const before = parseAttributes(cursor, this.constant);
    const nameToken = cursor.isName() ? cursor.take() : undefined;
    const middle = parseAttributes(cursor, this.constant);
    const name = this.tag(keyword, nameToken);
    const record = this.recordOf(name, keyword === "union", nameToken === undefined);
    const type: CType = { kind: "record", record };
    if (!cursor.is("{")) {
      if (nameToken === undefined) cursor.fail(`expected a name or '{' after ${keyword}, found ${cursor.found()}`);
      return type;
    }
    const start = cursor.peek();
    const { pack } = cursor;
    cursor.take();
    const { members, problem } = cursor.nested(() => this.members(name));
    const all = before.with(middle).with(parseAttributes(cursor, this.constant));
    if (record.definition !== undefined) this.problem(`redefinition of '${name}'`, nameToken ?? start);
    else record.definition = { members, packed: all.packed, align: all.align, pack, problem };
    this.definitionEnd = cursor.at;
    return type;
  }

  private members(owner: string): { readonly members: readonly CMember[]; readonly problem: string | undefined } {
    const { cursor } = this;
    const members: CMember[] = [];
    let problem: string | undefined;
    while (!cursor.accept("}")) {
      if (cursor.accept(";") || cursor.accept("__extension__")) continue;
      if (cursor.is("_Static_assert") || cursor.is("static_assert")) {
        cursor.until(";", "}");
        continue;
      }
      try {
        this.memberDeclaration(members);
      } catch (error) {
        if (!(error instanceof CSyntaxError)) throw error;
        problem ??= `${error.message} (in ${owner})`;
        this.problem(error.message, error.token);
        cursor.until(";", "}");
      }
    }
    return { members, problem };
  }

  private memberDeclaration(members: CMember[]): void {
    const { cursor } = this;
    const { type, user, attributes } = this.specifiers();
    if (cursor.is(";") || cursor.is("}")) {
      const inner = plain(type);
      // `struct Foo;` inside declares a tag and `int;` nothing.
      if (inner.kind === "record" && inner.record.anonymous)
        members.push({ name: undefined, type, width: undefined, packed: attributes.packed, align: attributes.align });
      return;
    }
    for (;;) {
      const declared: Declared = cursor.is(":") ? { name: undefined, type } : this.declarator(type, user);
      let width: number | undefined;
      if (cursor.accept(":")) width = this.width(declared);
      const own = attributes.with(parseAttributes(cursor, this.constant));
      if (declared.name === undefined && width === undefined)
        cursor.fail(`expected a member's name, found ${cursor.found()}`);
      members.push({
        name: declared.name?.text,
        type: own.mode ?? declared.type,
        width,
        packed: own.packed,
        align: own.align,
      });
      if (cursor.accept(",")) continue;
      if (cursor.accept(";") || cursor.is("}")) return;
      cursor.fail(`expected ';' after a member, found ${cursor.found()}`);
    }
  }

  private width(declared: Declared): number {
    const { cursor } = this;
    const from = cursor.at;
    const tokens: CToken[] = [];
    while (!cursor.is(",") && !cursor.is(";") && !cursor.is("}") && !cursor.is("__attribute__"))
      tokens.push(cursor.take());
    const value = this.constant(tokens)?.value;
    const extent = this.layouts.extent(declared.type);
    const most = "problem" in extent ? 64 : extent.size * 8;
    if (value === undefined || value < 0n || value > BigInt(most)) {
      const name = declared.name?.text ?? "a bit field";
      throw new CSyntaxError(`the width of '${name}', '${spell(tokens)}', does not fit its type`, cursor.tokens[from]);
    }
    return Number(value);
  }

  private enumSpecifier(): CType {
    const { cursor } = this;
    cursor.take();
    let attributes = parseAttributes(cursor, this.constant);
    const nameToken = cursor.isName() ? cursor.take() : undefined;
    const name = this.tag("enum", nameToken);
    let of = this.enums.get(name);
    if (of === undefined) {
      of = { name, values: [], size: 4, signed: false, defined: false };
      this.enums.set(name, of);
    }
    const type: CType = { kind: "enum", of };
    // `enum name : type` is C23.
    let fixed: CType | undefined;
    if (cursor.is(":") && (cursor.isName(1) || cursor.is("(", 1))) {
      cursor.take();
      fixed = plain(this.specifiers().type);
    }
    if (!cursor.accept("{")) {
      if (nameToken === undefined) cursor.fail(`expected a name or '{' after enum, found ${cursor.found()}`);
      return type;
    }
    const values = parseEnumerators(cursor, this.constant, (each, value) => {
      this.enumerators.set(each, { value, of });
    });
    attributes = attributes.with(parseAttributes(cursor, this.constant));
    this.definitionEnd = cursor.at;
    if (of.defined) this.problem(`redefinition of '${name}'`, nameToken);
    completeEnum(of, values, fixed?.kind === "int" ? fixed.size : undefined, attributes.packed);
    return type;
  }
}
