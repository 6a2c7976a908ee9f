import type { AstAttachPoint } from "./ast.js";
import type { TokenStream } from "./token-stream.js";

/** Which part behind the provider is a path, in which `/` does not begin a predicate. */
function pathPart(provider: string): number | undefined {
  if (/^(?:uprobe|u|uretprobe|ur|usdt|U)$/.test(provider)) return 1;
  return /^(?:iter|it)$/.test(provider) ? 2 : undefined;
}

/**
 * Reads one attach point from the text at the next token: up to white space, `,`, `{`, or the `/` of a predicate;
 * double quotes protect all of these, and a backslash in them a quote.
 */
export function parseAttachPoint(tokens: TokenStream): AstAttachPoint {
  const { lexer } = tokens;
  const text = lexer.source.text;
  const start = tokens.rewind();
  const parts: string[] = [""];
  let quoted = false;
  let at = start;
  for (; at < text.length; at++) {
    const c = text[at] ?? "";
    if (quoted && c === "\\" && at + 1 < text.length) {
      parts[parts.length - 1] += text[++at] ?? "";
      continue;
    }
    if (c === '"') {
      quoted = !quoted;
      continue;
    }
    if (!quoted) {
      if (/[\s,{}]/.test(c)) {
        // `usdt:/bin/x:p , ...` and `interval : s : 1` are not the same: only the comma may follow a space.
        break;
      }
      // `/*` in a path is a pattern: no comment begins there.
      if (c === "/" && parts.length - 1 !== pathPart(parts[0] ?? "")) break;
      if (c === ":") {
        parts.push("");
        continue;
      }
    }
    parts[parts.length - 1] += c;
  }
  if (quoted) tokens.fail("this attach point has an open quote", 'close it with "', lexer.span(start, at));
  lexer.offset = at;
  tokens.lastEnd = at;
  const provider = parts[0] ?? "";
  const span = lexer.span(start, Math.min(Math.max(at, start + 1), text.length));
  if (provider === "") tokens.fail("expected a probe, e.g. kprobe:vfs_read", undefined, span);
  return {
    span,
    provider,
    providerSpan: lexer.span(start, start + provider.length),
    parts: parts.slice(1),
    text: parts.join(":"),
  };
}
