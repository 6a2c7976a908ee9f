/** A text that spans point into: a script file, the argument of -e, an included header. */
export interface Source {
  /** What messages call it: a path, or `stdin` for a script given on the command line, as bpftrace says. */
  readonly name: string;
  readonly text: string;
}

/** A range of UTF-16 offsets in a source, `end` exclusive. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
  /** The call of the macro whose body this is in. */
  readonly calledFrom?: Span;
}

/** From the start of `a` to the end of `b`; both are of one source. */
export function cover(a: Span, b: Span): Span {
  return { source: a.source, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

export interface Position {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units. */
  readonly column: number;
  /** The text of that line, without its end. */
  readonly lineText: string;
}

export function positionOf(source: Source, offset: number): Position {
  const at = Math.max(0, Math.min(offset, source.text.length));
  const lineStart = source.text.lastIndexOf("\n", at - 1) + 1;
  const newline = source.text.indexOf("\n", lineStart);
  const lineEnd = newline < 0 ? source.text.length : newline;
  let line = 1;
  for (let i = source.text.indexOf("\n"); i >= 0 && i < lineStart; i = source.text.indexOf("\n", i + 1)) line++;
  return { line, column: at - lineStart + 1, lineText: source.text.slice(lineStart, lineEnd) };
}
