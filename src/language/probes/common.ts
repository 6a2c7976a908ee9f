import { hasWildcard } from "../../base/glob.js";
import { nearest } from "../../base/nearest.js";
import type { BindContext } from "../probe.js";

/** Reports an attach point whose parts are not of the form that its type wants. */
export function wrongForm(context: BindContext, forms: readonly string[], message: string): readonly never[] {
  context.diags.error("bad-attach-point", context.span, message, { hint: `it is written ${forms.join(" or ")}` });
  return [];
}

/**
 * Reports that nothing on this machine is what an attach point means, in bpftrace's words, and why. A wildcard may find
 * nothing: it is said, and only if its probe has no other attach point the script is wrong (check/bind.ts).
 */
export function noMatches(context: BindContext, why: string, hint?: string): readonly never[] {
  const { diags, missing, span, written } = context;
  const what = `No matches for ${written}`;
  const extra = { hint, notes: [{ message: why }] };
  if (missing === "warn" || (missing === "error" && hasWildcard(written)))
    diags.warning("unknown-probe", span, `${what}. Skipping.`, extra);
  else if (missing === "error") diags.error("unknown-probe", span, `${what}.`, extra);
  return [];
}

/** As the script has written it. */
export const probeType = ({ written }: BindContext): string => written.split(" ")[0] ?? written;

/** Reports that nothing on this machine has that name, and what has one like it. */
export function unknownProbe(
  context: BindContext,
  why: string,
  wanted: string,
  known: Iterable<string>,
  more?: string,
): readonly never[] {
  const near = hasWildcard(wanted) ? undefined : nearest(wanted, known);
  const hint = [near === undefined ? undefined : `did you mean '${near}'?`, more]
    .filter((part) => part !== undefined)
    .join(" ");
  return noMatches(context, why, hint || undefined);
}

const nanoseconds: Readonly<Record<string, bigint>> = { s: 1_000_000_000n, ms: 1_000_000n, us: 1_000n };
const durations: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};

/** `s:5`, `hz:99`, `100ms` or a number of nanoseconds, as interval and profile take them; undefined if it is none. */
export function parsePeriod(
  parts: readonly string[],
): { readonly period: bigint } | { readonly frequency: bigint } | undefined {
  if (parts.length === 1) {
    const match = /^([0-9][0-9_]*)(ns|us|ms|s|m|h|d)?$/.exec(parts[0] ?? "");
    if (match === null) return undefined;
    const period = BigInt((match[1] ?? "0").replaceAll("_", "")) * (durations[match[2] ?? "ns"] ?? 1n);
    return period > 0n ? { period } : undefined;
  }
  const [unit = "", text = ""] = parts;
  const count = parseCount(text);
  if (parts.length !== 2 || count === undefined || count === 0n) return undefined;
  if (unit === "hz") return { frequency: count };
  const factor = nanoseconds[unit];
  return factor === undefined ? undefined : { period: count * factor };
}

/** A whole number as scripts write them: `1000`, `1_000`, `1e6`, `0x10`. */
export function parseCount(text: string): bigint | undefined {
  const digits = text.replaceAll("_", "");
  if (/^(?:0x[0-9a-f]+|[0-9]+)$/i.test(digits)) return BigInt(digits);
  const scientific = /^([0-9]+)e([0-9]{1,2})$/.exec(digits);
  return scientific === null ? undefined : BigInt(scientific[1] ?? "0") * 10n ** BigInt(scientific[2] ?? "0");
}
