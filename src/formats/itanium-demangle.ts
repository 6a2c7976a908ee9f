import { lastPart, type Node, NotMangled, plain, textOf } from "./itanium-node.js";
import { operators, specialNames } from "./itanium-tables.js";
import { ItaniumTypes } from "./itanium-types.js";

/**
 * The C++ declaration that a mangled name stands for, in the form of c++filt: `_ZN3foo3barEiPKc` is
 * `foo::bar(int, char const*)`. Undefined for what is no mangled name, or uses a part of the grammar (Itanium C++ ABI 5.1)
 * that is not known here: some expressions, C++20 constraints and modules.
 */
export function demangle(mangled: string): string | undefined {
  // Some linkers and Mach-O add an underscore.
  const start = mangled.startsWith("_Z") ? 2 : mangled.startsWith("__Z") ? 3 : -1;
  if (start < 0) return undefined;
  // GCC appends what it did to the function: foo.isra.0, foo.part.1.cold
  const dot = mangled.indexOf(".", start);
  const body = dot < 0 ? mangled : mangled.slice(0, dot);
  try {
    const text = new Demangler(body, start).whole();
    if (dot < 0) return text;
    return text + cloneSuffix(mangled.slice(dot));
  } catch (error) {
    if (error instanceof NotMangled) return undefined;
    throw error;
  }
}

/** `.isra.0.cold` -> ` [clone .isra.0] [clone .cold]` */
function cloneSuffix(suffix: string): string {
  const parts = suffix.match(/\.[a-zA-Z_]+(?:\.\d+)*|\.\d+(?:\.\d+)*/g) ?? [];
  return parts.join("") === suffix ? parts.map((part) => ` [clone ${part}]`).join("") : ` [clone ${suffix}]`;
}

class Demangler extends ItaniumTypes {
  whole(): string {
    const text = this.encoding();
    if (this.at !== this.text.length) throw new NotMangled();
    return text;
  }

  /** `inner`: the scope of a local name, which is written without a return type. */
  private encoding(inner = false): string {
    return this.declaration(inner).text;
  }

  /** What is declared, and the whole declaration; of a variable both are the same. */
  private declaration(inner: boolean): { readonly name: Node; readonly text: string; readonly isFunction: boolean } {
    return this.nested(() => {
      const special = this.specialName();
      if (special !== undefined) return { name: plain(special), text: special, isFunction: false };
      const saved = this.templateArgs;
      const name = this.name(true);
      const next = this.peek();
      if (next === "" || next === "E") {
        this.templateArgs = saved;
        return { name, text: textOf(name) + (name.suffix ?? ""), isFunction: false };
      }
      const returns = name.template === true && name.noReturn !== true ? this.type() : undefined;
      const params = this.params();
      this.templateArgs = saved;
      const declared = `${textOf(name)}(${params})${name.suffix ?? ""}`;
      if (returns === undefined || inner) return { name, text: this.checked(declared), isFunction: true };
      const gap = returns.wraps === undefined && returns.right === "" ? " " : returns.left.endsWith("*") ? "" : " ";
      return { name, text: this.checked(returns.left + gap + declared + returns.right), isFunction: true };
    });
  }

  private specialName(): string | undefined {
    const special = specialNames.get(this.text.slice(this.at, this.at + 2));
    if (special !== undefined) {
      this.at += 2;
      const { prefix, of } = special;
      return prefix + (of === "encoding" ? this.encoding() : textOf(of === "type" ? this.type() : this.name(false)));
    }
    if (this.take("Th")) {
      this.callOffset("h");
      return `non-virtual thunk to ${this.encoding()}`;
    }
    if (this.take("Tv")) {
      this.callOffset("v");
      return `virtual thunk to ${this.encoding()}`;
    }
    if (this.take("Tc")) {
      this.callOffset(this.next());
      this.callOffset(this.next());
      return `covariant return thunk to ${this.encoding()}`;
    }
    if (this.take("TC")) {
      const derived = textOf(this.type());
      this.number();
      this.expect("_");
      return `construction vtable for ${textOf(this.type())}-in-${derived}`;
    }
    if (this.take("GR")) {
      const name = textOf(this.name(false));
      const number = this.sequence();
      return `reference temporary #${number} for ${name}`;
    }
    if (this.take("GTt")) return `transaction clone for ${this.encoding()}`;
    return undefined;
  }

  private callOffset(kind: string): void {
    if (kind !== "h" && kind !== "v") throw new NotMangled();
    this.number();
    this.expect("_");
    if (kind === "h") return;
    this.number();
    this.expect("_");
  }

  /** `tag`: template arguments met here are those that the function's signature refers to. */
  protected override name(tag: boolean): Node {
    return this.nested(() => {
      if (this.take("N")) return this.nestedName(tag);
      if (this.take("Z")) return this.localName(tag);
      let name: Node;
      if (this.peek() === "S" && this.peek(1) !== "t") {
        name = this.substitution();
        if (this.peek() !== "I") throw new NotMangled();
        return this.withArgs(name, tag);
      }
      const inStd = this.take("St");
      name = this.unqualified("");
      if (inStd) name = { ...name, left: `std::${name.left}` };
      if (this.peek() !== "I") return name;
      this.enter(name);
      return this.withArgs(name, tag);
    });
  }

