// Names of Rust functions: the legacy form, a C++ name with a hash, and v0 (RFC 2603, "Symbol name mangling v0").

/** Deeper than any name nests, also by references back into itself. */
const maxDepth = 200;
/** References back may make a short symbol stand for a very long name. */
const maxLength = 8192;

class NotRust extends Error {}

/**
 * The path that a symbol of a Rust program stands for, without hashes, as rustfilt and c++filt print it:
 * `_RNvNtCs1234_4core3fmt5write` is `core::fmt::write`. Undefined for what is no such symbol.
 */
export function demangleRust(symbol: string): string | undefined {
  // LLVM appends what it did to the function, .llvm.1234567, and numbers to what it has taken apart.
  const llvm = symbol.indexOf(".llvm.");
  const name = llvm < 0 ? symbol : symbol.slice(0, llvm);
  try {
    if (name.startsWith("_R")) return new V0(name.slice(2)).symbol();
    return name.startsWith("_ZN") ? legacy(name) : undefined;
  } catch (error) {
    if (error instanceof NotRust) return undefined;
    throw error;
  }
}

const escapes: Readonly<Record<string, string>> = {
  SP: "@",
  BP: "*",
  RF: "&",
  LT: "<",
  GT: ">",
  LP: "(",
  RP: ")",
  C: ",",
};

/** `_ZN4core3fmt5write17h0123456789abcdefE`: parts with their lengths, the last one a hash. */
function legacy(name: string): string | undefined {
  const parts: string[] = [];
  let at = 3;
  for (;;) {
    const length = /^[1-9][0-9]{0,4}/.exec(name.slice(at, at + 5))?.[0];
    if (length === undefined) break;
    at += length.length;
    const part = name.slice(at, at + Number(length));
    if (part.length !== Number(length)) return undefined;
    parts.push(part);
    at += part.length;
  }
  // GCC's clones, .cold and the like, are not Rust's.
  if (name[at] !== "E" || (at + 1 !== name.length && name[at + 1] !== ".")) return undefined;
  const hash = parts.pop();
  if (hash === undefined || parts.length === 0 || !/^h[0-9a-f]{16}$/.test(hash)) return undefined;
  // A C++ namespace could look like that; a hash that uses few digits is none.
  if (new Set(hash.slice(1)).size < 5) return undefined;
  return parts.map(unescapeLegacy).join("::");
}

