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

/** What is looked for in a program; each part is asked about by itself, without what is inside of it. */
export interface Sought {
  expression?(e: TypedExpr): boolean;
  statement?(s: TypedStatement): boolean;
}

/** Whether what is sought is in these statements, at any depth. */
export const occursIn = (body: readonly TypedStatement[], sought: Sought): boolean =>
  body.some((s) => {
    const { expressions, bodies } = partsOf(s);
    return (
      sought.statement?.(s) === true ||
      expressions.some((e) => occursInExpression(e, sought)) ||
      bodies.some((inner) => occursIn(inner, sought))
    );
  });

/** Whether what is sought is this expression or in it. */
export const occursInExpression = (e: TypedExpr, sought: Sought): boolean =>
  sought.expression?.(e) === true ||
  operandsOf(e).some((operand) => occursInExpression(operand, sought)) ||
  occursIn(statementsOf(e), sought);

/** Whether computing the expression itself can end the action: exit() and the like, a null member of an iterator's context. */
export const endsAction = (e: TypedExpr): boolean =>
  e.kind === "builtin"
    ? e.builtin.leaves === true || e.builtin.mayLeave === true
    : e.kind === "arg-field" && e.field.source.kind === "context" && e.field.source.endsIfNull === true;

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
    case "update":
      return { expressions: [s.value, ...s.access.key], bodies: none, access: s.access };
    case "assign":
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
