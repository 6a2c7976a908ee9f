// Which stacks are shown from the run of the program that takes them: those travel with their frames, as many as there are,
// and need no place in a map. Others, of maps for one, are known by the id that they have there.

import type { Builtin } from "../language/builtin.js";
import type { TypedArg, TypedExpr, TypedProgram, TypedStatement } from "../language/typed.js";
import { operandsOf, partsOf, statementsOf } from "../language/typed-walk.js";
import type { StackType, Type } from "../types/type.js";
import { fieldIndex, layoutOf, sizeOf } from "../wire/layout.js";

/** A stack in a value: where it lies there, and who takes it. */
export interface FreshStack {
  readonly offset: number;
  readonly type: StackType;
  readonly builtin: Builtin;
}

export class ShownStacks {
  /** What each variable is assigned, if nothing else writes to it. */
  private readonly assigned = new Map<string, { readonly type: Type; readonly values: TypedExpr[] }>();
  private readonly writtenOtherwise = new Set<string>();
  /** Variables with stacks that are put into maps, compared and the like. */
  private readonly kept = new Set<string>();
  private readonly known = new Map<string, readonly FreshStack[]>();

  /** `uncertain` are variables that may have another value than the last one they were assigned in the same function. */
  constructor(program: TypedProgram, uncertain: readonly ReadonlySet<string>[]) {
    if (program.predicate !== undefined) this.visit(program.predicate, false);
    this.block(program.body);
    for (const names of uncertain) for (const name of names) this.writtenOtherwise.add(name);
  }

  /** The stacks in a value, which lies in memory as type `as`, that this run of the program takes. */
  freshIn(e: TypedExpr, as: Type = e.type): readonly FreshStack[] {
    if (!holdsStack(as)) return [];
    switch (e.kind) {
      case "builtin":
        return as.kind === "stack" && e.builtin.takeFrames !== undefined
          ? [{ offset: 0, type: as, builtin: e.builtin }]
          : [];
      case "tuple":
        return itemsOf(e, as).flatMap(({ item, type, offset }) => moved(this.freshIn(item, type), offset));
      case "ternary": {
        const others = this.freshIn(e.else, as);
        return this.freshIn(e.then, as).filter(({ offset }) => others.some((other) => other.offset === offset));
      }
      case "block":
        return this.freshIn(e.value, as);
      case "variable":
        return this.freshInVariable(e.name);
      case "item": {
        const { type } = e.object;
        const start = type.kind === "tuple" ? (layoutOf(type.items).offsets[e.index] ?? 0) : 0;
        const within = this.freshIn(e.object).filter(({ offset }) => offset >= start && offset < start + sizeOf(as));
        return moved(within, -start);
      }
      default:
        return [];
    }
  }

  /** Those that a variable need not hold, because they are taken where it is shown, and that is all that is done with it. */
  onlyShown(name: string): readonly FreshStack[] {
    return this.kept.has(name) ? [] : this.freshInVariable(name);
  }

  private freshInVariable(name: string): readonly FreshStack[] {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    // While this is being found out: a variable that is assigned itself, by whatever detour.
    this.known.set(name, []);
    const { type, values } = this.assigned.get(name) ?? { type: undefined, values: [] };
    let fresh: readonly FreshStack[] = [];
    if (type !== undefined && !this.writtenOtherwise.has(name)) {
      const [first = [], ...others] = values.map((value) => this.freshIn(value, type));
      fresh = first.filter(({ offset }) => others.every((other) => other.some((stack) => stack.offset === offset)));
    }
    this.known.set(name, fresh);
    return fresh;
  }

  private block(body: readonly TypedStatement[]): void {
    for (const s of body) {
      const { expressions, bodies, variable } = partsOf(s);
      for (const e of expressions) this.visit(e, false);
      if (s.kind === "assign" && s.target.kind === "variable") this.assign(s.target.name, s.target.type, s.value);
      else if (variable !== undefined && s.kind !== "declare") this.writtenOtherwise.add(variable);
      for (const inner of bodies) this.block(inner);
    }
  }

  private assign(name: string, type: Type, value: TypedExpr): void {
    const of = this.assigned.get(name) ?? { type, values: [] };
    of.values.push(value);
    this.assigned.set(name, of);
  }

  /** `shown`: the value goes to user space to be shown, and nowhere else. */
  private visit(e: TypedExpr, shown: boolean): void {
    switch (e.kind) {
      case "variable":
        if (!shown) this.kept.add(e.name);
        return;
      case "builtin":
        for (const arg of e.args) this.argument(e.builtin, arg);
        return;
      case "tuple":
        for (const item of e.items) this.visit(item, shown);
        return;
      case "ternary":
        this.visit(e.condition, false);
        this.visit(e.then, shown);
        this.visit(e.else, shown);
        return;
      case "block":
        this.block(e.body);
        this.visit(e.value, shown);
        return;
      case "item":
        this.visit(e.object, shown || !holdsStack(e.type));
        return;
      default:
        if (e.kind === "address" && e.place.kind === "variable") this.writtenOtherwise.add(e.place.name);
        for (const operand of operandsOf(e)) this.visit(operand, false);
        this.block(statementsOf(e));
    }
  }

  private argument(builtin: Builtin, arg: TypedArg): void {
    if (arg.kind === "entry") for (const part of arg.access.key) this.visit(part, false);
    if (arg.kind !== "value") return;
    const { value } = arg;
    const receives = builtin.params?.some(({ kind }) => kind === "receiver") === true;
    if (receives && value.kind === "variable") this.writtenOtherwise.add(value.name);
    this.visit(value, builtin.shows === true);
  }
}

/** The same value without the stacks at these offsets of type `as`: nothing is written in their place. */
export function withoutStacks(e: TypedExpr, stacks: readonly FreshStack[], as: Type = e.type): TypedExpr {
  if (stacks.length === 0) return e;
  if (as.kind === "stack" && (e.kind === "builtin" || isInVariable(e)))
    return { kind: "nothing", type: e.type, span: e.span };
  switch (e.kind) {
    case "tuple": {
      const items = [...e.items];
      for (const { item, type, offset, index } of itemsOf(e, as)) {
        const end = offset + sizeOf(type);
        const within = stacks.filter((stack) => stack.offset >= offset && stack.offset < end);
        items[index] = withoutStacks(item, moved(within, -offset), type);
      }
      return { ...e, items };
    }
    case "ternary":
      return { ...e, then: withoutStacks(e.then, stacks, as), else: withoutStacks(e.else, stacks, as) };
    case "block":
      return { ...e, value: withoutStacks(e.value, stacks, as) };
    default:
      return e;
  }
}

const isInVariable = (e: TypedExpr): boolean => e.kind === "variable" || (e.kind === "item" && isInVariable(e.object));

const moved = (stacks: readonly FreshStack[], by: number): readonly FreshStack[] =>
  stacks.map((stack) => ({ ...stack, offset: stack.offset + by }));

/** The items of a tuple with their types and places in another type that it is written as. */
function itemsOf(e: Extract<TypedExpr, { kind: "tuple" }>, as: Type) {
  const types = as.kind === "tuple" ? as.items : e.items.map((item) => item.type);
  const { offsets } = layoutOf(types);
  return e.items.map((item, index) => {
    const place = fieldIndex(e.type, index, as);
    return { item, index, type: types[place] ?? item.type, offset: offsets[place] ?? 0 };
  });
}

function holdsStack(type: Type): boolean {
  return type.kind === "stack" || (type.kind === "tuple" && type.items.some(holdsStack));
}
