import { ItaniumExpressions } from "./itanium-expressions.js";
import { appended, lastPart, type Node, NotMangled, plain, pointerTo, referenceTo, textOf } from "./itanium-node.js";
import {
  builtinTypes,
  extendedTypes,
  operators,
  specialNames,
  standardNames,
  standardNamesInFull,
} from "./itanium-tables.js";

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

/** A candidate for substitution. */
interface Entered {
  readonly node: Node;
  /** Where it stands, if it names a template parameter: in another template it may mean something else. */
  readonly start: number | undefined;
  readonly inLambda: boolean;
  readonly packIndex: number | undefined;
}

/** More than any real name needs; a broken one could read the same again and again. */
const maxReparses = 2000;

class Demangler extends ItaniumExpressions {
  private readonly substitutions: Entered[] = [];
  /** Template parameters met so far: tells whether a type depends on one. */
  private paramUses = 0;
  private reparses = 0;
  private templateArgs: readonly Node[] = [];
  /** Which element of a pack is being written; undefined outside of an expansion. */
  private packIndex: number | undefined;
  /** Length of the packs met in the expansion. */
  private packLength: number | undefined;
  private inLambda = false;

  whole(): string {
    const text = this.encoding();
    if (this.at !== this.text.length) throw new NotMangled();
    return text;
  }

  /** `inner`: the scope of a local name or an argument of a template, which is written without a return type. */
  private encoding(inner = false): string {
    return this.nested(() => {
      const special = this.specialName();
      if (special !== undefined) return special;
      const saved = this.templateArgs;
      const name = this.name(true);
      const next = this.peek();
      if (next === "" || next === "E") {
        this.templateArgs = saved;
        return textOf(name) + (name.suffix ?? "");
      }
      const returns = name.template === true && name.noReturn !== true ? this.type() : undefined;
      const params = this.params();
      this.templateArgs = saved;
      const declared = `${textOf(name)}(${params})${name.suffix ?? ""}`;
      if (returns === undefined || inner) return this.checked(declared);
      const gap = returns.wraps === undefined && returns.right === "" ? " " : returns.left.endsWith("*") ? "" : " ";
      return this.checked(returns.left + gap + declared + returns.right);
    });
  }

  /** Types up to the end of the function; `v` alone is an empty list. */
  private params(): string {
    const types: Node[] = [];
    while (this.at < this.text.length && this.peek() !== "E") {
      if ((this.peek() === "R" || this.peek() === "O") && this.peek(1) === "E") break;
      types.push(this.type());
    }
    if (types.length === 0) throw new NotMangled();
    return types.length === 1 && types[0]?.left === "void" && types[0].right === "" ? "" : this.list(types);
  }

