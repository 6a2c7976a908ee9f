import { type CType, cInt } from "./c-type.js";
import type { CInteger } from "./constant-expression.js";
import type { TokenCursor } from "./token-cursor.js";
import type { CToken } from "./tokens.js";

/** The attributes that layout depends on. */
export class Attributes {
  readonly packed: boolean;
  /** 0 for none. */
  readonly align: number;
  /** Of `mode(DI)`: the type that takes the place of the declared one. */
  readonly mode: CType | undefined;

  constructor(packed = false, align = 0, mode?: CType) {
    this.packed = packed;
    this.align = align;
    this.mode = mode;
  }

  with(other: Attributes): Attributes {
    return new Attributes(this.packed || other.packed, Math.max(this.align, other.align), other.mode ?? this.mode);
  }

  withAlign(align: number): Attributes {
    return new Attributes(this.packed, Math.max(this.align, align), this.mode);
  }
}

/** `aligned` without a number: the largest alignment of the machine's types. */
const largestAlignment = 16;
const maxAlignment = 1 << 20;

/** gcc, "Specifying an attribute's machine mode". */
const modes: Readonly<Record<string, CType>> = {
  QI: cInt(1, true),
  HI: cInt(2, true),
  SI: cInt(4, true),
  DI: cInt(8, true),
  byte: cInt(1, true),
  word: cInt(8, true),
  __word__: cInt(8, true),
  pointer: cInt(8, true),
  TI: { kind: "opaque", size: 16, align: 16 },
};

/** Any number of `__attribute__((...))`; those without a bearing on layout are read over. */
export function parseAttributes(
  cursor: TokenCursor,
  constant: (tokens: readonly CToken[]) => CInteger | undefined,
): Attributes {
  let all = new Attributes();
  while (cursor.is("__attribute__") || cursor.is("__attribute") || (cursor.is("[") && cursor.is("[", 1))) {
    if (!cursor.is("[")) cursor.take();
    cursor.take();
    if (!cursor.accept("(") && !cursor.accept("["))
      cursor.fail(`expected '((' after __attribute__, found ${cursor.found()}`);
    while (!cursor.accept(")") && !cursor.accept("]")) {
      if (cursor.accept(",")) continue;
      const name = cursor.take().text.replace(/^__(.*)__$/, "$1");
      let value: readonly CToken[] | undefined;
      if (cursor.accept("(")) {
        value = cursor.until(")");
        cursor.take();
      }
      all = all.with(attribute(name, value, constant));
    }
    if (!cursor.accept(")")) cursor.expect("]", "to end the attribute");
  }
  return all;
}

function attribute(
  name: string,
  value: readonly CToken[] | undefined,
  constant: (tokens: readonly CToken[]) => CInteger | undefined,
): Attributes {
  switch (name) {
    case "packed":
      return new Attributes(true);
    case "aligned": {
      const align = value === undefined ? largestAlignment : Number(constant(value)?.value ?? 0n);
      return new Attributes(false, align > 0 && align <= maxAlignment ? align : 0);
    }
    case "mode": {
      const mode = value?.[0]?.text.replace(/^__(.*)__$/, "$1") ?? "";
      return Object.hasOwn(modes, mode) ? new Attributes(false, 0, modes[mode]) : new Attributes();
    }
    default:
      return new Attributes();
  }
}

/** `asm("...")` behind a declarator or on its own. */
export function skipAssembly(cursor: TokenCursor): boolean {
  if (!cursor.is("asm") && !cursor.is("__asm__") && !cursor.is("__asm")) return false;
  cursor.take();
  while (cursor.isName()) cursor.take();
  if (cursor.is("(")) cursor.skipBalanced();
  return true;
}
