/** Whether a pattern has a wildcard at all. */
export const hasWildcard = (pattern: string): boolean => /[*?[]/.test(pattern);

/** One place of a pattern: any run of characters, any one, one of a set, or just this one. */
type Piece = "run" | "any" | ReadonlySet<string> | { readonly just: string };

/**
 * A matcher for bpftrace's probe patterns: `*` is any run of characters, `?` one, `[abc]` one of a set (`[a-z]` a range).
 * The whole text must match. Not a regular expression: `a*a*a*a*b` would take one of those for ever.
 */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (!hasWildcard(pattern)) return (text) => text === pattern;
  const pieces = [...pattern.matchAll(/\*+|\[[^\]]+\]|[\s\S]/g)].map(([written]): Piece => {
    if (written.startsWith("*")) return "run";
    if (written === "?") return "any";
    return written.length > 1 ? setOf(written.slice(1, -1)) : { just: written };
  });
  return (text) => matches(pieces, text);
}

/** Takes the shortest run for each `*`; only the last one ever needs to be tried longer. */
function matches(pieces: readonly Piece[], text: string): boolean {
  let piece = 0;
  let at = 0;
  let runPiece = -1;
  let runEnd = 0;
  while (at < text.length) {
    const wanted = pieces[piece];
    if (wanted === "run") {
      runPiece = ++piece;
      runEnd = at;
    } else if (wanted !== undefined && fits(wanted, text[at] ?? "")) {
      piece++;
      at++;
    } else if (runPiece >= 0) {
      piece = runPiece;
      at = ++runEnd;
    } else return false;
  }
  while (pieces[piece] === "run") piece++;
  return piece === pieces.length;
}

function fits(piece: Exclude<Piece, "run">, character: string): boolean {
  if (piece === "any") return true;
  return piece instanceof Set ? piece.has(character) : "just" in piece && piece.just === character;
}

function setOf(written: string): ReadonlySet<string> {
  const set = new Set<string>();
  for (const [range, from, to] of written.matchAll(/([\s\S])-([\s\S])|[\s\S]/g)) {
    if (from === undefined || to === undefined) set.add(range);
    else for (let c = from.charCodeAt(0); c <= to.charCodeAt(0); c++) set.add(String.fromCharCode(c));
  }
  return set;
}