  private nestedName(tag: boolean): Node {
    const qualifiers = this.qualifiers();
    const reference = this.take("O") ? " &&" : this.take("R") ? " &" : "";
    let sofar: Node | undefined;
    let pushed = false;
    while (!this.take("E")) {
      pushed = true;
      const next = this.peek();
      if (next === "S" && sofar === undefined && this.peek(1) !== "t") {
        sofar = this.substitution();
        pushed = false;
        continue;
      }
      if (next === "S" && sofar === undefined) {
        this.at += 2;
        sofar = plain("std");
        pushed = false;
        continue;
      }
      if (next === "T" && sofar === undefined) sofar = this.templateParam();
      else if (next === "D" && (this.peek(1) === "t" || this.peek(1) === "T") && sofar === undefined)
        sofar = this.decltype();
      else if (next === "I" && sofar !== undefined) sofar = this.withArgs(sofar, tag);
      else if (next === "M") {
        // The variable that a lambda initialises: its name is a prefix already.
        this.at++;
        continue;
      } else {
        const part = this.unqualified(sofar === undefined ? "" : textOf(sofar));
        const { noReturn } = part;
        const text: string = sofar === undefined ? textOf(part) : `${textOf(sofar)}::${textOf(part)}`;
        sofar = { ...plain(this.checked(text)), ...(noReturn ? { noReturn } : {}) };
      }
      this.enter(sofar);
    }
    if (sofar === undefined) throw new NotMangled();
    // The last prefix is the name itself, which is no candidate (as a type it is entered by type()).
    if (pushed) this.substitutions.pop();
    const suffix = qualifiers + reference;
    return suffix === "" ? sofar : { ...sofar, suffix };
  }

  private localName(tag: boolean): Node {
    const outer = this.encoding(true);
    this.expect("E");
    if (this.take("s")) {
      this.discriminator();
      return plain(`${outer}::string literal`);
    }
    let prefix = `${outer}::`;
    if (this.take("d")) {
      const number = this.peek() === "_" ? 0 : Number(this.number()) + 1;
      this.expect("_");
      prefix += `{default arg#${number + 1}}::`;
    }
    const inner = this.name(tag);
    this.discriminator();
    return { ...inner, left: this.checked(prefix + inner.left) };
  }

  private discriminator(): void {
    const match = /^(?:__\d+_|_\d)/.exec(this.text.slice(this.at, this.at + 16));
    if (match !== null) this.at += match[0].length;
  }

  /** `scope` is what stands before it: constructors repeat its last part. */
  protected override unqualified(scope: string): Node {
    this.take("L");
    const next = this.peek();
    let node: Node;
    if (next >= "0" && next <= "9") node = plain(this.sourceName());
    else if (next === "C" || (next === "D" && /[0-5]/.test(this.peek(1)))) node = this.constructorName(scope);
    else if (next === "U") node = this.unnamed();
    else if (next === "D" && this.peek(1) === "C") node = this.structuredBinding();
    else node = this.operatorName();
    while (this.take("B")) node = { ...node, left: `${node.left}[abi:${this.sourceName()}]` };
    return node;
  }

  private constructorName(scope: string): Node {
    const destructor = this.next() === "D";
    const inherited = !destructor && this.take("I");
    if (!/[0-5]/.test(this.next()) || scope === "") throw new NotMangled();
    if (inherited) this.type();
    const name = lastPart(scope);
    return { ...plain(destructor ? `~${name}` : name), noReturn: true };
  }

  private unnamed(): Node {
    if (this.take("Ut")) {
      const number = this.peek() === "_" ? 0 : Number(this.number()) + 1;
      this.expect("_");
      return plain(`{unnamed type#${number + 1}}`);
    }
    this.expect("Ul");
    const outer = this.inLambda;
    this.inLambda = true;
    const params = this.params();
    this.inLambda = outer;
    this.expect("E");
    const number = this.peek() === "_" ? 0 : Number(this.number()) + 1;
    this.expect("_");
    return plain(`{lambda(${params})#${number + 1}}`);
  }

  private structuredBinding(): Node {
    this.expect("DC");
    const names: string[] = [];
    while (!this.take("E")) names.push(this.sourceName());
    return plain(`[${names.join(", ")}]`);
  }

  protected override operatorName(): Node {
    if (this.take("cv")) return { ...plain(`operator ${textOf(this.type())}`), noReturn: true };
    if (this.take("li")) return plain(`operator"" ${this.sourceName()}`);
    if (this.peek() === "v" && /\d/.test(this.peek(1))) {
      this.at += 2;
      return plain(`operator ${this.sourceName()}`);
    }
    const operator = operators.get(this.text.slice(this.at, this.at + 2));
    if (operator === undefined) throw new NotMangled();
    this.at += 2;
    return plain(`operator${operator.text}`);
  }

  /**
   * A function or variable as template argument. As c++filt has it, of a member function or one of a namespace that is no
   * template the address is its name, of others it is all of it in parentheses.
   */
  protected override entity(isAddress: boolean): string {
    const isQualified = this.peek() === "N" || this.text.startsWith("St", this.at);
    const { name, text, isFunction } = this.declaration(false);
    this.expect("E");
    if (!isAddress) return text;
    const isPlain = name.template !== true && name.suffix === undefined && (isQualified || !isFunction);
    return isPlain ? textOf(name) : `(${text})`;
  }
}
