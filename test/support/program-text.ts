// A program as a script has it.
import { type Expression, i64, type Program, type Statement, type Text, type Tuple, typeName } from "./program-ast.js";

/** What a script calls the program's maps and arguments; several programs of one script must have maps of their own. */
export interface Names {
  readonly map: (name: string) => string;
  readonly argument: (index: number) => string;
}

const plain: Names = { map: (name) => name, argument: (index) => `arg${index}` };

/** The statements of an action. */
export function programText({ body, types }: Program, names: Names = plain): string {
  return new Writer(names, types).statements(body);
}

class Writer {
  private readonly names: Names;
  private readonly types: Program["types"];

  constructor(names: Names, types: Program["types"]) {
    this.names = names;
    this.types = types;
  }

  statements(body: readonly Statement[]): string {
    return body.map((statement) => this.statement(statement)).join(" ");
  }

  private entry(map: string, key: readonly Expression[]): string {
    const name = this.names.map(map);
    return key.length === 0 ? name : `${name}[${key.map((part) => this.expression(part)).join(", ")}]`;
  }

  private text(e: Text): string {
    switch (e.kind) {
      case "words":
        return JSON.stringify(e.value);
      case "text-variable":
        return e.name;
      case "text-entry":
        return this.entry(e.map, [e.key]);
    }
  }

  private tuple(e: Tuple): string {
    return e.kind === "tuple-variable" ? e.name : this.list(e.items);
  }

  private list(items: readonly Expression[]): string {
    return `(${items.map((item) => this.expression(item)).join(", ")})`;
  }

  private expression(e: Expression): string {
    const of = (each: Expression): string => this.expression(each);
    switch (e.kind) {
      case "literal":
        return e.hex ? `0x${e.value.toString(16)}` : `${e.value}`;
      case "argument":
        return this.names.argument(e.index);
      case "variable":
        return e.name;
      case "entry":
        return this.entry(e.map, e.key);
      case "unary":
        return `(${e.op}${of(e.of)})`;
      case "cast":
        return `((${typeName(e.type)})${of(e.of)})`;
      case "binary":
      case "logical":
        return `(${of(e.left)} ${e.op} ${of(e.right)})`;
      case "choice":
        return e.form === "?:"
          ? `(${of(e.condition)} ? ${of(e.yes)} : ${of(e.no)})`
          : `(if (${of(e.condition)}) { ${of(e.yes)} } else { ${of(e.no)} })`;
      case "or-else":
        return `(${of(e.value)} ?: ${of(e.no)})`;
      case "step": {
        const [place, op] = [of(e.place), e.by === 1 ? "++" : "--"];
        return `(${e.prefix ? op + place : place + op})`;
      }
      case "same-text":
        return `(${this.text(e.left)} ${e.equal ? "==" : "!="} ${this.text(e.right)})`;
      case "item":
        return `(${this.tuple(e.tuple)}.${e.index})`;
      case "same-tuple":
        return `(${this.list(e.left)} ${e.equal ? "==" : "!="} ${this.list(e.right)})`;
      case "block":
        return `({ ${this.statements(e.body)} ${of(e.value)} })`;
    }
  }

  private statement(s: Statement): string {
    const of = (each: Expression): string => this.expression(each);
    switch (s.kind) {
      case "assign":
        return `${of(s.place)} ${s.op}= ${of(s.value)};`;
      case "let":
        return `let ${s.name}${s.typed ? `: ${typeName(this.types.get(s.name) ?? i64)}` : ""} = ${of(s.value)};`;
      case "effect":
        return `${of(s.step).slice(1, -1)};`;
      case "set-text":
        return `${this.text(s.to)} = ${this.text(s.value)};`;
      case "set-tuple":
        return `${s.name} = ${this.list(s.items)};`;
      case "if": {
        const otherwise = s.no.length === 0 ? "" : ` else { ${this.statements(s.no)} }`;
        return `if (${of(s.condition)}) { ${this.statements(s.yes)} }${otherwise}`;
      }
      case "leave":
        return `if (${of(s.condition)}) { ${s.how}; }`;
      case "unroll":
        return `unroll (${s.times}) { ${this.statements(s.body)} }`;
      case "range":
        return `for (${s.variable} : (${s.from})..(${s.to})) { ${this.statements(s.body)} }`;
      case "while":
        return `${s.variable} = 0; while (${s.variable}++ < ${s.times}) { ${this.statements(s.body)} }`;
    }
  }
}
