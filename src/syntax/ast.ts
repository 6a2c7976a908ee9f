import type { BinaryOp } from "../base/c-operators.js";
import type { Source, Span } from "../base/span.js";

/**
 * A type as it is written: `uint64`, `struct task_struct *`, `int32*[4]*`. What follows the base is read from left to right:
 * `*` makes a pointer to all before it, a number an array of as many.
 */
export interface AstType {
  readonly kind: "type-name";
  readonly span: Span;
  /** Base name; `struct`, `union` and `enum` tags keep their keyword: `struct file`. Empty with `typeOf`. */
  readonly name: string;
  /** `typeof(expression)` in place of a name. */
  readonly typeOf: AstExpr | undefined;
  /** 0 stands for `[]`, whose length the value decides. */
  readonly suffixes: readonly ("*" | number)[];
}

/** `comptime`: the operand must be known when the script is compiled. */
export type UnaryOp = "-" | "!" | "~" | "*" | "&" | "+" | "comptime";
export type StepOp = "++" | "--";
export type { BinaryOp };

export interface AstMap {
  readonly kind: "map";
  readonly span: Span;
  /** With the `@`; the anonymous map is `@`. */
  readonly name: string;
  /** Undefined without brackets. */
  readonly keys: readonly AstExpr[] | undefined;
}

export interface AstVariable {
  readonly kind: "variable";
  readonly span: Span;
  /** With the `$`. */
  readonly name: string;
}

export interface AstCall {
  readonly kind: "call";
  readonly span: Span;
  readonly name: string;
  readonly nameSpan: Span;
  readonly args: readonly AstExpr[];
}

export type AstExpr =
  | { readonly kind: "int"; readonly span: Span; readonly value: bigint }
  | { readonly kind: "string"; readonly span: Span; readonly value: string }
  | { readonly kind: "bool"; readonly span: Span; readonly value: boolean }
  /** A builtin without parentheses, an enumerator, or a macro without arguments. */
  | { readonly kind: "name"; readonly span: Span; readonly name: string }
  /** `$1`; 0 is `$0`. */
  | { readonly kind: "positional"; readonly span: Span; readonly index: number }
  | { readonly kind: "positional-count"; readonly span: Span }
  | AstVariable
  | AstMap
  | AstCall
  | { readonly kind: "unary"; readonly span: Span; readonly op: UnaryOp; readonly operand: AstExpr }
  | {
      readonly kind: "step";
      readonly span: Span;
      readonly op: StepOp;
      readonly prefix: boolean;
      readonly target: AstMap | AstVariable;
    }
  | {
      readonly kind: "binary";
      readonly span: Span;
      readonly op: BinaryOp;
      readonly left: AstExpr;
      readonly right: AstExpr;
    }
  | {
      readonly kind: "ternary";
      readonly span: Span;
      readonly condition: AstExpr;
      readonly then: AstExpr;
      readonly else: AstExpr;
    }
  | { readonly kind: "cast"; readonly span: Span; readonly type: AstType; readonly operand: AstExpr }
  | {
      readonly kind: "member";
      readonly span: Span;
      readonly object: AstExpr;
      readonly name: string;
      readonly nameSpan: Span;
      readonly arrow: boolean;
    }
  | { readonly kind: "item"; readonly span: Span; readonly object: AstExpr; readonly index: number }
  | { readonly kind: "index"; readonly span: Span; readonly object: AstExpr; readonly index: AstExpr }
  | { readonly kind: "tuple"; readonly span: Span; readonly items: readonly AstExpr[] }
  /** `(a=1, b="x")` */
  | { readonly kind: "record"; readonly span: Span; readonly fields: readonly AstField[] }
  /** `typeof(T)` as an argument: a type that a macro puts in. */
  | { readonly kind: "type"; readonly span: Span; readonly type: AstType }
  | {
      readonly kind: "typeinfo";
      readonly span: Span;
      readonly type: AstType | undefined;
      readonly operand: AstExpr | undefined;
    }
  | {
      readonly kind: "sizeof";
      readonly span: Span;
      readonly type: AstType | undefined;
      readonly operand: AstExpr | undefined;
    }
  | { readonly kind: "offsetof"; readonly span: Span; readonly type: AstType; readonly path: readonly string[] }
  /** `{ statements; value }`; a macro's body may have no value. */
  | {
      readonly kind: "block";
      readonly span: Span;
      readonly body: readonly AstStatement[];
      readonly value: AstExpr | undefined;
    };