  protected override list(nodes: readonly Node[]): string {
    const texts: string[] = [];
    for (const node of nodes) {
      if (node.pack === undefined) texts.push(textOf(node));
      else if (node.pack.length > 0) texts.push(this.list(node.pack));
    }
    return this.checked(texts.filter((text) => text !== "").join(", "));
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
  private name(tag: boolean): Node {
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

  private withArgs(name: Node, tag: boolean): Node {
    const args = this.templateArguments(tag);
    // operator<< <int>
    const gap = name.left.endsWith("<") ? " " : "";
    return {
      ...plain(this.checked(textOf(name) + gap + args)),
      template: true,
      ...(name.noReturn ? { noReturn: true } : {}),
    };
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

  private qualifiers(): string {
    let text = "";
    if (this.take("r")) text = " restrict";
    if (this.take("V")) text = ` volatile${text}`;
    if (this.take("K")) text = ` const${text}`;
    return text;
  }

  private substitution(): Node {
    this.expect("S");
    const letter = this.peek();
    const standard = standardNames.get(letter);
    if (standard !== undefined) {
      this.at++;
      const before = this.peek();
      let node = plain(before === "C" || before === "D" ? (standardNamesInFull.get(letter) ?? standard) : standard);
      while (this.take("B")) node = plain(`${node.left}[abi:${this.sourceName()}]`);
      if (node.left.endsWith("]")) this.enter(node);
      return node;
    }
    const entered = this.substitutions[this.sequence()];
    if (entered === undefined) throw new NotMangled();
    const { start, node } = entered;
    if (start === undefined) return this.found(node);
    this.paramUses++;
    if (entered.inLambda === this.inLambda && entered.packIndex === this.packIndex) return this.found(node);
    return this.readAgain(start);
  }

  private readAgain(start: number): Node {
    if (++this.reparses > maxReparses) throw new NotMangled();
    const saved = { at: this.at, entered: this.substitutions.length };
    this.at = start;
    const node = this.type();
    this.at = saved.at;
    this.substitutions.length = saved.entered;
    return node;
  }

  private enter(node: Node, start?: number): void {
    const { inLambda, packIndex } = this;
    this.substitutions.push({ node, start, inLambda, packIndex });
  }

  protected override templateParam(): Node {
    this.expect("T");
    this.paramUses++;
    // The parameters of a generic lambda are its own template's.
    if (this.inLambda) return plain(`auto:${this.sequence() + 1}`);
    return this.found(this.templateArgs[this.sequence()]);
  }

  /** In an expansion a pack stands for one of its elements. */
  private found(node: Node | undefined): Node {
    if (node === undefined) throw new NotMangled();
    if (node.pack === undefined || this.packIndex === undefined) return node;
    this.packLength = node.pack.length;
    return node.pack[this.packIndex] ?? plain("");
  }

  protected override templateArguments(tag: boolean): string {
    this.expect("I");
    return this.nested(() => {
      const saved = this.templateArgs;
      const args: Node[] = [];
      while (!this.take("E")) args.push(this.templateArgument());
      this.templateArgs = tag ? args : saved;
      const list = this.list(args);
      // c++filt looks at what it wrote last, which is nothing for an empty pack.
      const gap = list.endsWith(">") && args.at(-1)?.pack?.length !== 0;
      return `<${list}${gap ? " " : ""}>`;
    });
  }

  private templateArgument(): Node {
    switch (this.peek()) {
      case "L":
        return plain(this.literal());
      case "X": {
        this.at++;
        const text = this.expression();
        this.expect("E");
        return plain(text);
      }
      case "J": {
        this.at++;
        const pack: Node[] = [];
        while (!this.take("E")) pack.push(this.templateArgument());
        return { left: "", right: "", pack };
      }
      default:
        return this.type();
    }
  }

  protected override type(): Node {
    return this.nested(() => {
      const { at: start, paramUses: uses } = this;
      const letter = this.peek();
      const builtin = builtinTypes.get(letter);
      if (builtin !== undefined) {
        this.at++;
        return plain(builtin);
      }
      if (letter === "S" && this.peek(1) !== "t") {
        const node = this.substitution();
        if (this.peek() !== "I") return node;
        return this.remember(this.withArgs(node, false), start, uses);
      }
      if (letter === "D") {
        const extended = extendedTypes.get(this.peek(1));
        if (extended !== undefined) {
          this.at += 2;
          return plain(extended);
        }
      }
      return this.remember(this.compoundType(letter), start, uses);
    });
  }

  private remember(node: Node, start: number, uses: number): Node {
    this.checked(node.left);
    this.enter(node, this.paramUses === uses ? undefined : start);
    return node;
  }

  private compoundType(letter: string): Node {
    switch (letter) {
      case "r":
      case "V":
      case "K":
        return this.qualifiedType();
      case "P":
        this.at++;
        return pointerTo(this.type(), "*");
      case "R":
        this.at++;
        return referenceTo(this.type(), "&");
      case "O":
        this.at++;
        return referenceTo(this.type(), "&&");
      case "F":
        return this.functionType("");
      case "A":
        return this.arrayType();
      case "M": {
        this.at++;
        const scope = textOf(this.type());
        return pointerTo(this.type(), `${scope}::*`);
      }
      case "T": {
        const start = this.at;
        if (/[sue]/.test(this.peek(1))) {
          // An elaborated type: Ts struct, Tu union, Te enum.
          this.at += 2;
          return this.name(false);
        }
        const param = this.templateParam();
        if (this.peek() !== "I") return param;
        this.enter(param, start);
        return this.withArgs(param, false);
      }
      case "C":
        this.at++;
        return appended(this.type(), " _Complex");
      case "G":
        this.at++;
        return appended(this.type(), " _Imaginary");
      case "U": {
        this.at++;
        const qualifier = this.sourceName();
        const args = this.peek() === "I" ? this.templateArguments(false) : "";
        return appended(this.type(), ` ${qualifier}${args}`);
      }
      case "u":
        this.at++;
        return plain(this.sourceName());
      case "D":
        return this.otherType();
      default:
        return this.name(false);
    }
  }

  private qualifiedType(): Node {
    const qualifiers = this.qualifiers();
    if (this.peek() === "F") return this.functionType(qualifiers);
    return appended(this.type(), qualifiers);
  }

  private functionType(qualifiers: string): Node {
    const noexcept = this.take("Do") ? " noexcept" : "";
    this.expect("F");
    this.take("Y");
    const returns = this.type();
    const params = this.params();
    const reference = this.take("R") ? " &" : this.take("O") ? " &&" : "";
    this.expect("E");
    // A function that returns a pointer to a function: `void (*(int))(char)`.
    const left = returns.left + (returns.right !== "" || returns.left.endsWith(" ") ? "" : " ");
    return { left, right: `(${params})${qualifiers}${reference}${noexcept}${returns.right}`, wraps: "function" };
  }

  private arrayType(): Node {
    this.expect("A");
    let size = "";
    if (/\d/.test(this.peek())) size = this.number();
    else if (this.peek() !== "_") size = this.expression();
    this.expect("_");
    const of = this.type();
    const inner = of.wraps === "array" ? of.right.trimStart() : of.right;
    return { left: of.left, right: ` [${size}]${inner}`, wraps: "array" };
  }

  private otherType(): Node {
    switch (this.peek(1)) {
      case "p":
        this.at += 2;
        return this.expansion();
      case "t":
      case "T":
        return this.decltype();
      case "o":
        return this.functionType("");
      case "v": {
        this.at += 2;
        const size = /\d/.test(this.peek()) ? this.number() : this.expression();
        this.expect("_");
        return appended(this.type(), ` __vector(${size})`);
      }
      case "F": {
        this.at += 2;
        const bits = this.number();
        return plain(this.take("b") ? `std::bfloat${bits}_t` : this.take("x") ? `_Float${bits}x` : this.float(bits));
      }
      case "B":
      case "U": {
        const unsigned = this.peek(1) === "U";
        this.at += 2;
        const bits = this.number();
        this.expect("_");
        return plain(`${unsigned ? "unsigned " : ""}_BitInt(${bits})`);
      }
      default:
        throw new NotMangled();
    }
  }

  private float(bits: string): string {
    this.expect("_");
    return `_Float${bits}`;
  }

  /** `Dp`: the pattern is read once for each element of the pack in it. */
  private expansion(): Node {
    const saved = { index: this.packIndex, length: this.packLength };
    const start = this.at;
    this.packIndex = 0;
    this.packLength = undefined;
    const first = this.type();
    const length: number = this.packLength ?? -1;
    const end = this.at;
    const entered = this.substitutions.length;
    const pack: Node[] = length === 0 ? [] : [first];
    for (let i = 1; i < length; i++) {
      this.at = start;
      this.packIndex = i;
      pack.push(this.type());
      if (pack.length > 1000) throw new NotMangled();
    }
    this.at = end;
    this.substitutions.length = entered;
    this.packIndex = saved.index;
    this.packLength = saved.length;
    // No pack inside: it is one of a template that is not instantiated.
    return length < 0 ? appended(first, "...") : { left: "", right: "", pack };
  }

  private decltype(): Node {
    this.at += 2;
    const text = this.expression();
    this.expect("E");
    return plain(`decltype (${text})`);
  }

  /** A function or variable as template argument: of a function only the name is written. */
  protected override nameOfLiteral(): string {
    const saved = this.templateArgs;
    const name = this.name(true);
    if (this.peek() !== "E") {
      if (name.template === true && name.noReturn !== true) this.type();
      this.params();
    }
    this.templateArgs = saved;
    this.expect("E");
    return textOf(name);
  }
}
