import type { Diagnostics } from "../base/diagnostics.js";
import type { Source } from "../base/span.js";
import type { ImportReader } from "../language/import-reader.js";
import { standardLibrary } from "../language/standard-library.js";
import type { AstImport, AstProgram } from "../syntax/ast.js";
import { parse } from "../syntax/parser.js";

/** A script with all that it imports, directly or not; each file once. */
export interface Imported {
  readonly program: AstProgram;
  /** Absolute paths of C headers. */
  readonly headers: readonly string[];
}

/** A chain of imports longer than this is a mistake. */
const mostFiles = 1000;

/** Reads what a script imports: probes, macros, map declarations and C of scripts come before the importing one's. */
export function resolveImports(program: AstProgram, reader: ImportReader, diags: Diagnostics): Imported {
  if (program.imports.length === 0) return { program, headers: [] };
  const walk = new Walk(reader, diags);
  walk.add(program, true);
  const { programs, headers } = walk;
  const all = <T>(of: (each: AstProgram) => readonly T[]): readonly T[] => programs.flatMap(of);
  const merged: AstProgram = {
    ...program,
    preamble: all((each) => each.preamble),
    maps: all((each) => each.maps),
    macros: all((each) => each.macros),
    probes: all((each) => each.probes),
  };
  return { program: merged, headers };
}

class Walk {
  readonly programs: AstProgram[] = [];
  readonly headers: string[] = [];
  private readonly reader: ImportReader;
  private readonly diags: Diagnostics;
  private readonly seen = new Set<string>();

  constructor(reader: ImportReader, diags: Diagnostics) {
    this.reader = reader;
    this.diags = diags;
  }

  add(program: AstProgram, root: boolean): void {
    if (root) this.seen.add(program.source.name);
    for (const wanted of program.imports) this.follow(wanted, program.source);
    const [config] = program.config;
    if (!root && config !== undefined) {
      this.diags.error(
        "config-in-import",
        config.span,
        "invalid `config` within import: only the script that is run has settings",
        {
          hint: "move the config block there",
        },
      );
    }
    this.programs.push(program);
  }

  private follow({ path, span }: AstImport, from: Source): void {
    const found = this.reader.read(path, from.name);
    if ("problem" in found) {
      // A file of that name would come first.
      const parts = standardLibrary(path);
      for (const [name, text] of parts) this.addText(name, text);
      if (parts.size > 0) return;
      this.diags.error("import", span, `cannot import '${path}': ${found.problem}`, { hint: found.hint });
      return;
    }
    for (const file of found) {
      if (file.kind === "header" && this.seen.has(file.path)) continue;
      if (this.seen.size >= mostFiles) {
        this.diags.error("import", span, `more than ${mostFiles} files are imported`);
        return;
      }
      if (file.kind === "script") this.addText(file.path, file.text);
      else {
        this.seen.add(file.path);
        this.headers.push(file.path);
      }
    }
  }

  private addText(name: string, text: string): void {
    if (this.seen.has(name)) return;
    this.seen.add(name);
    this.add(parse({ name, text }, this.diags, true), false);
  }
}
