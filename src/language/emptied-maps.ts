// Which maps a script empties, and where it prints one and empties it right behind: those two are done as one.

import type { Emptying } from "../wire/record.js";
import type { TypedArg, TypedExpr, TypedMap, TypedProgram, TypedStatement } from "./typed.js";
import { endsAction, occursIn, operandsOf, partsOf, statementsOf } from "./typed-walk.js";

type Call = Extract<TypedExpr, { kind: "builtin" }>;

/** The maps with what is known of them once all programs are. */
export function markEmptied(
  maps: ReadonlyMap<string, TypedMap>,
  programs: readonly TypedProgram[],
): ReadonlyMap<string, TypedMap> {
  const emptied = new Set<string>();
  const note = (e: TypedExpr): boolean => {
    const map = e.kind === "builtin" && e.builtin.empties !== undefined ? mapOf(e) : undefined;
    if (map !== undefined) emptied.add(map);
    return false;
  };
  for (const { body } of programs) occursIn(body, { expression: note });
  return new Map([...maps].map(([name, map]) => [name, emptied.has(name) ? { ...map, emptied: true } : map]));
}

/** By the arguments of their calls: prints that empty their map, too, and what empties maps that need not be done any more. */
export interface TakenMaps {
  readonly prints: ReadonlyMap<readonly TypedArg[], Emptying>;
  readonly done: ReadonlySet<readonly TypedArg[]>;
}

/** `print(@m); ... clear(@m);` of one list of statements, between which nothing can leave and nobody looks at the map. */
export function takenMaps({ body }: TypedProgram): TakenMaps {
  const prints = new Map<readonly TypedArg[], Emptying>();
  const done = new Set<readonly TypedArg[]>();
  for (const list of listsIn(body)) {
    for (const [at, s] of list.entries()) {
      const call = callIn(s);
      const map = call?.builtin.empties === undefined ? undefined : mapOf(call);
      if (call?.builtin.empties === undefined || map === undefined) continue;
      const print = printBefore(list.slice(0, at), map);
      if (print === undefined) continue;
      prints.set(print.args, call.builtin.empties);
      done.add(call.args);
    }
  }
  return { prints, done };
}

/** The last print of a map, if what is behind it does not matter for the map. */
function printBefore(list: readonly TypedStatement[], map: string): Call | undefined {
  for (const s of [...list].reverse()) {
    const call = callIn(s);
    if (call?.builtin.printsMaps === true && mapOf(call) === map) return call;
    if (!isHarmless(s, map)) return undefined;
  }
  return undefined;
}

const harmless: ReadonlySet<TypedStatement["kind"]> = new Set(["evaluate", "assign", "update", "aggregate", "declare"]);

const isHarmless = (s: TypedStatement, map: string): boolean =>
  harmless.has(s.kind) && !occursIn([s], { expression: (e) => endsAction(e) || e.kind === "block" || looksAt(e, map) });

const looksAt = (e: TypedExpr, map: string): boolean =>
  e.kind === "map" || e.kind === "total"
    ? e.access.map === map
    : e.kind === "builtin" &&
      e.args.some((arg) => (arg.kind === "map" ? arg.map === map : arg.kind === "entry" && arg.access.map === map));

const callIn = (s: TypedStatement): Call | undefined =>
  s.kind === "evaluate" && s.value.kind === "builtin" ? s.value : undefined;

function mapOf({ args: [first] }: Call): string | undefined {
  return first?.kind === "map" ? first.map : undefined;
}

/** Every list of statements that run one after the other. */
function* listsIn(body: readonly TypedStatement[]): Generator<readonly TypedStatement[]> {
  yield body;
  for (const s of body) {
    const { expressions, bodies } = partsOf(s);
    for (const inner of bodies) yield* listsIn(inner);
    for (const e of expressions) yield* listsInExpression(e);
  }
}

function* listsInExpression(e: TypedExpr): Generator<readonly TypedStatement[]> {
  if (e.kind === "block") yield* listsIn(statementsOf(e));
  for (const operand of operandsOf(e)) yield* listsInExpression(operand);
}
