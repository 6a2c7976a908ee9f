import type { Span } from "../base/span.js";
import type { BinOp, CmpOp } from "../ir/ir.js";
import type { ParameterPlace } from "../types/dwarf-function.js";
import type { AggregateType, Member, Type } from "../types/type.js";
import type { UserMap } from "../wire/user-map.js";
import type { Builtin } from "./builtin.js";
import type { MapFunction } from "./map-function.js";
import type { ProgramVariant, Target } from "./probe.js";

/** A scratch variable of one program. */
export interface TypedVariable {
  readonly name: string;
  readonly type: Type;
}

/** A map of the script, as all its uses together have settled its types. */
export interface TypedMap extends UserMap<Type> {
  readonly span: Span;
}

export interface MapAccess {
  readonly map: string;
  /** Empty for a scalar map. */
  readonly key: readonly TypedExpr[];
  readonly span: Span;
}

/** An expression whose type is known; every implicit conversion is spelled out. */
export type TypedExpr = {
  readonly type: Type;
  readonly span: Span;
} /** `cast`: the script names its type, which does not adapt to others as a literal's does. */ & (
  | { readonly kind: "const"; readonly value: bigint; readonly cast?: boolean }
  /** A string literal. */
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "map"; readonly access: MapAccess }
  /** What a per-CPU aggregate comes to over all CPUs, as a number. */
  | { readonly kind: "total"; readonly access: MapAccess; readonly of: AggregateType }
  | { readonly kind: "arithmetic"; readonly op: BinOp; readonly left: TypedExpr; readonly right: TypedExpr }
  | { readonly kind: "compare"; readonly cmp: CmpOp; readonly left: TypedExpr; readonly right: TypedExpr }
  /** Text, arrays and tuples, byte by byte. */
  | {
      readonly kind: "compare-memory";
      readonly equal: boolean;
      readonly left: TypedExpr;
      readonly right: TypedExpr;
      /** What both are compared as, of tuples. */
      readonly common?: Type | undefined;
    }
  /** Whether the attach point is one of these; `probe == "..."`. */
  | { readonly kind: "is-target"; readonly ids: readonly number[]; readonly equal: boolean }
  | { readonly kind: "not"; readonly operand: TypedExpr }
  | { readonly kind: "logical"; readonly op: "and" | "or"; readonly left: TypedExpr; readonly right: TypedExpr }
  | { readonly kind: "ternary"; readonly condition: TypedExpr; readonly then: TypedExpr; readonly else: TypedExpr }
  /** Between registers: truncates and extends to `type`. */
  | { readonly kind: "convert"; readonly operand: TypedExpr }
  /** The same bytes seen as another type: an integer as an array of bytes, and back. */
  | { readonly kind: "reinterpret"; readonly operand: TypedExpr }
  /** What a pointer points at. */
  | { readonly kind: "deref"; readonly pointer: TypedExpr }
  /** Address of a place, as a pointer. */
  | { readonly kind: "address"; readonly place: TypedExpr }
  | { readonly kind: "member"; readonly object: TypedExpr; readonly member: Member }
  | { readonly kind: "element"; readonly object: TypedExpr; readonly index: TypedExpr }
  /** The record of a probe's arguments. */
  | { readonly kind: "args" }
  /** One of them. */
  | { readonly kind: "arg-field"; readonly field: ArgField }
  | { readonly kind: "item"; readonly object: TypedExpr; readonly index: number }
  | { readonly kind: "tuple"; readonly items: readonly TypedExpr[] }
  /** `++` and `--`; `step` is 1 or -1, or the pointee's size. */
  | { readonly kind: "step"; readonly step: bigint; readonly prefix: boolean; readonly target: AssignTarget }
  | { readonly kind: "builtin"; readonly builtin: Builtin; readonly args: readonly TypedArg[] }
  | { readonly kind: "block"; readonly body: readonly TypedStatement[]; readonly value: TypedExpr }
  /** Nothing: the value of a block that has none. */
  | { readonly kind: "nothing" }
);

/** An argument of a builtin: a value, or something that is only named. */
export type TypedArg =
  | { readonly kind: "value"; readonly value: TypedExpr }
  | { readonly kind: "literal"; readonly value: bigint | string; readonly span: Span }
  /** A whole map. */
  | { readonly kind: "map"; readonly map: string; readonly span: Span }
  /** One entry of a map, as delete() and print() take it. */
  | { readonly kind: "entry"; readonly access: MapAccess; readonly span: Span }
  /** A type: `typeof(struct file)`. */
  | { readonly kind: "type"; readonly type: Type; readonly span: Span }
  /** A bare word: `perf` in kstack(perf); of members with dots. */
  | { readonly kind: "word"; readonly word: string; readonly span: Span };

