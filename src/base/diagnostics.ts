import { positionOf, type Span } from "./span.js";

export type Severity = "error" | "warning";

/** Something to say about the user's script: what, where, why and what to do. */
export interface Diagnostic {
  readonly severity: Severity;
  /** Stable, kebab-case: what tests and JSON readers match. */
  readonly code: string;
  readonly span: Span | undefined;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Further places and facts. */
  readonly notes: readonly { readonly message: string; readonly span?: Span }[];
}

export interface DiagnosticExtra {
  readonly hint?: string | undefined;
  readonly notes?: Diagnostic["notes"];
}

/** Past this many errors a run says nothing new; the rest are counted in {@link Diagnostics.suppressed}. */
const maxErrors = 20;

/** Collects what the stages say; the pipeline stops at a stage's end when {@link failed}. */
export class Diagnostics {
  readonly list: Diagnostic[] = [];
  /** Errors that were not kept because there were too many. */
  suppressed = 0;
  private errors = 0;

  get failed(): boolean {
    return this.errors > 0;
  }

  error(code: string, span: Span | undefined, message: string, extra: DiagnosticExtra = {}): void {
    this.add("error", code, span, message, extra);
  }

  warning(code: string, span: Span | undefined, message: string, extra: DiagnosticExtra = {}): void {
    this.add("warning", code, span, message, extra);
  }

  private add(severity: Severity, code: string, span: Span | undefined, message: string, extra: DiagnosticExtra): void {
    const same = this.list.some(
      (d) => d.code === code && d.message === message && d.span?.start === span?.start && d.span?.end === span?.end,
    );
    if (same) return;
    if (severity === "error" && ++this.errors > maxErrors) {
      this.suppressed++;
      return;
    }
    this.list.push({ severity, code, span, message, hint: extra.hint, notes: extra.notes ?? [] });
  }
}

/**
 * A diagnostic as text of several lines: `name:line:column-column: ERROR: message`, the source line, carets below the
 * range, then notes and `HINT:`. Same frame as bpftrace's, so that editors that know one know the other.
 */
export function renderDiagnostic(diagnostic: Diagnostic): string {
  const label = diagnostic.severity.toUpperCase();
  const lines = [headAndFrame(diagnostic.span, label, diagnostic.message), ...callFrames(diagnostic.span, label)];
  for (const note of diagnostic.notes) lines.push(headAndFrame(note.span, "NOTE", note.message));
  if (diagnostic.hint !== undefined) lines.push(`HINT: ${diagnostic.hint}`);
  return lines.join("\n");
}

/** Which calls of macros have led to a place, the innermost first. */
export function callFrames(span: Span | undefined, label: string): readonly string[] {
  const frames: string[] = [];
  for (let from = span?.calledFrom; from !== undefined; from = from.calledFrom)
    frames.push(headAndFrame(from, label, "expanded from"));
  return frames;
}

/** Tabs would move the marks, and others do things to a terminal. */
const controls = /\p{Cc}/gu;

function headAndFrame(span: Span | undefined, label: string, message: string): string {
  if (span === undefined) return `${label}: ${message}`;
  const from = positionOf(span.source, span.start);
  const to = positionOf(span.source, Math.max(span.start, span.end));
  const oneLine = from.line === to.line;
  const where = oneLine
    ? `${from.line}:${from.column}-${Math.max(to.column, from.column + 1)}`
    : `${from.line}-${to.line}`;
  const endColumn = oneLine ? Math.max(to.column, from.column + 1) : from.lineText.length + 1;
  // Very long lines are cut around the range so that the frame stays readable.
  const cut = Math.max(0, Math.min(from.column - 1 - 60, from.lineText.length - 160));
  const shown = from.lineText.slice(cut, cut + 160).replace(controls, " ");
  const carets = "~".repeat(Math.max(1, Math.min(endColumn - from.column, 160 - (from.column - 1 - cut))));
  return `${span.source.name}:${where}: ${label}: ${message}\n${shown}\n${" ".repeat(from.column - 1 - cut)}${carets}`;
}
