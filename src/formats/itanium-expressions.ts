import { ItaniumCursor } from "./itanium-cursor.js";
import { type Node, NotMangled, plain, textOf } from "./itanium-node.js";
import { literalSuffixes, operators } from "./itanium-tables.js";

/** The expressions and literals of template arguments and decltype; names and types are the subclass's. */
export abstract class ItaniumExpressions extends ItaniumCursor {
  protected abstract type(): Node;
  protected abstract unqualified(scope: string): Node;
  protected abstract operatorName(): Node;
  protected abstract templateParam(): Node;
  protected abstract templateArguments(tag: boolean): string;
  protected abstract list(nodes: readonly Node[]): string;
  /** `_Z NAME TYPES E` as an argument, or its address. */
  protected abstract entity(isAddress: boolean): string;

  protected literal(): string {
    this.expect("L");
    if (this.take("_Z")) return this.entity(false);
    const type = textOf(this.type());
    const end = this.text.indexOf("E", this.at);
    if (end < 0) throw new NotMangled();
    const value = this.text.slice(this.at, end).replace("n", "-");
    this.at = end + 1;
    if (type === "bool" && (value === "0" || value === "1")) return value === "1" ? "true" : "false";
    if (type === "decltype(nullptr)" && (value === "" || value === "0")) return "(decltype(nullptr))0";
    if (!/^-?\d+$/.test(value)) {
      if (/^[0-9a-f]+$/.test(value)) return `(${type})[${value}]`;
      throw new NotMangled();
    }
    const suffix = literalSuffixes.get(type);
    return suffix === undefined ? `(${type})${value}` : value + suffix;
  }

  protected expression(): string {
    return this.checked(this.nested(() => this.anyExpression()));
  }

  protected anyExpression(): string {
    const letter = this.peek();
    if (letter === "L") return this.literal();
    if (letter === "T") return this.packText(this.templateParam());
    if (/\d/.test(letter)) {
      const name = this.sourceName();
      return this.peek() === "I" ? name + this.templateArguments(false) : name;
    }
    const code = this.text.slice(this.at, this.at + 2);
    if (code === "fp" || code === "fL") return this.functionParam();
    this.at += 2;
    switch (code) {
      case "on": {
        const name = textOf(this.operatorName());
        return this.peek() === "I" ? name + this.templateArguments(false) : name;
      }
      case "st":
        return `sizeof (${textOf(this.type())})`;
      case "sz":
        return `sizeof (${this.expression()})`;
      case "sZ":
        return this.sizeofPack();
      case "sp":
        return this.packText(this.packExpression());
      case "at":
        return `alignof (${textOf(this.type())})`;
      case "sr":
        return this.scopeResolution();
      case "cl":
        return this.call();
      case "cv": {
        const type = textOf(this.type());
        if (!this.take("_")) return `(${type})(${this.expression()})`;
        return `(${type})(${this.expressions()})`;
      }
      case "tl":
        return `${textOf(this.type())}{${this.expressions()}}`;
      case "il":
        return `{${this.expressions()}}`;
      case "sc":
      case "dc":
      case "rc":
      case "cc":
        return this.namedCast(code);
      case "dt":
        return `${this.operand()}.${this.expression()}`;
      case "nx":
        return `noexcept(${this.expression()})`;
      default:
        return this.operatorExpression(code);
    }
  }

  protected packText(node: Node): string {
    return node.pack === undefined ? textOf(node) : this.list(node.pack);
  }

  protected sizeofPack(): string {
    if (this.peek() !== "T") return `sizeof...(${this.expression()})`;
    const pack = this.templateParam();
    return pack.pack === undefined ? `sizeof...(${textOf(pack)})` : pack.pack.length.toString();
  }

  protected packExpression(): Node {
    return this.peek() === "T" ? this.templateParam() : plain(`${this.operand()}...`);
  }

  protected functionParam(): string {
    const match = /^f(?:L\d+)?p[rVK]*(\d*)_|^fpT/.exec(this.text.slice(this.at, this.at + 20));
    if (match === null) throw new NotMangled();
    this.at += match[0].length;
    if (match[0] === "fpT") return "this";
    return `{parm#${match[1] === "" ? 1 : Number(match[1]) + 2}}`;
  }

  protected scopeResolution(): string {
    let scope: string;
    if (/\d/.test(this.peek())) {
      // Plain names up to an E; they are no candidates for substitution.
      scope = this.simpleId();
      while (!this.take("E")) scope += `::${this.simpleId()}`;
    } else if (this.take("N")) {
      scope = textOf(this.type());
      while (!this.take("E")) scope += `::${this.simpleId()}`;
    } else scope = textOf(this.type());
    const name = textOf(this.unqualified(scope));
    return `${scope}::${name}${this.peek() === "I" ? this.templateArguments(false) : ""}`;
  }

  private simpleId(): string {
    const name = this.sourceName();
    return this.peek() === "I" ? name + this.templateArguments(false) : name;
  }

  protected call(): string {
    const called = this.operand();
    return `${called}(${this.expressions()})`;
  }

  protected expressions(): string {
    const parts: string[] = [];
    while (!this.take("E")) parts.push(this.expression());
    return parts.filter((part) => part !== "").join(", ");
  }

  protected namedCast(code: string): string {
    const name = { sc: "static", dc: "dynamic", rc: "reinterpret", cc: "const" }[code] ?? "";
    const type = textOf(this.type());
    return `${name}_cast<${type}>(${this.expression()})`;
  }

  protected operatorExpression(code: string): string {
    const operator = operators.get(code);
    if (operator === undefined) throw new NotMangled();
    const { text, operands } = operator;
    if (code === "ix") return `${this.operand()}[${this.expression()}]`;
    if (code === "qu") return `${this.operand()}?${this.operand()} : ${this.operand()}`;
    if (code === "pt") return `${this.operand()}->${this.expression()}`;
    if (code === "ad" && this.take("L_Z")) return `&${this.entity(true)}`;
    if (operands === 1) {
      if ((code === "pp" || code === "mm") && !this.take("_")) return `${this.operand()}${text}`;
      return `${text}${this.operand()}`;
    }
    if (operands !== 2) throw new NotMangled();
    const joined = `${this.operand()}${text}${this.operand()}`;
    // A bare > would end the template's arguments.
    return code === "gt" ? `(${joined})` : joined;
  }

  /** In parentheses unless it is a name or a number. */
  protected operand(): string {
    const next = this.peek();
    const simple =
      next === "L" || next === "T" || /\d/.test(next) || /^(?:fp|sr)/.test(this.text.slice(this.at, this.at + 2));
    const text = this.expression();
    return simple && !text.startsWith("(") ? text : `(${text})`;
  }
}
