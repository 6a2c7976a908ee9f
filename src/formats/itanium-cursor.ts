import { NotMangled } from "./itanium-node.js";

/** Nested deeper, or longer, than a compiler's output; substitutions could double the text at each step. */
const maxDepth = 300;
const maxText = 100_000;

/** Reads a mangled name from left to right. */
export class ItaniumCursor {
  protected readonly text: string;
  protected at: number;
  private depth = 0;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  protected peek(ahead = 0): string {
    return this.text[this.at + ahead] ?? "";
  }

  protected take(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  protected expect(text: string): void {
    if (!this.take(text)) throw new NotMangled();
  }

  protected nested<T>(parse: () => T): T {
    if (++this.depth > maxDepth) throw new NotMangled();
    const result = parse();
    this.depth--;
    return result;
  }

  protected checked(text: string): string {
    if (text.length > maxText) throw new NotMangled();
    return text;
  }

  protected next(): string {
    const letter = this.peek();
    this.at++;
    return letter;
  }

  /** `n` stands for minus. */
  protected number(): string {
    const match = /^n?\d+/.exec(this.text.slice(this.at, this.at + 24));
    if (match === null) throw new NotMangled();
    this.at += match[0].length;
    return match[0].replace("n", "-");
  }

  /** `_` is 0, `0_` 1 ... base 36. */
  protected sequence(): number {
    if (this.take("_")) return 0;
    const match = /^([0-9A-Z]{1,6})_/.exec(this.text.slice(this.at, this.at + 8));
    if (match?.[1] === undefined) throw new NotMangled();
    this.at += match[0].length;
    return Number.parseInt(match[1], 36) + 1;
  }

  protected sourceName(): string {
    const match = /^[1-9]\d{0,6}/.exec(this.text.slice(this.at, this.at + 8));
    if (match === null) throw new NotMangled();
    const length = Number(match[0]);
    const start = this.at + match[0].length;
    if (start + length > this.text.length) throw new NotMangled();
    this.at = start + length;
    const name = this.text.slice(start, this.at);
    return /^_GLOBAL_[_.$]N/.test(name) ? "(anonymous namespace)" : name;
  }
}
