import type { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import type { Config } from "../language/config.js";
import type { KernelView } from "../language/kernel-view.js";
import type { Parameters } from "../language/parameters.js";
import type { ProgramVariant, Target } from "../language/probe.js";
import type { UserStacks } from "../language/user-stacks.js";
import type { Environment } from "./environment.js";
import type { ScriptTypes } from "./preamble.js";

/** Which variable a name means: each belongs to the block that assigns or declares it first. */
export class Variables {
  private readonly env: Environment;
  private readonly prefix: string;
  private readonly blocks: Map<string, { readonly id: string; readonly span: Span }>[] = [new Map()];
  /** Those of blocks that have ended: where each was made first. */
  private readonly ended = new Map<string, Span>();

  constructor(env: Environment, prefix: string) {
    this.env = env;
    this.prefix = prefix;
    for (const [name, span] of env.hoisted(prefix)) this.make(name, span);
  }

  /** What is made inside is not known behind it. */
  inBlock<T>(check: () => T): T {
    this.blocks.push(new Map());
    const result = check();
    for (const [name, { span }] of this.blocks.pop() ?? []) if (!this.ended.has(name)) this.ended.set(name, span);
    return result;
  }

  /** The variable that the name means here. */
  find(name: string): { readonly id: string; readonly span: Span } | undefined {
    for (let i = this.blocks.length - 1; i >= 0; i--) {
      const found = this.blocks[i]?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Makes a name that was only known in blocks that have ended one variable of the whole action from the next round on;
   * false if no block knew it.
   */
  hoist(name: string): boolean {
    const span = this.ended.get(name);
    if (span === undefined) return false;
    this.env.hoist(this.prefix, name, span);
    return true;
  }

  /** Makes a variable in the innermost block; answers its id, which is its name if it is the first of that name. */
  make(name: string, span: Span): string {
    const id = this.env.variableId(this.prefix, name, span);
    this.blocks.at(-1)?.set(name, { id, span });
    return id;
  }

  names(): readonly string[] {
    return this.blocks.flatMap((block) => [...block.keys()]);
  }
}

/** What holds for one program while its expressions and statements are checked. */
export interface Scope {
  readonly diags: Diagnostics;
  readonly env: Environment;
  readonly kernel: KernelView;
  readonly types: ScriptTypes;
  readonly config: Config;
  readonly variant: ProgramVariant;
  readonly targets: readonly Target[];
  /** Those of all programs, by id. */
  readonly allTargets: readonly Target[];
  readonly firstId: number;
  /** Ids of the targets, in their order. */
  readonly ids: readonly number[];
  readonly positional: readonly string[];
  readonly parameters: Parameters;
  readonly unsafe: boolean;
  readonly childPid: number | undefined;
  readonly hasUnwindTargets: boolean;
  readonly userStacks: () => UserStacks;
  /** Prefix of this program's variables in the environment. */
  readonly prefix: string;
  /** Probes are missing that were reported, and what they would have stored with them. */
  readonly incomplete: boolean;
  /** In the last round unknown maps are errors; before, they may still become known. */
  readonly final: boolean;
  readonly registerNames: readonly string[];
  loopDepth: number;
  /** Whether what is not known yet counts as an integer; before, all that depends on it is put off to the next round. */
  readonly guess: boolean;
  /** Reads of variables and maps so far whose type is not known yet. */
  pending: number;
  /** Variables by name, in the blocks around. */
  readonly variables: Variables;
  /** How often what is checked now will be written out: the product of the unroll() counts around it. */
  copies: number;
  /** Expressions of the program so far, each as often as it will be written out. */
  size: number;
}