export interface AstField {
  readonly kind: "field";
  readonly span: Span;
  readonly name: string;
  readonly value: AstExpr;
}

export type AssignOp = "=" | "+=" | "-=" | "*=" | "/=" | "%=" | "&=" | "|=" | "^=" | "<<=" | ">>=";

export type AstStatement =
  | { readonly kind: "expression"; readonly span: Span; readonly value: AstExpr }
  | {
      readonly kind: "assign";
      readonly span: Span;
      readonly target: AstMap | AstVariable;
      readonly op: AssignOp;
      readonly value: AstExpr;
    }
  | { readonly kind: "discard"; readonly span: Span; readonly value: AstExpr }
  | {
      readonly kind: "let";
      readonly span: Span;
      readonly variable: AstVariable;
      readonly type: AstType | undefined;
      readonly value: AstExpr | undefined;
    }
  | {
      readonly kind: "if";
      readonly span: Span;
      readonly condition: AstExpr;
      readonly then: readonly AstStatement[];
      readonly else: readonly AstStatement[];
    }
  | { readonly kind: "unroll"; readonly span: Span; readonly count: AstExpr; readonly body: readonly AstStatement[] }
  | { readonly kind: "while"; readonly span: Span; readonly condition: AstExpr; readonly body: readonly AstStatement[] }
  | {
      readonly kind: "for-range";
      readonly span: Span;
      readonly variable: AstVariable;
      readonly from: AstExpr;
      readonly to: AstExpr;
      readonly body: readonly AstStatement[];
    }
  | {
      readonly kind: "for-map";
      readonly span: Span;
      readonly variable: AstVariable;
      readonly map: AstMap;
      readonly body: readonly AstStatement[];
    }
  | { readonly kind: "block-statement"; readonly span: Span; readonly body: readonly AstStatement[] }
  | { readonly kind: "return"; readonly span: Span; readonly value: AstExpr | undefined }
  | { readonly kind: "break"; readonly span: Span }
  | { readonly kind: "continue"; readonly span: Span };

/** One attach point as written, e.g. `kprobe:vfs_*`; its parts are read by the probe type's entry. */
export interface AstAttachPoint {
  readonly span: Span;
  /** First part: the probe type's name or alias, as written. */
  readonly provider: string;
  readonly providerSpan: Span;
  /** The other parts, split at `:` outside of quotes, quotes removed. */
  readonly parts: readonly string[];
  /** The whole text without quotes. */
  readonly text: string;
}

export interface AstProbe {
  readonly span: Span;
  readonly attachPoints: readonly AstAttachPoint[];
  readonly predicate: AstExpr | undefined;
  readonly body: readonly AstStatement[];
}

export interface AstConfig {
  readonly span: Span;
  readonly key: string;
  readonly keySpan: Span;
  readonly value: string;
  readonly valueSpan: Span;
}

/** `import "path";` */
export interface AstImport {
  readonly span: Span;
  readonly path: string;
}

/** `let @m = lruhash(100);` */
export interface AstMapDeclaration {
  readonly span: Span;
  /** With the `@`. */
  readonly name: string;
  /** Kind of map as it is written. */
  readonly type: string;
  readonly typeSpan: Span;
  readonly maxEntries: bigint;
  readonly entriesSpan: Span;
}

/** `$x`, `@m` or a plain name, which stands for any expression. */
export interface AstParameter {
  readonly span: Span;
  readonly name: string;
  readonly kind: "variable" | "map" | "expression";
}

export interface AstMacro {
  readonly span: Span;
  readonly name: string;
  readonly nameSpan: Span;
  readonly parameters: readonly AstParameter[];
  readonly body: readonly AstStatement[];
  readonly value: AstExpr | undefined;
}

export interface AstProgram {
  readonly source: Source;
  /** The parts of the script that are C: preprocessor lines, and definitions of types. */
  readonly preamble: readonly Span[];
  readonly config: readonly AstConfig[];
  readonly imports: readonly AstImport[];
  readonly maps: readonly AstMapDeclaration[];
  readonly macros: readonly AstMacro[];
  readonly probes: readonly AstProbe[];
}
