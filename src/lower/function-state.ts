import type { FunctionBuilder, Variable } from "../ir/builder.js";
import type { BlockId, Value } from "../ir/ir.js";
import type { Dest } from "../language/lowering.js";

export interface LoopTargets {
  readonly next: BlockId;
  readonly done: BlockId;
}

/** What belongs to the function that is being built: the program itself, or the body of a loop that a helper calls. */
export interface FunctionState {
  readonly b: FunctionBuilder;
  /** Where all ways out meet. */
  readonly exit: BlockId;
  readonly loops: LoopTargets[];
  /** Variables that fit a register and that only this function uses. */
  readonly registers: Map<string, Variable>;
  /** Where variables are that live in memory. */
  readonly homes: Map<string, Dest>;
  scratchBase: Value | undefined;
  /** Id of the attach point, where it was computed. */
  id: Value | undefined;
  /** Address of the {@link FrameLayout}; in the program, if it has loops. */
  frame: Value | undefined;
  readonly isCallback: boolean;
}

/**
 * What a program shares with the callbacks of its loops: a piece of the program's stack, given to them by address. The
 * verifier keeps track of pointers in it (kernel/bpf/verifier.c, check_stack_read(), any frame of the call chain).
 */
export interface FrameLayout {
  readonly context: number;
  readonly scratch: number;
  /** 1 once the action is to be left. */
  readonly left: number;
  readonly id: number;
  /** What the action's result is, once it is to be left. */
  readonly result: number;
  /** Offset by name: captured variables, and the first numbers of loops by their key. */
  readonly variables: ReadonlyMap<string, number>;
  readonly starts: ReadonlyMap<object, number>;
  readonly size: number;
}
