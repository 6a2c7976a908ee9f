import { type Arithmetic, type Expression, i64, type Place, type Program, type Statement, u64 } from "./program-ast.js";
import { ExpressionMaker, intTypes, textMap } from "./random-expressions.js";

const operators: readonly (Arithmetic | "")[] = ["", "", "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];
const results = 8;

/** A program of expressions alone, whose values are entries of @r. */
export function randomExpressions(seed: number): Program {
  const make = new ExpressionMaker(seed);
  const body = Array.from({ length: results }, (_, i) => result(make, i, make.expression(1 + make.below(5))));
  return finish(seed, make, body);
}

/** A program with control flow, variables of all kinds, maps and side effects. */
export function randomActions(seed: number): Program {
  const make = new ExpressionMaker(seed);
  return finish(seed, make, new StatementMaker(make).action());
}

export const randomProgram = (seed: number): Program =>
  seed % 2 === 0 ? randomExpressions(seed) : randomActions(seed);

const finish = (seed: number, make: ExpressionMaker, body: readonly Statement[]): Program => ({
  seed,
  body,
  types: make.types,
  tuples: make.tuples,
  inputs: Array.from({ length: 3 }, () => [make.word(), make.word(), make.word()]),
});

function result(make: ExpressionMaker, index: number, value: Expression): Statement {
  const key = make.cast({ kind: "literal", value: BigInt(index), hex: false }, u64);
  return { kind: "assign", place: { kind: "entry", map: "@r", key: [key] }, op: "", value: make.cast(value, i64) };
}

/** Rounds of loops in one another, multiplied: of more, with conditions in each, verifiers see too many ways. */
const mostRounds = 6;

class StatementMaker {
  private readonly make: ExpressionMaker;
  /** Rounds that the loops around take together; 0 outside of loops. */
  private rounds = 0;

  constructor(make: ExpressionMaker) {
    this.make = make;
  }

  action(): readonly Statement[] {
    const { make } = this;
    const scalar: Place = { kind: "entry", map: "@m", key: [] };
    const start: Statement[] = [
      { kind: "assign", place: scalar, op: "", value: make.cast({ kind: "literal", value: 0n, hex: false }, i64) },
      this.declare("a", i64, false),
      this.declare("b", u64, false),
      ...intTypes.map((type) => this.declare("d", type, true)),
      this.setText(),
      this.setTuple(),
      // Each map that is read is written somewhere.
      { kind: "assign", place: make.entry("@k"), op: "", value: make.cast(make.expression(1), u64) },
      { kind: "assign", place: make.entry("@p"), op: "", value: make.cast(make.expression(1), i64) },
    ];
    make.readMaps("@m", "@k", "@p");
    const body = this.block(4);
    const last = make.known("numbers").map((name, i) => result(make, i, { kind: "variable", name }));
    return [...start, ...body, ...last];
  }

  /** A new variable of the block, with a type that is told or that of its value. */
  private declare(letter: string, type: (typeof intTypes)[number], typed: boolean): Statement {
    const { make } = this;
    const name = make.name(letter);
    const value = make.expression(2);
    make.types.set(name, type);
    make.declare("numbers", name);
    return { kind: "let", name, typed, value: typed ? make.fitting(value) : make.cast(value, type) };
  }

  private block(depth: number): readonly Statement[] {
    const most = this.rounds > 0 ? 3 : 4;
    return this.make.inBlock(() => Array.from({ length: 1 + this.make.below(most) }, () => this.statement(depth)));
  }

  private statement(depth: number): Statement {
    const { make } = this;
    const mayLoop = 2 * this.rounds <= mostRounds;
    switch (make.below(depth === 0 ? 9 : mayLoop ? 14 : 11)) {
      case 0:
      case 1:
      case 2:
        return this.assign();
      case 3:
        return this.step();
      case 4:
        return this.assignEntry();
      case 5:
        return make.below(2) === 0 ? this.setText() : this.setTuple();
      case 6:
        return this.keepText();
      case 7:
        return this.declare("e", make.pick(intTypes), true);
      case 8:
        return this.leave();
      case 9:
      case 10:
        return {
          kind: "if",
          condition: make.expression(this.depth(3)),
          yes: this.block(depth - 1),
          no: make.below(2) === 0 ? this.block(depth - 1) : [],
        };
      case 11:
        return this.loop(1 + make.below(3), (times) => ({
          kind: "unroll",
          times,
          body: this.block(Math.min(1, depth - 1)),
        }));
      case 12:
        return this.range(depth);
      default:
        return this.whileLoop(depth);
    }
  }

  /** Expressions in loops are smaller. */
  private depth(outside: number): number {
    return this.rounds > 0 ? Math.min(2, outside) : outside;
  }

  private assign(): Statement {
    const { make } = this;
    const name = make.pick(make.known("numbers").filter((each) => !each.startsWith("$r")));
    const op = make.pick(operators);
    const right = make.right(op, this.depth(3));
    const type = make.types.get(name) ?? i64;
    // $a1 and $b2 are of no declared type, which what is stored into them could widen.
    if (!/^\$[ab]/.test(name))
      return { kind: "assign", place: { kind: "variable", name }, op, value: op === "" ? make.fitting(right) : right };
    if (op === "-") make.becomesSigned(name);
    return { kind: "assign", place: { kind: "variable", name }, op, value: make.cast(right, type.signed ? i64 : u64) };
  }

  private step(): Statement {
    const { make } = this;
    const by = make.pick([1, -1] as const);
    const variables = make.known("numbers").filter((name) => /^\$[ade]/.test(name));
    const places: readonly (() => Place)[] = [
      () => ({ kind: "entry", map: "@m", key: [] }),
      () => make.entry("@n"),
      () => make.entry("@p"),
      () => ({ kind: "variable", name: make.pick(variables) }),
    ];
    return { kind: "effect", step: { kind: "step", by, prefix: make.below(2) === 0, place: make.pick(places)() } };
  }

  private assignEntry(): Statement {
    const { make } = this;
    const map = make.pick(["@k", "@k", "@p", "@m"]);
    const op = make.pick(operators);
    const type = map === "@k" ? u64 : i64;
    if (op === "-") make.becomesSigned(map);
    return { kind: "assign", place: make.entry(map), op, value: make.cast(make.right(op, 2), type) };
  }

  private setText(): Statement {
    const { make } = this;
    const known = make.known("texts");
    const name = known.length > 0 && make.below(2) === 0 ? make.pick(known) : make.name("s");
    const value = make.text();
    if (!known.includes(name)) make.declare("texts", name);
    return { kind: "set-text", to: { kind: "text-variable", name }, value };
  }

  private keepText(): Statement {
    const { make } = this;
    const value = make.text();
    const key = make.textKey();
    make.readTexts();
    return { kind: "set-text", to: { kind: "text-entry", map: textMap, key }, value };
  }

  private setTuple(): Statement {
    const { make } = this;
    const known = make.known("tuples");
    const name = known.length > 0 && make.below(2) === 0 ? make.pick(known) : make.name("u");
    const types = make.tuples.get(name) ?? Array.from({ length: 2 + make.below(2) }, () => make.pick(intTypes));
    const items = types.map((type) => make.cast(make.expression(2), type));
    make.tuples.set(name, types);
    if (!known.includes(name)) make.declare("tuples", name);
    return { kind: "set-tuple", name, items };
  }

  private leave(): Statement {
    const { make } = this;
    const how = this.rounds > 0 ? make.pick(["break", "continue", "return"] as const) : "return";
    return { kind: "leave", condition: make.expression(this.depth(2)), how };
  }

  /** Makes a loop of so many rounds, or fewer if the loops around have many. */
  private loop(wanted: number, make: (times: number) => Statement): Statement {
    const around = Math.max(1, this.rounds);
    const times = Math.min(wanted, Math.floor(mostRounds / around));
    const before = this.rounds;
    this.rounds = around * Math.max(1, times);
    const made = make(times);
    this.rounds = before;
    return made;
  }

  private range(depth: number): Statement {
    const { make } = this;
    const variable = make.name("r");
    make.types.set(variable, i64);
    const from = make.below(5) - 2;
    const key = make.cast({ kind: "variable", name: variable }, u64);
    const count: Statement = {
      kind: "effect",
      step: { kind: "step", by: 1, prefix: false, place: { kind: "entry", map: "@n", key: [key] } },
    };
    return this.loop(make.below(8) - 1, (times) => {
      make.declare("numbers", variable);
      const body = this.block(depth - 1);
      make.forget("numbers", variable);
      return { kind: "range", variable, from, to: from + times, body: [count, ...body] };
    });
  }

  private whileLoop(depth: number): Statement {
    const variable = this.make.name("w");
    return this.loop(this.make.below(5), (times) => ({
      kind: "while",
      variable,
      times,
      body: this.block(depth - 1),
    }));
  }
}
