// Random programs as data: what makes them (random-*.ts) knows nothing of what they mean, and what says that, in three ways
// (program-text.ts for the compiler, program-meaning.ts, program-in-c.ts), shares nothing but this.

export interface IntType {
  readonly bits: 8 | 16 | 32 | 64;
  readonly signed: boolean;
}

export const i64: IntType = { bits: 64, signed: true };
export const u64: IntType = { bits: 64, signed: false };
export const typeName = ({ bits, signed }: IntType): string => `${signed ? "" : "u"}int${bits}`;

export type Arithmetic = "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^" | "<<" | ">>";
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** Where a number is kept: a variable, or an entry of a map. Keys have an integer type each, given by a cast. */
export type Place =
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "entry"; readonly map: string; readonly key: readonly Expression[] };

export type Expression =
  | Place
  | { readonly kind: "literal"; readonly value: bigint; readonly hex: boolean }
  | { readonly kind: "argument"; readonly index: number }
  | { readonly kind: "unary"; readonly op: "-" | "~" | "!"; readonly of: Expression }
  | { readonly kind: "cast"; readonly type: IntType; readonly of: Expression }
  | {
      readonly kind: "binary";
      readonly op: Arithmetic | Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "logical"; readonly op: "&&" | "||"; readonly left: Expression; readonly right: Expression }
  /** Both ways are casts, so that their types are known. */
  | {
      readonly kind: "choice";
      readonly form: "?:" | "if";
      readonly condition: Expression;
      readonly yes: Cast;
      readonly no: Cast;
    }
  /** `a ?: b` */
  | { readonly kind: "or-else"; readonly value: Cast; readonly no: Cast }
  | { readonly kind: "step"; readonly by: 1 | -1; readonly prefix: boolean; readonly place: Place }
  | { readonly kind: "same-text"; readonly equal: boolean; readonly left: Text; readonly right: Text }
  | { readonly kind: "item"; readonly tuple: Tuple; readonly index: number }
  | {
      readonly kind: "same-tuple";
      readonly equal: boolean;
      readonly left: readonly Cast[];
      readonly right: readonly Cast[];
    }
  /** `{ let $t = ...; $t op= ...; $t }` */
  | { readonly kind: "block"; readonly body: readonly Statement[]; readonly value: Expression };

export type Cast = Extract<Expression, { kind: "cast" }>;

export type Text =
  | { readonly kind: "words"; readonly value: string }
  | { readonly kind: "text-variable"; readonly name: string }
  | { readonly kind: "text-entry"; readonly map: string; readonly key: Cast };

export type Tuple =
  | { readonly kind: "tuple"; readonly items: readonly Cast[] }
  | { readonly kind: "tuple-variable"; readonly name: string };

export type Statement =
  | { readonly kind: "assign"; readonly place: Place; readonly op: Arithmetic | ""; readonly value: Expression }
  /** A variable of its own block; without a type it has that of its value, a cast. */
  | { readonly kind: "let"; readonly name: string; readonly typed: boolean; readonly value: Expression }
  | { readonly kind: "effect"; readonly step: Extract<Expression, { kind: "step" }> }
  | { readonly kind: "set-text"; readonly to: Exclude<Text, { kind: "words" }>; readonly value: Text }
  | { readonly kind: "set-tuple"; readonly name: string; readonly items: readonly Cast[] }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly yes: readonly Statement[];
      readonly no: readonly Statement[];
    }
  | { readonly kind: "leave"; readonly condition: Expression; readonly how: "break" | "continue" | "return" }
  | { readonly kind: "unroll"; readonly times: number; readonly body: readonly Statement[] }
  | {
      readonly kind: "range";
      readonly variable: string;
      readonly from: number;
      readonly to: number;
      readonly body: readonly Statement[];
    }
  | { readonly kind: "while"; readonly variable: string; readonly times: number; readonly body: readonly Statement[] };

export interface Program {
  readonly seed: number;
  readonly body: readonly Statement[];
  /** Of variables of any scope, which all have names of their own, and of what maps hold. */
  readonly types: ReadonlyMap<string, IntType>;
  /** Types of tuples' items. */
  readonly tuples: ReadonlyMap<string, readonly IntType[]>;
  /** Arguments of its runs. */
  readonly inputs: readonly (readonly bigint[])[];
}

/** What maps hold after a run: by name, then by key, numbers with commas between; values as they would be unsigned, or texts. */
export type Contents = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** A program's maps one below the other, to be compared as text. */
export const describe = (contents: Contents): string =>
  Object.entries(contents)
    .flatMap(([map, entries]) => Object.entries(entries).map(([key, value]) => `${map}[${key}]=${value}`))
    .sort()
    .join("\n");
