import assert from "node:assert/strict";
import { type Diagnostic, renderDiagnostic } from "../../src/base/diagnostics.js";
import { type CompileOptions, type CompileResult, compile } from "../../src/compile.js";
import type { KernelView } from "../../src/language/kernel-view.js";
import type { TypedScript } from "../../src/language/typed.js";
import type { Unit } from "../../src/unit.js";
import { FixtureKernel } from "./fixture-kernel.js";

export interface ScriptOptions extends Partial<CompileOptions> {
  readonly kernel?: KernelView;
}

/** The whole compiler over a text, for the fixture kernel unless told otherwise. */
export function compileText(text: string, options: ScriptOptions = {}): CompileResult {
  const { kernel = new FixtureKernel(), ...rest } = options;
  const defaults: CompileOptions = { settings: {}, positional: [], unsafe: false, pid: undefined, verify: true };
  return compile({ name: "test", text }, kernel, { ...defaults, ...rest });
}

/** A Unit and the script that it was compiled from. */
export interface Compiled extends Unit {
  readonly script: TypedScript;
}

/** A script that must compile. */
export function compileScript(text: string, options: ScriptOptions = {}): Compiled {
  const { unit, script, diagnostics } = compileText(text, options);
  assert.ok(unit && script, diagnostics.map(renderDiagnostic).join("\n"));
  return { ...unit, script };
}

/** What a script that is wrong is told; each as `severity code 'text of the span'`. */
export function complaints(text: string, options: ScriptOptions = {}): string[] {
  return compileText(text, options).diagnostics.map(brief);
}

/** One diagnostic in a line: severity, code and the text that it points at. */
export function brief({ severity, code, span }: Diagnostic): string {
  return `${severity} ${code} '${span === undefined ? "" : span.source.text.slice(span.start, span.end)}'`;
}

/** The only diagnostic of a script. */
export function complaint(text: string, options: ScriptOptions = {}): Diagnostic & { readonly at: string } {
  const { diagnostics } = compileText(text, options);
  const [only] = diagnostics;
  assert.ok(only !== undefined && diagnostics.length === 1, diagnostics.map(renderDiagnostic).join("\n") || "nothing");
  return { ...only, at: only.span === undefined ? "" : only.span.source.text.slice(only.span.start, only.span.end) };
}

/** All of a diagnostic in a line: `error code 'text of the span': message | hint | note 'text of its span'`. */
export function renderBrief(diagnostic: Diagnostic): string {
  const { message, hint, notes } = diagnostic;
  const at = (span: Diagnostic["span"]): string =>
    span === undefined ? "" : ` '${span.source.text.slice(span.start, span.end)}'`;
  const more = notes.map((note) => ` | ${note.message}${at(note.span)}`).join("");
  return `${brief(diagnostic)}: ${message}${hint === undefined ? "" : ` | ${hint}`}${more}`;
}

/** All that a wrong script is told, as the user sees it. */
export function compileWithErrors(text: string, options: ScriptOptions = {}): string {
  const { unit, diagnostics } = compileText(text, options);
  assert.equal(unit, undefined, "this script should not compile");
  return diagnostics.map(renderDiagnostic).join("\n");
}
