import type { CToken } from "./tokens.js";

export interface Macro {
  readonly name: string;
  /** Undefined for an object-like macro. */
  readonly parameters: readonly string[] | undefined;
  /** The last parameter takes all that is left: `...` or `args...`. */
  readonly variadic: boolean;
  readonly body: readonly CToken[];
}

/** Thrown when macros unfold without end; what the preprocessor has until then stands. */
export class TooMuch extends Error {}

/** How much may be done for one script: hostile macros double with every line. */
export class Budget {
  private left: number;
  constructor(tokens: number) {
    this.left = tokens;
  }
  spend(tokens: number): void {
    this.left -= tokens;
    if (this.left < 0) throw new TooMuch("the macros unfold to more tokens than any header has");
  }
}

/** Nesting of macro calls inside of arguments. */
const maxNesting = 120;

interface Frame {
  readonly tokens: readonly CToken[];
  at: number;
  /** The macro whose expansion this is: not expanded again while it is read. */
  readonly macro: string | undefined;
}

/** Replaces all macros in `tokens` (C11 6.10.3), which must not hold line ends. */
export function expand(
  tokens: readonly CToken[],
  macros: ReadonlyMap<string, Macro>,
  budget: Budget,
): readonly CToken[] {
  return new Expansion(macros, budget, new Map(), 0).run(tokens);
}

class Expansion {
  private readonly macros: ReadonlyMap<string, Macro>;
  private readonly budget: Budget;
  /** Macros being expanded, with how many expansions are open. */
  private readonly active: Map<string, number>;
  private readonly nesting: number;
  private readonly frames: Frame[] = [];

  constructor(
    macros: ReadonlyMap<string, Macro>,
    budget: Budget,
    active: ReadonlyMap<string, number>,
    nesting: number,
  ) {
    this.macros = macros;
    this.budget = budget;
    this.active = new Map(active);
    this.nesting = nesting;
    if (nesting > maxNesting) throw new TooMuch("macro calls are nested too deeply");
  }

  run(tokens: readonly CToken[]): readonly CToken[] {
    const out: CToken[] = [];
    this.push(tokens, undefined);
    for (let token = this.next(); token !== undefined; token = this.next()) {
      if (token.kind !== "name" || token.blocked === true) {
        out.push(token);
        continue;
      }
      const macro = this.macros.get(token.text);
      if (macro === undefined) out.push(token);
      else if ((this.active.get(macro.name) ?? 0) > 0) out.push({ ...token, blocked: true });
      else if (macro.parameters === undefined) this.push(this.substitute(macro, [], token), macro.name);
      else {
        const args = this.arguments(macro.parameters, macro.variadic);
        if (args === undefined) out.push(token);
        else this.push(this.substitute(macro, args, token), macro.name);
      }
    }
    return out;
  }

  private push(tokens: readonly CToken[], macro: string | undefined): void {
    this.budget.spend(tokens.length + 1);
    this.frames.push({ tokens, at: 0, macro });
    if (macro !== undefined) this.active.set(macro, (this.active.get(macro) ?? 0) + 1);
  }

  private next(): CToken | undefined {
    for (let frame = this.frames.at(-1); frame !== undefined; frame = this.frames.at(-1)) {
      const token = frame.tokens[frame.at];
      if (token !== undefined) {
        frame.at++;
        return token;
      }
      this.frames.pop();
      if (frame.macro !== undefined) this.active.set(frame.macro, (this.active.get(frame.macro) ?? 1) - 1);
    }
    return undefined;
  }

  private peek(): CToken | undefined {
    for (let i = this.frames.length - 1; i >= 0; i--) {
      const frame = this.frames[i];
      const token = frame?.tokens[frame.at];
      if (token !== undefined) return token;
    }
    return undefined;
  }

