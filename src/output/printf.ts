import { joinedBytes } from "../base/byte-text.js";
import type { ParsedFormat } from "../wire/printf.js";
import type { Value } from "../wire/value.js";
import { formatterOf } from "./printf-format.js";

export { parseFormat } from "../wire/printf.js";

/**
 * The function that makes the text of a format from its values, one for each conversion: all that depends on the format
 * alone is done here, once. Bytes that are next to each other in the text may be a character, wherever they came from.
 */
export function printfFormatter(format: ParsedFormat): (values: readonly Value[]) => string {
  const first = format.pieces[0] ?? "";
  const steps = format.conversions.map((conversion, i) => ({
    apply: formatterOf(conversion),
    after: format.pieces[i + 1] ?? "",
  }));
  return (values) => {
    if (values.length < steps.length) throw new Error("internal: printf has too few values");
    let text = first;
    let i = 0;
    for (const { apply, after } of steps) {
      const value = values[i++];
      if (value !== undefined) text += apply(value) + after;
    }
    return joinedBytes(text);
  };
}

/** The same for a format that is used once. */
export const formatPrintf = (format: ParsedFormat, values: readonly Value[]): string => printfFormatter(format)(values);
