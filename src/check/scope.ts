import type { Diagnostics } from "../base/diagnostics.js";
import type { Config } from "../language/config.js";
import type { KernelView } from "../language/kernel-view.js";
import type { ProgramVariant, Target } from "../language/probe.js";
import type { Environment } from "./environment.js";
import type { ScriptTypes } from "./preamble.js";

/** What holds for one program while its expressions and statements are checked. */
export interface Scope {
  readonly diags: Diagnostics;
  readonly env: Environment;
  readonly kernel: KernelView;
  readonly types: ScriptTypes;
  readonly config: Config;
  readonly variant: ProgramVariant;
  readonly targets: readonly Target[];
  readonly firstId: number;
  /** Ids of the targets, in their order. */
  readonly ids: readonly number[];
  readonly positional: readonly string[];
  readonly unsafe: boolean;
  readonly childPid: number | undefined;
  /** Prefix of this program's variables in the environment. */
  readonly prefix: string;
  /** In the last round unknown maps are errors; before, they may still become known. */
  readonly final: boolean;
  readonly registerNames: readonly string[];
  loopDepth: number;
  /** Whether what is not known yet counts as an integer; before, all that depends on it is put off to the next round. */
  readonly guess: boolean;
  /** Reads of variables and maps so far whose type is not known yet. */
  pending: number;
  /** Variables that have been assigned or declared above. */
  readonly known: Set<string>;
  /** How often what is checked now will be written out: the product of the unroll() counts around it. */
  copies: number;
  /** Expressions of the program so far, each as often as it will be written out. */
  size: number;
}
