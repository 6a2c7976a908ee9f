import { ItaniumExpressions } from "./itanium-expressions.js";
import { appended, type Node, NotMangled, plain, pointerTo, referenceTo, textOf } from "./itanium-node.js";
import { builtinTypes, extendedTypes, standardNames, standardNamesInFull } from "./itanium-tables.js";

/** A candidate for substitution. */
interface Entered {
  readonly node: Node;
  /** Where it stands, if it names a template parameter: in another template it may mean something else. */
  readonly start: number | undefined;
  readonly inLambda: boolean;
  readonly packIndex: number | undefined;
  readonly templateArgs: readonly Node[];
}

/** More than any real name needs; a broken one could read the same again and again. */
const maxReparses = 2000;

/** Types, template arguments and substitutions; names are the subclass's. */
export abstract class ItaniumTypes extends ItaniumExpressions {
  protected readonly substitutions: Entered[] = [];
  /** Template parameters met so far: tells whether a type depends on one. */
  private paramUses = 0;
  private reparses = 0;
  protected templateArgs: readonly Node[] = [];
  /** Which element of a pack is being written; undefined outside of an expansion. */
  private packIndex: number | undefined;
  /** Length of the packs met in the expansion. */
  private packLength: number | undefined;
  protected inLambda = false;

  /** `tag`: template arguments met in it are those that a function's signature refers to. */
  protected abstract name(tag: boolean): Node;

  /** Types up to the end of the function; `v` alone is an empty list. */
  protected params(): string {
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

  protected qualifiers(): string {
    let text = "";
    if (this.take("r")) text = " restrict";
    if (this.take("V")) text = ` volatile${text}`;
    if (this.take("K")) text = ` const${text}`;
    return text;
  }

  protected substitution(): Node {
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
    const isSame = entered.inLambda === this.inLambda && entered.packIndex === this.packIndex;
    return isSame && entered.templateArgs === this.templateArgs ? this.found(node) : this.readAgain(start);
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

  protected enter(node: Node, start?: number): void {
    const { inLambda, packIndex, templateArgs } = this;
    this.substitutions.push({ node, start, inLambda, packIndex, templateArgs });
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

  protected withArgs(name: Node, tag: boolean): Node {
    const args = this.templateArguments(tag);
    // operator<< <int>
    const gap = name.left.endsWith("<") ? " " : "";
    return {
      ...plain(this.checked(textOf(name) + gap + args)),
      template: true,
      ...(name.noReturn ? { noReturn: true } : {}),
    };
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

  protected decltype(): Node {
    this.at += 2;
    const text = this.expression();
    this.expect("E");
    return plain(`decltype (${text})`);
  }
}
