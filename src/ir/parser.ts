import { FormatError } from "../base/errors.js";
import type { Block, BlockId, CmpOp, Edge, IrFunction, IrInstr, Slot, SlotId, Terminator, Value } from "./ir.js";
import { binFold, cmpFold, ops } from "./ops.js";

const atomics: ReadonlySet<string> = new Set(["add", "or", "and", "xor", "xchg"]);
const words: Readonly<Record<string, (word: string) => boolean>> = {
  bin: (word) => Object.hasOwn(binFold, word),
  cmp: (word) => Object.hasOwn(cmpFold, word),
  atomic: (word) => atomics.has(word),
};

/** Reads the functions that {@link printIr} wrote; `#` starts a comment. Anything else is a FormatError. */
export function parseIr(text: string): IrFunction[] {
  const lines = new Lines(text);
  const functions: IrFunction[] = [];
  while (!lines.done) functions.push(parseFunction(lines));
  return functions;
}

class Lines {
  private readonly lines: { readonly text: string; readonly number: number }[];
  private at = 0;

  constructor(text: string) {
    this.lines = text
      .split("\n")
      .map((line, i) => ({ text: line.replace(/^\s*#.*$/, "").trim(), number: i + 1 }))
      .filter((line) => line.text !== "");
  }

  get done(): boolean {
    return this.at >= this.lines.length;
  }

  get peek(): string {
    return this.lines[this.at]?.text ?? "";
  }

  next(): string {
    const line = this.lines[this.at++];
    if (line === undefined) throw new FormatError("IR: the text ends inside a function");
    return line.text;
  }

  fail(what: string): never {
    throw new FormatError(`IR: line ${this.lines[Math.max(0, this.at - 1)]?.number ?? 0}: ${what}`);
  }
}

function parseFunction(lines: Lines): IrFunction {
  const head = /^(program|subprogram) ("(?:[^"\\]|\\.)*")(?: \((\d{1,6}(?:, \d{1,6})*)\))? \{$/.exec(lines.next());
  if (head === null) lines.fail('expected `program "name" {`');
  const name = parseName(head[2] ?? "", lines);
  const slots: Slot[] = [];
  const blocks: Block[] = [];
  const counter = { values: 0 };
  for (;;) {
    const slot = /^s(\d{1,6}) = (\d{1,6}) align ([1248]) ("(?:[^"\\]|\\.)*")$/.exec(lines.peek);
    if (slot === null) break;
    lines.next();
    const align = Number(slot[3]) as Slot["align"];
    slots.push({ id: Number(slot[1]) as SlotId, size: Number(slot[2]), align, name: parseName(slot[4] ?? "", lines) });
  }
  while (lines.peek !== "}") blocks.push(parseBlock(lines, counter));
  lines.next();
  const kind = head[1] === "program" ? "program" : "subprogram";
  if (blocks.length === 0) lines.fail("a function without blocks");
  const pointsTo = head[3]?.split(", ").map(Number);
  return { name, kind, pointsTo, slots, blocks, values: counter.values };
}

function parseBlock(lines: Lines, counter: { values: number }): Block {
  const cursor = new Cursor(lines.next(), lines, counter);
  const id = cursor.blockId();
  const params = cursor.valueList();
  cursor.expect(":");
  cursor.end();
  const instrs: IrInstr[] = [];
  for (;;) {
    const line = new Cursor(lines.next(), lines, counter);
    const end = line.terminator();
    if (end !== undefined) return { id, params, instrs, end };
    instrs.push(line.instr());
  }
}

function parseName(json: string, lines: Lines): string {
  try {
    return String(JSON.parse(json));
  } catch {
    return lines.fail(`${json} is no string`);
  }
}

/** Reads one line from left to right. */
class Cursor {
  private rest: string;
  private readonly lines: Lines;
  private readonly counter: { values: number };

  constructor(text: string, lines: Lines, counter: { values: number }) {
    this.rest = text;
    this.lines = lines;
    this.counter = counter;
  }

  private take(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.rest);
    if (found === null) return undefined;
    this.rest = this.rest.slice(found[0].length).trimStart();
    return found[1] ?? found[0];
  }

  private need(pattern: RegExp, what: string): string {
    return this.take(pattern) ?? this.lines.fail(`expected ${what} at \`${this.rest}\``);
  }

  expect(text: string): void {
    if (!this.rest.startsWith(text)) this.lines.fail(`expected \`${text}\` at \`${this.rest}\``);
    this.rest = this.rest.slice(text.length).trimStart();
  }

  end(): void {
    if (this.rest !== "") this.lines.fail(`unexpected \`${this.rest}\``);
  }

  private value(): Value {
    const value = Number(this.need(/^%(\d{1,9})/, "a value")) as Value;
    this.counter.values = Math.max(this.counter.values, value + 1);
    return value;
  }

  blockId(): BlockId {
    return Number(this.need(/^b(\d{1,9})/, "a block")) as BlockId;
  }

  valueList(): Value[] {
    this.expect("(");
    const values: Value[] = [];
    while (!this.rest.startsWith(")")) {
      if (values.length > 0) this.expect(",");
      values.push(this.value());
    }
    this.expect(")");
    return values;
  }

  private edge(): Edge {
    return { block: this.blockId(), args: this.valueList() };
  }

  terminator(): Terminator | undefined {
    const span = undefined;
    if (this.take(/^jump\b/) !== undefined) {
      const to = this.edge();
      this.end();
      return { op: "jump", span, to };
    }
    if (this.take(/^ret\b/) !== undefined) {
      const value = this.value();
      this.end();
      return { op: "ret", span, value };
    }
    const cmp = this.take(/^branch\.(\w+)/);
    if (cmp === undefined) return undefined;
    if (!Object.hasOwn(cmpFold, cmp)) this.lines.fail(`no comparison \`${cmp}\``);
    const a = this.value();
    this.expect(",");
    const b = this.value();
    this.expect(",");
    const thenEdge = this.edge();
    this.expect(",");
    const elseEdge = this.edge();
    const likely = this.take(/^likely (then|else)/);
    this.end();
    const branch = { op: "branch", span, cmp: cmp as CmpOp, a, b, then: thenEdge, else: elseEdge } as const;
    return likely === undefined ? branch : { ...branch, likely: likely === "then" ? "then" : "else" };
  }

  instr(): IrInstr {
    const dst = this.rest.startsWith("%") ? this.value() : undefined;
    if (dst !== undefined) this.expect("=");
    const [op = "", ...modifiers] = this.need(/^[a-z0-9]+(?:\.[a-z0-9]+)*/, "an operation").split(".");
    if (!Object.hasOwn(ops, op)) this.lines.fail(`no operation \`${op}\``);
    const row = ops[op as IrInstr["op"]];
    if (row.result !== "maybe" && (dst !== undefined) !== (row.result === "always")) {
      this.lines.fail(`${op} has ${row.result === "always" ? "a" : "no"} result`);
    }
    const fields: Record<string, unknown> = { op, span: undefined, ...(row.result === "never" ? {} : { dst }) };
    for (const [name, kind] of row.modifiers) {
      if (kind === "flag") fields[name] = modifiers[0] === name && modifiers.shift() !== undefined;
      else fields[name] = this.modifier(name, kind, modifiers.shift() ?? "");
    }
    if (modifiers.length > 0) this.lines.fail(`unknown modifier \`${modifiers[0]}\``);
    row.fields.forEach(([name, kind], i) => {
      if (kind === "values") {
        const values: Value[] = [];
        while (this.rest !== "") {
          if (i + values.length > 0) this.expect(",");
          values.push(this.value());
        }
        fields[name] = values;
        return;
      }
      if (i > 0) this.expect(",");
      fields[name] = this.field(kind);
    });
    this.end();
    // The table names exactly the fields of each operation (ops.test.ts holds it against the builder's output).
    return fields as unknown as IrInstr;
  }

  private modifier(name: string, kind: "word" | "width", text: string): string | number {
    if (kind === "width") {
      if (!/^[1248]$/.test(text)) this.lines.fail(`\`${text}\` is no width`);
      return Number(text);
    }
    if (!(words[name]?.(text) ?? false)) this.lines.fail(`\`${text}\` is no ${name}`);
    return text;
  }

  private field(kind: "value" | "bigint" | "number" | "name" | "slot"): Value | bigint | number | string {
    switch (kind) {
      case "value":
        return this.value();
      case "bigint":
        return BigInt.asIntN(64, BigInt(this.need(/^-?\d{1,20}/, "a number")));
      case "number":
        return Number(this.need(/^-?\d{1,10}/, "a number"));
      case "slot":
        return Number(this.need(/^s(\d{1,6})/, "a slot")) as SlotId;
      case "name":
        return parseName(this.need(/^"(?:[^"\\]|\\.)*"/, "a string"), this.lines);
    }
  }
}
