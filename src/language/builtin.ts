import type { Diagnostics } from "../base/diagnostics.js";
import type { Span } from "../base/span.js";
import type { Value } from "../ir/ir.js";
import type { AddressSpace, StackType, Type } from "../types/type.js";
import type { Emptying } from "../wire/record.js";
import type { Config } from "./config.js";
import type { KernelView, Missing, UserSymbol } from "./kernel-view.js";
import type { Dest, Lowering } from "./lowering.js";
import type { Parameters } from "./parameters.js";
import type { ProgramVariant } from "./probe.js";
import type { TypedArg, TypedExpr } from "./typed.js";
import type { UserStacks } from "./user-stacks.js";

/** What a parameter takes. */
export type ParamKind =
  /** An integer or what converts to one. */
  | "int"
  /** A string value. */
  | "string"
  /** An address: a pointer or an integer. */
  | "address"
  | "any"
  /** Anything, where the name of an attach point or function is its text. */
  | "text"
  | "literal-int"
  | "literal-string"
  /** A map as a whole. */
  | "map"
  /** `typeof(T)`. */
  | "type"
  /** `a`, `a.b`. */
  | "member-path"
  /** `@m[key]`. */
  | "entry"
  /** A bare word, e.g. a stack mode. */
  | "word"
  /** A variable that takes the value of the entry that is the first argument. */
  | "receiver"
  /** A map, an entry, or any value. */
  | "printable"
  | "entry-or-map"
  | "word-or-int";

export interface Param {
  readonly name: string;
  readonly kind: ParamKind;
  readonly optional?: boolean;
  /** A positional parameter given here is its text, even if that is a number. */
  readonly positionalText?: boolean;
  /** Takes all the arguments that are left. */
  readonly rest?: boolean;
  /** An entry whose key may be the next argument: `delete(@m, key)` is another way to write `delete(@m[key])`. */
  readonly keyFollows?: boolean;
}

export interface CheckContext {
  readonly span: Span;
  readonly variant: ProgramVariant;
  readonly kernel: KernelView;
  /** A type by its name: the script's own, then the kernel's. */
  findType(name: string, space: AddressSpace): Type | undefined;
  readonly config: Config;
  readonly diags: Diagnostics;
  /** Names of the script's targets that this program serves, for messages. */
  readonly probeName: string;
  /** Name of their probe type; begin and end are `special`. */
  readonly probeType: string;
  /** Keys and value of a map, undefined before its first use is known. */
  mapTypes(name: string): { readonly key: readonly Type[] | undefined; readonly value: Type } | undefined;
  readonly unsafe: boolean;
  readonly parameters: Parameters;
  /** Process of the command given with -c. */
  readonly childPid: number | undefined;
  /** There are processes whose files' tables of unwinding are read. */
  readonly hasUnwindTargets: boolean;
  /** How ustack takes stacks. The first to ask has it decided. */
  userStacks(): UserStacks;
  /** Registers that reg() knows, as struct pt_regs names them. */
  registerNames(): readonly string[];
  /** Stacks must know how many frames they have. */
  wantStackLengths(): void;
  /** A symbol of the file that this uprobe is in. */
  userSymbol(name: string): UserSymbol | Missing;
}

/** Everything about one builtin: how it is called, what it means, its kernel half and its user half. */
export interface Builtin {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly doc: string;
  /** May stand without parentheses. */
  readonly bare?: boolean;
  /** Undefined: only without parentheses. */
  readonly params?: readonly Param[];
  /** Needs --unsafe. */
  readonly unsafe?: boolean;
  /** Kernel release since which its helper exists, for the documentation. */
  readonly since?: string;
  /** Where the program would have to fire for it to be of use, for the documentation. */
  readonly probes?: string;
  /** Ends the action: what follows is not run. */
  readonly leaves?: boolean;
  /** May end the action. */
  readonly mayLeave?: boolean;
  /** Whether it sends a record of its own on the way to its value. */
  readonly sends?: (type: Type) => boolean;
  /** Sends its values to be shown: stacks among them travel with their frames. */
  readonly shows?: boolean;
  /** Empties the map that is its first argument, or sets its values to zero. */
  readonly empties?: Emptying;
  /** Prints the whole map that is its first argument, if it is one. */
  readonly printsMaps?: boolean;
  /** What the action uses, asked before attach points are chosen. */
  readonly uses?: "args" | "argN" | "kernel-stack" | "typed-args";
  /** Changes what the function returns, which the kernel lets only some links do. */
  readonly overrides?: boolean;
  /** Which of the probe's arguments it is, counted from 0. */
  readonly argument?: number;
  /** Type of the result; reports arguments that the parameter kinds do not rule out. */
  result(context: CheckContext, args: readonly TypedArg[]): Type;
  /** Turns the call into another expression, instead of lowering it itself. */
  rewrite?(context: CheckContext, args: readonly TypedArg[], type: Type): TypedExpr | undefined;
  /** Kernel half of a builtin whose result fits a register, or has none. */
  value?(l: Lowering, args: readonly TypedArg[], type: Type): Value | undefined;
  /** Kernel half of a builtin whose result lives in memory. */
  into?(l: Lowering, args: readonly TypedArg[], type: Type, dest: Dest, clean: boolean): void;
  /**
   * The other kernel half of a stack, which is the same however often one run of a program takes it: puts the frames at an
   * address and answers how many bytes they are, or an errno.
   */
  takeFrames?(l: Lowering, type: StackType, to: Value): Value;
}
