// Whether stacks may get their callers from user space, after the program that took them has run.

import type { AssignTarget, TypedExpr, TypedMap, TypedScript, TypedStatement } from "../language/typed.js";
import { operandsOf, partsOf, statementsOf } from "../language/typed-walk.js";
import type { Type } from "../types/type.js";
import { isAggregate } from "../wire/layout.js";

/**
 * Such a stack is a key of its own until user space knows which it is, and adds what it stands for to the other's. So programs
 * must do nothing with such keys but add to what is there: count() and its like, `++` and `+=`.
 */
export function mayDeferStacks(script: TypedScript): boolean {
  const keyed = new Set([...script.maps.values()].filter(isKeyedByStack).map(({ name }) => name));
  // Their number of frames is not known yet.
  if (script.stackLengths) return false;
  if ([...keyed].some((name) => !canBeAdded(script.maps.get(name)?.value))) return false;
  return script.programs.every(
    ({ predicate, body }) =>
      (predicate === undefined || isHarmless(predicate, keyed)) && body.every((s) => onlyAdds(s, keyed)),
  );
}

const isKeyedByStack = ({ key }: TypedMap): boolean => key?.some(holdsUnwound) === true;

function holdsUnwound(type: Type): boolean {
  if (type.kind === "tuple") return type.items.some(holdsUnwound);
  return type.kind === "stack" && type.unwound === true;
}

const canBeAdded = (type: Type | undefined): boolean =>
  type !== undefined && (isAggregate(type) || (type.kind === "int" && type.size === 8));

function onlyAdds(s: TypedStatement, maps: ReadonlySet<string>): boolean {
  const isOne = (target: AssignTarget): boolean => target.kind === "map" && maps.has(target.access.map);
  if (s.kind === "assign" && isOne(s.target)) return false;
  if (s.kind === "update" && maps.has(s.access.map) && s.op !== "add" && s.op !== "sub") return false;
  if (s.kind === "for-map" && maps.has(s.map)) return false;
  // Nobody asks for the value of a statement.
  if (s.kind === "evaluate" && s.value.kind === "step") return operandsOf(s.value).every((e) => isHarmless(e, maps));
  const { expressions, bodies } = partsOf(s);
  return (
    expressions.every((e) => isHarmless(e, maps)) && bodies.every((body) => body.every((each) => onlyAdds(each, maps)))
  );
}

/** Nothing of these maps is read, and no stack is compared. What prints or empties maps has no value. */
function isHarmless(e: TypedExpr, maps: ReadonlySet<string>): boolean {
  if ((e.kind === "map" || e.kind === "total") && maps.has(e.access.map)) return false;
  if ((e.kind === "compare" || e.kind === "compare-memory") && holdsUnwound(e.left.type)) return false;
  if (e.kind === "step" && e.target.kind === "map" && maps.has(e.target.access.map)) return false;
  if (e.kind === "builtin" && e.type.kind !== "none") {
    const named = e.args.map((arg) =>
      arg.kind === "map" ? arg.map : arg.kind === "entry" ? arg.access.map : undefined,
    );
    if (named.some((name) => name !== undefined && maps.has(name))) return false;
  }
  return (
    operandsOf(e).every((operand) => isHarmless(operand, maps)) && statementsOf(e).every((each) => onlyAdds(each, maps))
  );
}
