import type { CToken } from "./tokens.js";

/** A declaration that is no C, or C of a kind that we do not read; caught where the next declaration begins. */
export class CSyntaxError extends Error {
  readonly token: CToken | undefined;
  constructor(message: string, token: CToken | undefined) {
    super(message);
    this.token = token;
  }
}

const maxDepth = 120;

/** Position in a list of tokens, with what every part of the grammar uses. */
export class TokenCursor {
  readonly tokens: readonly CToken[];
  at = 0;
  /** Of `#pragma pack`, innermost last; 0 is the ABI's own alignment. */
  readonly packs: number[] = [0];
  private depth = 0;

  constructor(tokens: readonly CToken[]) {
    this.tokens = tokens;
  }

  get pack(): number {
    return this.packs.at(-1) ?? 0;
  }

  peek(distance = 0): CToken | undefined {
    for (;;) {
      const token = this.tokens[this.at];
      if (token?.kind !== "pragma") break;
      this.at++;
      this.pragma(token.text);
    }
    return this.tokens[this.at + distance];
  }

  /** `push`, `pop` and a number in any company: gcc, "Structure-Layout Pragmas". */
  private pragma(text: string): void {
    const [, inside = ""] = /^pack\s*\(([^)]*)\)/.exec(text) ?? [];
    const words = inside.split(",").map((word) => word.trim());
    if (words.includes("pop")) {
      if (this.packs.length > 1) this.packs.pop();
      return;
    }
    if (words.includes("push") && this.packs.length < 1000) this.packs.push(this.pack);
    const number = words.find((word) => /^[0-9]+$/.test(word));
    if (number !== undefined || inside.trim() === "") this.packs[this.packs.length - 1] = Number(number ?? 0);
  }

  take(): CToken {
    const token = this.peek();
    if (token === undefined) throw new CSyntaxError("the text ends in the middle of a declaration", this.tokens.at(-1));
    this.at++;
    return token;
  }

  is(text: string, distance = 0): boolean {
    const token = this.peek(distance);
    return token?.text === text && (token.kind === "punct" || token.kind === "name");
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  expect(text: string, where: string): void {
    if (!this.accept(text)) this.fail(`expected '${text}' ${where}, found ${this.found()}`);
  }

  isName(distance = 0): boolean {
    return this.peek(distance)?.kind === "name";
  }

  found(): string {
    const token = this.peek();
    return token === undefined ? "the end" : `'${token.text.slice(0, 40)}'`;
  }

  fail(message: string): never {
    throw new CSyntaxError(message, this.peek() ?? this.tokens.at(-1));
  }

  /** Moves behind the bracket that closes the one at the next token. */
  skipBalanced(): void {
    let depth = 0;
    do {
      const { kind, text } = this.take();
      if (kind !== "punct") continue;
      if (text === "(" || text === "[" || text === "{") depth++;
      else if (text === ")" || text === "]" || text === "}") depth--;
    } while (depth > 0);
  }

  /** The tokens up to a closing bracket at this level, which is left; brackets inside are kept whole. */
  until(...ends: readonly string[]): readonly CToken[] {
    const from = this.at;
    for (;;) {
      const token = this.peek();
      if (token === undefined) this.fail(`expected '${ends[0] ?? ""}'`);
      if (token.kind === "punct" && ends.includes(token.text)) return this.tokens.slice(from, this.at);
      if (token.text === "(" || token.text === "[" || token.text === "{") this.skipBalanced();
      else this.at++;
    }
  }

  /** Runs one level of recursive grammar. */
  nested<T>(parse: () => T): T {
    if (this.depth >= maxDepth) this.fail("declarations are nested too deeply");
    this.depth++;
    try {
      return parse();
    } finally {
      this.depth--;
    }
  }
}
