import { assertNever } from "../base/assert-never.js";
import type { MapAccess, TypedArg, TypedExpr, TypedProgram, TypedStatement } from "../language/typed.js";

/**
 * Variables that some way through the program reads before they are assigned: `if (c) { $s = comm; } print($s)`. They
 * begin as zeros; the others need not be written twice.
 */
export const variablesReadUnset = (program: TypedProgram): ReadonlySet<string> => readUnset(program, true);

/** The same with those that are declared, as zeros. */
export const variablesReadUnassigned = (program: TypedProgram): ReadonlySet<string> => readUnset(program, false);

function readUnset(program: TypedProgram, declaringSets: boolean): ReadonlySet<string> {
  const walk = new Walk(declaringSets);
  const set = new Set<string>();
  if (program.predicate !== undefined) walk.expression(program.predicate, set);
  walk.block(program.body, set);
  return walk.unset;
}

/** `set` is what is assigned at that point on every way to it. */
class Walk {
  readonly unset = new Set<string>();
  private readonly declaringSets: boolean;

  constructor(declaringSets: boolean) {
    this.declaringSets = declaringSets;
  }

  block(body: readonly TypedStatement[], set: Set<string>): void {
    for (const statement of body) this.statement(statement, set);
  }

  /** A part that may not run: what it assigns does not count behind it. */
  private maybe(set: ReadonlySet<string>, visit: (set: Set<string>) => void): Set<string> {
    const copy = new Set(set);
    visit(copy);
    return copy;
  }

  private statement(s: TypedStatement, set: Set<string>): void {
    switch (s.kind) {
      case "evaluate":
        this.expression(s.value, set);
        return;
      case "assign":
        this.expression(s.value, set);
        if (s.target.kind === "variable") set.add(s.target.name);
        else this.access(s.target.access, set);
        return;
      case "update":
        this.expression(s.value, set);
        this.access(s.access, set);
        return;
      case "aggregate":
        if (s.value !== undefined) this.expression(s.value, set);
        this.access(s.access, set);
        return;
      case "if": {
        this.expression(s.condition, set);
        const yes = this.maybe(set, (copy) => this.block(s.then, copy));
        const no = this.maybe(set, (copy) => this.block(s.else, copy));
        for (const name of yes) if (no.has(name)) set.add(name);
        return;
      }
      case "while":
        this.expression(s.condition, set);
        this.maybe(set, (copy) => this.block(s.body, copy));
        return;
      case "for-range":
        this.expression(s.from, set);
        this.expression(s.to, set);
        this.maybe(set, (copy) => this.block(s.body, copy.add(s.variable)));
        return;
      case "for-map":
        this.maybe(set, (copy) => this.block(s.body, copy.add(s.variable)));
        return;
      case "declare":
        if (this.declaringSets) set.add(s.variable);
        else set.delete(s.variable);
        return;
      case "unroll":
        this.maybe(set, (copy) => this.block(s.body, copy));
        return;
      case "block":
        this.block(s.body, set);
        return;
      case "return":
        if (s.value !== undefined) this.expression(s.value, set);
        return;
      case "break":
      case "continue":
        return;
      default:
        assertNever(s);
    }
  }

  private read(name: string, set: ReadonlySet<string>): void {
    if (!set.has(name)) this.unset.add(name);
  }

  private access(access: MapAccess, set: Set<string>): void {
    for (const part of access.key) this.expression(part, set);
  }

  private argument(arg: TypedArg, set: Set<string>): void {
    if (arg.kind === "value") this.expression(arg.value, set);
    else if (arg.kind === "entry") this.access(arg.access, set);
  }

  expression(e: TypedExpr, set: Set<string>): void {
    switch (e.kind) {
      case "const":
      case "text":
      case "args":
      case "arg-field":
      case "is-target":
      case "nothing":
        return;
      case "variable":
        this.read(e.name, set);
        return;
      case "map":
      case "total":
        this.access(e.access, set);
        return;
      case "arithmetic":
      case "compare":
      case "compare-memory":
        this.expression(e.left, set);
        this.expression(e.right, set);
        return;
      case "logical":
        this.expression(e.left, set);
        this.maybe(set, (copy) => this.expression(e.right, copy));
        return;
      case "not":
      case "convert":
      case "reinterpret":
        this.expression(e.operand, set);
        return;
      case "ternary":
        this.expression(e.condition, set);
        this.maybe(set, (copy) => this.expression(e.then, copy));
        this.maybe(set, (copy) => this.expression(e.else, copy));
        return;
      case "deref":
        this.expression(e.pointer, set);
        return;
      case "address":
        this.expression(e.place, set);
        return;
      case "member":
      case "item":
        this.expression(e.object, set);
        return;
      case "element":
        this.expression(e.object, set);
        this.expression(e.index, set);
        return;
      case "tuple":
        for (const item of e.items) this.expression(item, set);
        return;
      case "step":
        if (e.target.kind === "variable") this.read(e.target.name, set);
        else this.access(e.target.access, set);
        return;
      case "builtin":
        for (const arg of e.args) this.argument(arg, set);
        return;
      case "block":
        this.block(e.body, set);
        this.expression(e.value, set);
        return;
      default:
        assertNever(e);
    }
  }
}
