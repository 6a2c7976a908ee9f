import { isAggregate } from "../wire/layout.js";
import { parseFormat } from "../wire/printf.js";
import type { CheckContext } from "./builtin.js";
import { describeType } from "./describe-type.js";
import type { TypedExpr } from "./typed.js";

/** Reports a format string that is wrong or does not fit its values. */
export function checkFormat(context: CheckContext, name: string, format: string, values: readonly TypedExpr[]): void {
  const parsed = parseFormat(format);
  const { diags, span } = context;
  for (const problem of parsed.errors) diags.error("bad-format", span, `${name}: ${problem.message}`);
  if (parsed.errors.length > 0) return;
  const wanted = parsed.conversions.length;
  if (wanted !== values.length) {
    diags.error(
      "bad-format",
      span,
      `${name}: the format has ${plural(wanted, "conversion")}, but ${plural(values.length, "value")} follow${values.length === 1 ? "s" : ""}`,
      {
        hint:
          wanted > values.length
            ? "each %d, %s ... needs a value; %% prints a percent sign"
            : "each value needs a conversion such as %d or %s",
      },
    );
    return;
  }
  for (const [i, conversion] of parsed.conversions.entries()) {
    const value = values[i];
    if (value === undefined || isAggregate(value.type)) continue;
    const kind = valueKindOf(value);
    if (!conversion.accepts.includes(kind)) {
      diags.error("bad-format", value.span, `${name}: ${conversion.text} does not print ${describeType(value.type)}`, {
        hint:
          kind === "int" || kind === "pointer"
            ? "integers are printed by %d, %u, %x, %p; str() reads the text at an address"
            : "text, symbols and stacks are printed by %s",
      });
    }
  }
}

/** Kind of the decoded value (wire/value.ts) that a type becomes. */
function valueKindOf(value: TypedExpr): string {
  switch (value.type.kind) {
    case "ksym":
    case "usym":
    case "username":
    case "probe":
    case "func":
    case "inet":
    case "timestamp":
    case "mac":
    case "cgroup-path":
      return "symbol";
    default:
      return value.type.kind;
  }
}

const plural = (n: number, word: string): string => `${n === 0 ? "no" : n} ${word}${n === 1 ? "" : "s"}`;