  /** The arguments of a call; undefined, with nothing read, if no `(` follows. */
  private arguments(parameters: readonly string[], variadic: boolean): CToken[][] | undefined {
    const open = this.peek();
    if (open?.kind !== "punct" || open.text !== "(") return undefined;
    this.next();
    const args: CToken[][] = [[]];
    let depth = 0;
    for (;;) {
      const token = this.next();
      // A call without an end takes all there is.
      if (token === undefined) break;
      if (token.kind === "punct") {
        if (token.text === "(") depth++;
        else if (token.text === ")") {
          if (depth === 0) break;
          depth--;
        } else if (token.text === "," && depth === 0 && !(variadic && args.length >= parameters.length)) {
          args.push([]);
          continue;
        }
      }
      args.at(-1)?.push(token);
    }
    return args;
  }

  /** The body of a macro with its arguments in place: `#` and `##` take them as written, others fully expanded. */
  private substitute(macro: Macro, args: readonly (readonly CToken[])[], call: CToken): readonly CToken[] {
    const { parameters = [], body } = macro;
    const expanded = new Map<number, readonly CToken[]>();
    const whole = (index: number): readonly CToken[] => {
      let done = expanded.get(index);
      if (done === undefined) {
        done = new Expansion(this.macros, this.budget, this.active, this.nesting + 1).run(args[index] ?? []);
        expanded.set(index, done);
      }
      return done;
    };
    const out: CToken[] = [];
    const indexOf = (token: CToken | undefined): number =>
      token?.kind === "name" ? parameters.indexOf(token.text) : -1;
    for (let i = 0; i < body.length; i++) {
      const token = body[i];
      if (token === undefined) break;
      const following = body[i + 1];
      if (token.text === "#" && macro.parameters !== undefined && indexOf(following) >= 0) {
        out.push(stringize(args[indexOf(following)] ?? [], token));
        i++;
        continue;
      }
      if (token.text === "##" && out.length > 0 && following !== undefined) {
        i++;
        const index = indexOf(following);
        const right = index >= 0 ? (args[index] ?? []) : [following];
        const last = out.at(-1);
        // GNU: `, ## __VA_ARGS__` drops the comma when nothing is left for the dots.
        if (last?.text === "," && macro.variadic && index === parameters.length - 1) {
          if (right.length === 0 && args.length < parameters.length) out.pop();
          else out.push(...(index >= 0 ? whole(index) : right));
          continue;
        }
        paste(out, right);
        continue;
      }
      const index = indexOf(token);
      const pasted = following?.text === "##" && following.kind === "punct";
      if (index < 0) out.push(token);
      else if (pasted) {
        const raw = args[index] ?? [];
        // An empty argument leaves something for ## to glue to.
        if (raw.length === 0) out.push({ ...token, kind: "other", text: "" });
        else out.push(...raw);
      } else out.push(...withSpace(whole(index), token.spaced));
    }
    this.budget.spend(out.length);
    return withSpace(
      out.filter((token) => token.text !== ""),
      call.spaced,
    ).map((token) => (token.first ? { ...token, first: false } : token));
  }
}

const withSpace = (tokens: readonly CToken[], spaced: boolean): readonly CToken[] => {
  const [head, ...rest] = tokens;
  return head === undefined || head.spaced === spaced ? tokens : [{ ...head, spaced }, ...rest];
};

function stringize(tokens: readonly CToken[], at: CToken): CToken {
  let text = "";
  for (const token of tokens) {
    if (token.spaced && text !== "") text += " ";
    text += token.kind === "string" || token.kind === "char" ? token.text.replace(/[\\"]/g, "\\$&") : token.text;
  }
  return { ...at, kind: "string", text: `"${text}"` };
}

/** Glues the first of `right` to the last token. */
function paste(out: CToken[], right: readonly CToken[]): void {
  const left = out.pop();
  const [head, ...rest] = right;
  if (left === undefined) return;
  if (head === undefined) {
    out.push(left);
    return;
  }
  const text = left.text + head.text;
  const kind = /^[A-Za-z_$]/.test(text) ? "name" : /^\.?[0-9]/.test(text) ? "number" : "punct";
  out.push({ kind, text, spaced: left.spaced, first: false, source: left.source, at: left.at }, ...rest);
}
