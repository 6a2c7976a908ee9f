/** Whether a pattern has a wildcard at all. */
export const hasWildcard = (pattern: string): boolean => /[*?[]/.test(pattern);

/**
 * A matcher for bpftrace's probe patterns: `*` is any run of characters, `?` one, `[abc]` one of a set. The whole text
 * must match.
 */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (!hasWildcard(pattern)) return (text) => text === pattern;
  const source = pattern.replace(/\[[^\]]+\]|[\s\S]/g, (piece) => {
    if (piece === "*") return ".*";
    if (piece === "?") return ".";
    if (piece.length > 1) return `[${piece.slice(1, -1).replace(/[\\\]]/g, "\\$&")}]`;
    return piece.replace(/[\\^$.+(){}|[\]/]/g, "\\$&");
  });
  const expression = new RegExp(`^(?:${source.replace(/(?:\.\*)+/g, ".*")})$`, "s");
  return (text) => expression.test(text);
}
