// Random actions with control flow and side effects, together with what they do.
import type { Expression, ScriptMaker, World } from "./random-script.js";

/** How a statement ended: by running into the next one, or by leaving something. */
type Outcome = "next" | "break" | "continue" | "return";

export interface Statement {
  readonly text: string;
  readonly run: (world: World) => Outcome;
}

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

function bump(world: World, map: string, key: bigint, by: bigint): bigint {
  const entries = world.maps.get(map) ?? new Map<bigint, bigint>();
  world.maps.set(map, entries);
  const before = entries.get(key) ?? 0n;
  entries.set(key, u64(before + by));
  return before;
}

function runAll(body: readonly Statement[], world: World): Outcome {
  for (const statement of body) {
    const outcome = statement.run(world);
    if (outcome !== "next") return outcome;
  }
  return "next";
}

/** Runs the body of one round of a loop; true ends the loop, a return is handed on. */
function round(body: readonly Statement[], world: World): "on" | "stop" | "return" {
  const outcome = runAll(body, world);
  if (outcome === "return") return "return";
  return outcome === "break" ? "stop" : "on";
}

const indent = (body: readonly Statement[]): string => body.map((s) => s.text).join(" ");

export class ActionMaker {
  private readonly make: ScriptMaker;
  private counters = 0;
  private marks = 0;

  constructor(make: ScriptMaker) {
    this.make = make;
  }

  /** An action over the variables `$a` (signed) and `$b` (unsigned), which are 0 at first, and the maps @m, @n and @k[]. */
  action(): Statement {
    this.make.declare("$a", true);
    this.make.declare("$b", false);
    const body = this.block(4, 0);
    const text = `$a = (int64)arg0; $b = arg1; @m = (int64)0; ${indent(body)} @a = $a; @b = $b;`;
    return {
      text,
      run: (w) => {
        w.variables.set("$a", w.args[0] ?? 0n);
        w.variables.set("$b", w.args[1] ?? 0n);
        w.maps.set("@m", new Map([[0n, 0n]]));
        const outcome = runAll(body, w);
        if (outcome === "return") return outcome;
        w.maps.set("@a", new Map([[0n, w.variables.get("$a") ?? 0n]]));
        w.maps.set("@b", new Map([[0n, w.variables.get("$b") ?? 0n]]));
        return "next";
      },
    };
  }

  private block(depth: number, loops: number): readonly Statement[] {
    return Array.from({ length: 1 + this.make.below(4) }, () => this.statement(depth, loops));
  }

  private statement(depth: number, loops: number): Statement {
    const kind = this.make.below(depth === 0 ? 6 : 11);
    switch (kind) {
      case 0:
      case 1:
        return this.assign();
      case 2:
        return this.step();
      case 3: {
        const key = this.make.expression(2);
        const value = this.make.expression(2);
        return {
          text: `@k[(uint64)${key.text}] = (uint64)${value.text};`,
          run: (w) => {
            const at = key.run(w).bits;
            const by = value.run(w).bits;
            bump(w, "@k", at, by - (w.maps.get("@k")?.get(at) ?? 0n));
            return "next";
          },
        };
      }
      case 4:
        return this.sideEffects();
      case 5:
        return this.leave(loops);
      case 6:
      case 7:
        return this.branch(depth, loops);
      case 8:
        return this.unrolled(depth, loops);
      case 9:
        return this.range(depth, loops);
      default:
        return this.whileLoop(depth, loops);
    }
  }

  private assign(): Statement {
    const name = this.make.pick(["$a", "$b"]);
    const value = this.make.expression(3);
    const cast = name === "$a" ? "(int64)" : "(uint64)";
    const op = this.make.pick(["", "+", "-", "*", "&", "|", "^"]);
    // A difference is signed, whatever it is made of.
    if (op === "-") this.make.declare(name, true);
    return {
      text: `${name} ${op}= ${cast}${value.text};`,
      run: (w) => {
        const left = w.variables.get(name) ?? 0n;
        w.variables.set(name, u64(combine(op, left, value.run(w).bits)));
        return "next";
      },
    };
  }

  private step(): Statement {
    const value = this.make.expression(1);
    const [text, by]: [string, bigint] = this.make.pick([
      ["++", 1n],
      ["--", -1n],
    ]);
    const keyed = this.make.below(2) === 0;
    const prefix = this.make.below(2) === 0;
    const target = keyed ? `@n[(uint64)${value.text}]` : "@m";
    return {
      text: prefix ? `${text}${target};` : `${target}${text};`,
      run: (w) => {
        if (keyed) bump(w, "@n", value.run(w).bits, by);
        else bump(w, "@m", 0n, by);
        return "next";
      },
    };
  }

