import { assertNever } from "../base/assert-never.js";
import type { AssignTarget, MapAccess, TypedArg, TypedExpr, TypedStatement } from "./typed.js";

/** The expressions directly inside of an expression; block expressions also have {@link statementsOf}. */
export function operandsOf(e: TypedExpr): readonly TypedExpr[] {
  switch (e.kind) {
    case "const":
    case "text":
    case "variable":
    case "args":
    case "arg-field":
    case "is-target":
    case "nothing":
      return [];
    case "map":
    case "total":
      return e.access.key;
    case "arithmetic":
    case "compare":
    case "compare-memory":
    case "logical":
      return [e.left, e.right];
    case "not":
    case "convert":
    case "reinterpret":
      return [e.operand];
    case "ternary":
      return [e.condition, e.then, e.else];
    case "deref":
      return [e.pointer];
    case "address":
      return [e.place];
    case "member":
    case "item":
      return [e.object];
    case "element":
      return [e.object, e.index];
    case "tuple":
      return e.items;
    case "step":
      return keyOf(e.target);
    case "builtin":
      return e.args.flatMap(valuesOf);
    case "block":
      return [e.value];
    default:
      return assertNever(e);
  }
}

/** The statements directly inside of an expression. */
export const statementsOf = (e: TypedExpr): readonly TypedStatement[] => (e.kind === "block" ? e.body : []);

const keyOf = (target: AssignTarget): readonly TypedExpr[] => (target.kind === "map" ? target.access.key : []);

function valuesOf(arg: TypedArg): readonly TypedExpr[] {
  if (arg.kind === "value") return [arg.value];
  return arg.kind === "entry" ? arg.access.key : [];
}

/** What a statement consists of: expressions that it computes, and the bodies that it may run. */
export interface StatementParts {
  readonly expressions: readonly TypedExpr[];
  readonly bodies: readonly (readonly TypedStatement[])[];
  /** The variable that it assigns or declares. */
  readonly variable?: string;
  readonly access?: MapAccess;
}

export function partsOf(s: TypedStatement): StatementParts {
  const none: readonly never[] = [];
  switch (s.kind) {
    case "evaluate":
      return { expressions: [s.value], bodies: none };
    case "assign":
    case "update":
      return {
        expressions: [s.value, ...keyOf(s.target)],
        bodies: none,
        ...(s.target.kind === "variable" ? { variable: s.target.name } : { access: s.target.access }),
      };
    case "aggregate":
      return {
        expressions: [...(s.value === undefined ? none : [s.value]), ...s.access.key],
        bodies: none,
        access: s.access,
      };
    case "declare":
      return { expressions: none, bodies: none, variable: s.variable };
    case "if":
      return { expressions: [s.condition], bodies: [s.then, s.else] };
    case "unroll":
    case "block":
      return { expressions: none, bodies: [s.body] };
    case "while":
      return { expressions: [s.condition], bodies: [s.body] };
    case "for-range":
      return { expressions: [s.from, s.to], bodies: [s.body], variable: s.variable };
    case "for-map":
      return { expressions: none, bodies: [s.body], variable: s.variable };
    case "return":
      return { expressions: s.value === undefined ? none : [s.value], bodies: none };
    case "break":
    case "continue":
      return { expressions: none, bodies: none };
    default:
      return assertNever(s);
  }
}
