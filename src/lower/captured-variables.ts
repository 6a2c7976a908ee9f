import type { TypedExpr, TypedProgram, TypedStatement } from "../language/typed.js";
import { occursIn, operandsOf, partsOf, statementsOf } from "../language/typed-walk.js";

/** A loop whose body becomes a function of its own, which a helper calls once a round. */
export type CallbackLoop = Extract<TypedStatement, { kind: "for-range" | "for-map" }>;

/** Rounds up to which a loop over a constant range is left to the verifier to walk. */
const mostNativeRounds = 16n;

export interface LoopFacts {
  readonly loops: readonly CallbackLoop[];
  /** Loops in the predicate, which runs before the body's memory is set up. */
  readonly inPredicate: boolean;
  /** Variables that more than one function uses: they live where all of them reach. */
  readonly captured: ReadonlySet<string>;
  /** Variables whose address is taken. */
  readonly addressed: ReadonlySet<string>;
  /** Variables that only the body of one loop uses. */
  readonly localTo: ReadonlyMap<CallbackLoop, readonly string[]>;
}

/** Which loops of a program become callbacks, and what they share with the code around them. */
export function loopFacts(program: TypedProgram, hasLoopHelper: () => boolean): LoopFacts {
  const walk = new Walk(hasLoopHelper);
  if (program.predicate !== undefined) walk.expression(program.predicate);
  const inPredicate = walk.loops.length > 0;
  walk.block(program.body);
  const localTo = new Map<CallbackLoop, string[]>();
  for (const [name, owner] of walk.owners) {
    if (owner === undefined || walk.captured.has(name)) continue;
    const list = localTo.get(owner) ?? [];
    list.push(name);
    localTo.set(owner, list);
  }
  return { loops: walk.loops, inPredicate, captured: walk.captured, addressed: walk.addressed, localTo };
}

class Walk {
  readonly loops: CallbackLoop[] = [];
  readonly captured = new Set<string>();
  readonly addressed = new Set<string>();
  readonly owners = new Map<string, CallbackLoop | undefined>();
  private readonly hasLoopHelper: () => boolean;
  private current: CallbackLoop | undefined;

  constructor(hasLoopHelper: () => boolean) {
    this.hasLoopHelper = hasLoopHelper;
  }

  block(body: readonly TypedStatement[]): void {
    for (const statement of body) this.statement(statement);
  }

  private statement(s: TypedStatement): void {
    const { expressions, bodies, variable } = partsOf(s);
    for (const e of expressions) this.expression(e);
    const outer = this.current;
    if (this.isCallback(s)) {
      this.loops.push(s);
      this.current = s;
    }
    if (variable !== undefined) this.note(variable);
    for (const body of bodies) this.block(body);
    this.current = outer;
  }

  expression(e: TypedExpr): void {
    if (e.kind === "variable") this.note(e.name);
    if (e.kind === "step" && e.target.kind === "variable") this.note(e.target.name);
    if (e.kind === "address" && e.place.kind === "variable") this.addressed.add(e.place.name);
    this.block(statementsOf(e));
    for (const operand of operandsOf(e)) this.expression(operand);
  }

  private note(name: string): void {
    if (!this.owners.has(name)) this.owners.set(name, this.current);
    else if (this.owners.get(name) !== this.current) this.captured.add(name);
  }

  private isCallback(s: TypedStatement): s is CallbackLoop {
    if (s.kind === "for-map") return true;
    if (s.kind !== "for-range") return false;
    const rounds = s.from.kind === "const" && s.to.kind === "const" ? s.to.value - s.from.value : undefined;
    const many = rounds === undefined || rounds > mostNativeRounds;
    return (many || occursIn(s.body, { statement: ({ kind }) => loopKinds.has(kind) })) && this.hasLoopHelper();
  }
}

const loopKinds: ReadonlySet<TypedStatement["kind"]> = new Set(["for-range", "for-map", "while", "unroll"]);