  /** && || and ?: run only what they must; each part that runs leaves its mark in @n. */
  private sideEffects(): Statement {
    const mark = 1000n + BigInt(this.marks++);
    const condition = this.make.expression(2);
    const form = this.make.below(4);
    const post = `@n[${mark}]++`;
    const pre = `++@n[${mark}]`;
    const touch = (w: World): bigint => bump(w, "@n", mark, 1n);
    const forms: readonly { readonly text: string; readonly run: (w: World) => void }[] = [
      {
        text: `if (${condition.text} && ${post}) { @m += 3; }`,
        run: (w) => {
          if (condition.run(w).bits !== 0n && touch(w) !== 0n) bump(w, "@m", 0n, 3n);
        },
      },
      {
        text: `if (${condition.text} || ${pre}) { @m += 5; }`,
        run: (w) => {
          if (condition.run(w).bits === 0n) touch(w);
          bump(w, "@m", 0n, 5n);
        },
      },
      {
        text: `$a = ${condition.text} ? ${pre} : (int64)7;`,
        run: (w) => {
          w.variables.set("$a", condition.run(w).bits !== 0n ? touch(w) + 1n : 7n);
        },
      },
      {
        text: `@m += (int64)(!(${condition.text}) && ${pre});`,
        run: (w) => {
          const truth = condition.run(w).bits === 0n;
          if (truth) touch(w);
          bump(w, "@m", 0n, truth ? 1n : 0n);
        },
      },
    ];
    const { text, run } = forms[form] ?? this.make.pick(forms);
    return {
      text,
      run: (w) => {
        run(w);
        return "next";
      },
    };
  }

  private leave(loops: number): Statement {
    const condition = this.make.expression(2);
    const how: Outcome = loops > 0 ? this.make.pick(["break", "continue", "return"] as const) : "return";
    return {
      text: `if (${condition.text}) { ${how}; }`,
      run: (w) => (condition.run(w).bits !== 0n ? how : "next"),
    };
  }

  private branch(depth: number, loops: number): Statement {
    const condition = this.make.expression(3);
    const yes = this.block(depth - 1, loops);
    const no = this.make.below(2) === 0 ? this.block(depth - 1, loops) : [];
    return {
      text: `if (${condition.text}) { ${indent(yes)} }${no.length > 0 ? ` else { ${indent(no)} }` : ""}`,
      run: (w) => runAll(condition.run(w).bits !== 0n ? yes : no, w),
    };
  }

  private unrolled(depth: number, loops: number): Statement {
    const times = 1 + this.make.below(3);
    const body = this.block(Math.min(1, depth - 1), loops + 1);
    return { text: `unroll (${times}) { ${indent(body)} }`, run: (w) => repeat(times, () => body, w) };
  }

  private range(depth: number, loops: number): Statement {
    const name = `$r${this.counters++}`;
    const [from, to] = [this.make.below(5) - 2, this.make.below(6)];
    const body: readonly Statement[] = [
      {
        text: `@n[(uint64)${name}]++;`,
        run: (w) => {
          bump(w, "@n", w.variables.get(name) ?? 0n, 1n);
          return "next";
        },
      },
      ...this.block(depth - 1, loops + 1),
    ];
    return {
      text: `for (${name} : ${from}..${to}) { ${indent(body)} }`,
      run: (w) =>
        repeat(
          to - from,
          (i) => {
            w.variables.set(name, u64(BigInt(from + i)));
            return body;
          },
          w,
        ),
    };
  }

  private whileLoop(depth: number, loops: number): Statement {
    const name = `$w${this.counters++}`;
    const times = this.make.below(5);
    const body = this.block(depth - 1, loops + 1);
    return {
      text: `${name} = 0; while (${name}++ < ${times}) { ${indent(body)} }`,
      run: (w) => repeat(times, () => body, w),
    };
  }
}

function repeat(times: number, body: (i: number) => readonly Statement[], world: World): Outcome {
  for (let i = 0; i < times; i++) {
    const outcome = round(body(i), world);
    if (outcome === "return") return "return";
    if (outcome === "stop") break;
  }
  return "next";
}

function combine(op: string, left: bigint, right: bigint): bigint {
  switch (op) {
    case "":
      return right;
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "&":
      return left & right;
    case "|":
      return left | right;
    default:
      return left ^ right;
  }
}

export type { Expression };