export type AssignTarget =
  | { readonly kind: "variable"; readonly name: string; readonly type: Type }
  | { readonly kind: "map"; readonly access: MapAccess; readonly type: Type };

export type TypedStatement = { readonly span: Span } & (
  | { readonly kind: "evaluate"; readonly value: TypedExpr }
  | { readonly kind: "assign"; readonly target: AssignTarget; readonly value: TypedExpr }
  /** `@x += n` and the like, on integers. */
  | { readonly kind: "update"; readonly access: MapAccess; readonly op: BinOp; readonly value: TypedExpr }
  | {
      readonly kind: "aggregate";
      readonly access: MapAccess;
      readonly type: AggregateType;
      readonly fn: MapFunction;
      readonly value: TypedExpr | undefined;
    }
  | {
      readonly kind: "if";
      readonly condition: TypedExpr;
      readonly then: readonly TypedStatement[];
      readonly else: readonly TypedStatement[];
    }
  | { readonly kind: "unroll"; readonly count: number; readonly body: readonly TypedStatement[] }
  | { readonly kind: "while"; readonly condition: TypedExpr; readonly body: readonly TypedStatement[] }
  | {
      readonly kind: "for-range";
      readonly variable: string;
      readonly from: TypedExpr;
      readonly to: TypedExpr;
      readonly body: readonly TypedStatement[];
    }
  /** The variable is a tuple: key, value. */
  | {
      readonly kind: "for-map";
      readonly variable: string;
      readonly type: Type;
      readonly map: string;
      readonly body: readonly TypedStatement[];
    }
  /** A variable begins, as zeros. */
  | { readonly kind: "declare"; readonly variable: string; readonly type: Type }
  | { readonly kind: "block"; readonly body: readonly TypedStatement[] }
  /** A value where the program has a reader for it: ProgramVariant.readsResult. */
  | { readonly kind: "return"; readonly value: TypedExpr | undefined }
  | { readonly kind: "break" }
  | { readonly kind: "continue" }
);

/** Where the value of `args.x` comes from. */
export type ArgSource =
  /** At `offset` in the program's context, as C lays it out. `endsIfNull`: the action is over if it is a null pointer. */
  | { readonly kind: "context"; readonly offset: number; readonly endsIfNull?: boolean }
  /** A tracefs `__data_loc` word at `offset`: the data's address. */
  | { readonly kind: "data-loc"; readonly offset: number; readonly relative: boolean }
  /** Argument `index` of a system call. */
  | { readonly kind: "syscall-arg"; readonly index: number }
  | { readonly kind: "syscall-number" }
  | { readonly kind: "syscall-result" }
  /** u64 number `index` of a raw tracepoint's context. */
  | { readonly kind: "slot"; readonly index: number }
  /** From u64 number `slot` of a trampoline's context on, and what the verifier takes it for: types/btf-access.ts. */
  | {
      readonly kind: "trampoline-argument" | "trampoline-result";
      readonly slot: number;
      readonly holds: "number" | "structure" | "other";
    }
  /** The kernel has it and does not show it to programs. */
  | { readonly kind: "hidden"; readonly message: string; readonly hint: string }
  /** Where the ABI puts a parameter of a function of a program. */
  | { readonly kind: "parameter"; readonly place: ParameterPlace };

export interface ArgField {
  readonly name: string;
  readonly type: Type;
  readonly source: ArgSource;
}

/** One BPF program to be: an action block for attach points that can share the code. */
export interface TypedProgram {
  readonly name: string;
  readonly variant: ProgramVariant;
  readonly targets: readonly Target[];
  /** Index of the program that this one is part of: that serves the entries of places, this action their returns. */
  readonly inSessionOf?: number | undefined;
  readonly predicate: TypedExpr | undefined;
  readonly body: readonly TypedStatement[];
  readonly variables: ReadonlyMap<string, TypedVariable>;
  readonly span: Span;
}

export interface TypedScript {
  readonly programs: readonly TypedProgram[];
  readonly maps: ReadonlyMap<string, TypedMap>;
  /** The script asks how many frames its stacks have. */
  readonly stackLengths: boolean;
  /** All attach points; a target's index is its id, which programs know as their cookie. */
  readonly targets: readonly Target[];
}