function unescapeLegacy(part: string): string {
  // An identifier cannot begin with $: the compiler puts _ in front.
  const text = part.startsWith("_$") ? part.slice(1) : part;
  return text.replaceAll(/\$(\w+?)\$|\.\./g, (whole, code: string | undefined) => {
    if (code === undefined) return "::";
    const hex = /^u([0-9a-f]{1,6})$/.exec(code)?.[1];
    if (hex === undefined) return escapes[code] ?? whole;
    const point = Number.parseInt(hex, 16);
    return point >= 0x20 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

const basicTypes: Readonly<Record<string, string>> = {
  a: "i8",
  b: "bool",
  c: "char",
  d: "f64",
  e: "str",
  f: "f32",
  h: "u8",
  i: "isize",
  j: "usize",
  l: "i32",
  m: "u32",
  n: "i128",
  o: "u128",
  p: "_",
  s: "i16",
  t: "u16",
  u: "()",
  v: "...",
  x: "i64",
  y: "u64",
  z: "!",
};

class V0 {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private length = 0;
  /** Lifetimes that enclosing `for<...>` have named. */
  private bound = 0;

  constructor(text: string) {
    this.text = text;
  }

  symbol(): string {
    // A number in front would be a version that is not known here.
    if (!/^[A-Z]/.test(this.text)) throw new NotRust();
    const path = this.path(true);
    // The crate that made this instance of a generic function: nobody asks for it.
    if (this.at < this.text.length && /[A-Z]/.test(this.peek())) this.path(false);
    if (this.at < this.text.length && this.peek() !== "." && this.peek() !== "$") throw new NotRust();
    return path;
  }

  private peek(): string {
    return this.text[this.at] ?? "";
  }

  private take(): string {
    const c = this.peek();
    if (c === "") throw new NotRust();
    this.at++;
    return c;
  }

  private accept(c: string): boolean {
    if (this.peek() !== c) return false;
    this.at++;
    return true;
  }

  /** Counts what is put together, so that references back cannot make too much of it. */
  private made(text: string): string {
    this.length += text.length;
    if (this.length > 16 * maxLength || text.length > maxLength) throw new NotRust();
    return text;
  }

  private nested<T>(parse: () => T): T {
    if (++this.depth > maxDepth) throw new NotRust();
    const result = parse();
    this.depth--;
    return result;
  }

  /** `B` and a place in front of it. */
  private back<T>(parse: () => T): T {
    const start = this.at - 1;
    const to = this.base62();
    if (to >= start) throw new NotRust();
    const { at } = this;
    this.at = to;
    const result = this.nested(parse);
    this.at = at;
    return result;
  }

  /** `_` is 0, `0_` 1, ... */
  private base62(): number {
    if (this.accept("_")) return 0;
    let value = 0;
    while (!this.accept("_")) {
      const c = this.take();
      const digit = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(c);
      if (digit < 0) throw new NotRust();
      value = value * 62 + digit;
      if (value > Number.MAX_SAFE_INTEGER) value = Number.MAX_SAFE_INTEGER;
    }
    return value + 1;
  }

  private optional62(tag: string): number {
    return this.accept(tag) ? this.base62() + 1 : 0;
  }

  /** `inValue`: generic arguments are written with `::` in front, as in an expression. */
  private path(inValue: boolean): string {
    return this.nested(() => this.made(this.pathOf(this.take(), inValue)));
  }

  private pathOf(tag: string, inValue: boolean): string {
    switch (tag) {
      case "C":
        this.optional62("s");
        return this.identifier();
      case "M":
        this.implPath();
        return `<${this.type()}>`;
      case "X":
        this.implPath();
        return `<${this.type()} as ${this.path(false)}>`;
      case "Y":
        return `<${this.type()} as ${this.path(false)}>`;
      case "N":
        return this.inNamespace(inValue);
      case "I": {
        const path = this.path(inValue);
        const args = this.list(() => this.genericArgument()).join(", ");
        return `${path}${inValue ? "::" : ""}<${args}>`;
      }
      case "B":
        return this.back(() => this.path(inValue));
      default:
        throw new NotRust();
    }
  }

  private implPath(): void {
    this.optional62("s");
    this.path(false);
  }

  private inNamespace(inValue: boolean): string {
    const namespace = this.take();
    if (!/[A-Za-z]/.test(namespace)) throw new NotRust();
    const path = this.path(inValue);
    const number = this.optional62("s");
    const name = this.identifier();
    if (namespace >= "a") return name === "" ? path : `${path}::${name}`;
    const kind = namespace === "C" ? "closure" : namespace === "S" ? "shim" : namespace;
    return `${path}::{${kind}${name === "" ? "" : `:${name}`}#${number}}`;
  }

  private identifier(): string {
    const isEncoded = this.accept("u");
    const digits = /^(?:0|[1-9][0-9]{0,4})/.exec(this.text.slice(this.at, this.at + 5))?.[0];
    if (digits === undefined) throw new NotRust();
    this.at += digits.length;
    this.accept("_");
    const length = Number(digits);
    const bytes = this.text.slice(this.at, this.at + length);
    if (bytes.length !== length) throw new NotRust();
    this.at += length;
    return isEncoded ? decodePunycode(bytes) : bytes;
  }

  private list<T>(parse: () => T): T[] {
    const items: T[] = [];
    while (!this.accept("E")) items.push(parse());
    return items;
  }

  private genericArgument(): string {
    if (this.accept("L")) return this.lifetime(this.base62());
    if (this.accept("K")) return this.constant();
    return this.type();
  }

  /** By how many enclosing binders it is away; 0 is '_. */
  private lifetime(index: number): string {
    if (index === 0) return "'_";
    const depth = this.bound - index;
    if (depth < 0) throw new NotRust();
    return depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`;
  }

  /** `for<'a> ` in front of what the lifetimes are for. */
  private binder(parse: () => string): string {
    const count = this.optional62("G");
    if (count > 100) throw new NotRust();
    const names: string[] = [];
    for (let i = 0; i < count; i++) {
      this.bound++;
      names.push(this.lifetime(1));
    }
    const inner = parse();
    this.bound -= count;
    return names.length === 0 ? inner : `for<${names.join(", ")}> ${inner}`;
  }

  private type(): string {
    return this.nested(() => this.made(this.typeOf(this.take())));
  }

  private typeOf(tag: string): string {
    const basic = Object.hasOwn(basicTypes, tag) ? basicTypes[tag] : undefined;
    if (basic !== undefined) return basic;
    switch (tag) {
      case "A":
        return `[${this.type()}; ${this.constant()}]`;
      case "S":
        return `[${this.type()}]`;
      case "T": {
        const items = this.list(() => this.type());
        return `(${items.join(", ")}${items.length === 1 ? "," : ""})`;
      }
      case "R":
      case "Q": {
        const lifetime = this.accept("L") ? this.base62() : 0;
        const name = lifetime === 0 ? "" : `${this.lifetime(lifetime)} `;
        return `&${name}${tag === "Q" ? "mut " : ""}${this.type()}`;
      }
      case "P":
        return `*const ${this.type()}`;
      case "O":
        return `*mut ${this.type()}`;
      case "F":
        return this.binder(() => this.signature());
      case "D": {
        const traits = this.binder(() => this.list(() => this.dynTrait()).join(" + "));
        if (!this.accept("L")) throw new NotRust();
        const lifetime = this.base62();
        return `dyn ${traits}${lifetime === 0 ? "" : ` + ${this.lifetime(lifetime)}`}`;
      }
      case "B":
        return this.back(() => this.type());
      default:
        this.at--;
        return this.path(false);
    }
  }

  private signature(): string {
    const isUnsafe = this.accept("U");
    let abi: string | undefined;
    if (this.accept("K")) abi = this.accept("C") ? "C" : this.identifier().replaceAll("_", "-");
    const args = this.list(() => this.type()).join(", ");
    const result = this.accept("u") ? "" : ` -> ${this.type()}`;
    return `${isUnsafe ? "unsafe " : ""}${abi === undefined ? "" : `extern "${abi}" `}fn(${args})${result}`;
  }

  /** A trait with the types that it is told: `Iterator<Item = u8>`. */
  private dynTrait(): string {
    let trait = this.path(false);
    const bindings: string[] = [];
    while (this.accept("p")) bindings.push(`${this.identifier()} = ${this.type()}`);
    if (bindings.length === 0) return trait;
    const open = trait.endsWith(">") ? `${trait.slice(0, -1)}, ` : `${trait}<`;
    trait = `${open}${bindings.join(", ")}>`;
    return trait;
  }

  private constant(): string {
    return this.nested(() => {
      if (this.accept("B")) return this.back(() => this.constant());
      const tag = this.take();
      if (tag === "p") return "_";
      const type = Object.hasOwn(basicTypes, tag) ? (basicTypes[tag] ?? "") : "";
      if (/^[iu](?:\d+|size)$/.test(type)) return this.made(`${this.accept("n") ? "-" : ""}${this.hexNumber()}`);
      if (type === "bool") return this.hexNumber() === 0n ? "false" : "true";
      if (type === "char") {
        const point = this.hexNumber();
        if (point > 0x10ffffn) throw new NotRust();
        return `'${String.fromCodePoint(Number(point))}'`;
      }
      throw new NotRust();
    });
  }

  private hexNumber(): bigint {
    const end = this.text.indexOf("_", this.at);
    const digits = end < 0 ? "" : this.text.slice(this.at, end);
    if (!/^[0-9a-f]{0,32}$/.test(digits) || end < 0) throw new NotRust();
    this.at = end + 1;
    return digits === "" ? 0n : BigInt(`0x${digits}`);
  }
}

/** RFC 3492 with `_` where it has `-`. */
function decodePunycode(text: string): string {
  const delimiter = text.lastIndexOf("_");
  const points = delimiter < 0 ? [] : Array.from(text.slice(0, delimiter), (c) => c.charCodeAt(0));
  let at = delimiter + 1;
  let [n, i, bias] = [128, 0, 72];
  for (let isFirst = true; at < text.length; isFirst = false) {
    const before = i;
    let weight = 1;
    for (let k = 36; ; k += 36) {
      const c = text.charCodeAt(at++);
      const digit = c >= 0x61 && c <= 0x7a ? c - 0x61 : c >= 0x30 && c <= 0x39 ? c - 0x30 + 26 : -1;
      if (digit < 0) throw new NotRust();
      i += digit * weight;
      const threshold = Math.min(26, Math.max(1, k - bias));
      if (digit < threshold) break;
      weight *= 36 - threshold;
      if (weight > Number.MAX_SAFE_INTEGER) throw new NotRust();
    }
    const count = points.length + 1;
    let delta = isFirst ? Math.floor((i - before) / 700) : (i - before) >> 1;
    delta += Math.floor(delta / count);
    let k = 0;
    for (; delta > 455; k += 36) delta = Math.floor(delta / 35);
    bias = k + Math.floor((36 * delta) / (delta + 38));
    n += Math.floor(i / count);
    i %= count;
    if (n > 0x10ffff) throw new NotRust();
    points.splice(i++, 0, n);
  }
  return String.fromCodePoint(...points);
}
