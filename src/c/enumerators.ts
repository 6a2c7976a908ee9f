import { parseAttributes } from "./attributes.js";
import type { CEnum } from "./c-type.js";
import type { CInteger } from "./constant-expression.js";
import { CSyntaxError, type TokenCursor } from "./token-cursor.js";
import { type CToken, spell } from "./tokens.js";

type Enumerator = CEnum["values"][number];

/** What stands between the braces of an enum; `define` is told each at once, since the next may use it. */
export function parseEnumerators(
  cursor: TokenCursor,
  constant: (tokens: readonly CToken[]) => CInteger | undefined,
  define: (name: string, value: bigint) => void,
): readonly Enumerator[] {
  const values: Enumerator[] = [];
  let next = 0n;
  while (!cursor.accept("}")) {
    const token = cursor.take();
    const { text: name } = token;
    if (token.kind !== "name") throw new CSyntaxError(`expected the name of an enumerator, found '${name}'`, token);
    parseAttributes(cursor, constant);
    if (cursor.accept("=")) {
      const tokens = cursor.until(",", "}");
      const value = constant(tokens);
      if (value === undefined)
        throw new CSyntaxError(`the value of '${name}', '${spell(tokens)}', is no constant that is known`, token);
      next = value.value;
    }
    values.push({ name, value: next });
    define(name, next);
    next++;
    if (!cursor.accept(",") && !cursor.is("}")) cursor.fail(`expected ',' or '}' in an enum, found ${cursor.found()}`);
  }
  return values;
}

/** The type that gcc gives an enum: int or unsigned int, wider ones if a value needs it, the smallest if it is packed. */
export function completeEnum(
  of: CEnum,
  values: readonly Enumerator[],
  fixedSize: CEnum["size"] | undefined,
  packed: boolean,
): void {
  of.values = values;
  of.defined = true;
  of.signed = values.some((v) => v.value < 0n);
  const wide = values.some((v) => v.value >= (of.signed ? 1n << 31n : 1n << 32n) || v.value < -(1n << 31n));
  of.size = fixedSize ?? (wide ? 8 : packed ? smallest(values) : 4);
}

function smallest(values: readonly Enumerator[]): 1 | 2 | 4 {
  const fits = (bits: number): boolean =>
    values.every(({ value }) => BigInt.asIntN(bits, value) === value || BigInt.asUintN(bits, value) === value);
  return fits(8) ? 1 : fits(16) ? 2 : 4;
}
