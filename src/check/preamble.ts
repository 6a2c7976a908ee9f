import type { BtfId } from "../base/branded.js";
import type { Diagnostics } from "../base/diagnostics.js";
import type { Source, Span } from "../base/span.js";
import { CDefinitions, type Unusable } from "../c/definitions.js";
import type { Headers } from "../c/preprocess.js";
import { namedType } from "../language/c-type.js";
import type { KernelView } from "../language/kernel-view.js";
import { typeFromBtf } from "../types/from-btf.js";
import type { AddressSpace, Type } from "../types/type.js";

/**
 * Directories of the kernel's headers: what they define, the kernel's type information has too, and more truly. Such
 * headers are not even read as long as that knows all that a script asks for.
 */
const kernelHeader =
  /^(?:linux|asm|asm-generic|net|uapi|trace|scsi|kernel|drivers|sound|xen|rdma|crypto|acpi|media|soc|target|vdso|generated)\//;
const include = /^#\s*include\s*[<"]([^>"\n]+)[>"]/;

/** Types of a program that is traced, by name. */
export type TypeFinder = (name: string, space: AddressSpace) => Type | undefined;

/** The types and constants that a script can name: those of its own C, of the headers that it includes, and the kernel's. */
export class ScriptTypes {
  private readonly c: CDefinitions;
  private readonly kernel: KernelView;
  private readonly kernelFirst: boolean;
  private kernelEnumerators: ReadonlyMap<string, { readonly value: bigint; readonly id: BtfId }> | undefined;

  constructor(c: CDefinitions, kernel: KernelView, kernelFirst: boolean) {
    this.c = c;
    this.kernel = kernel;
    this.kernelFirst = kernelFirst;
  }

  /** By `struct file`, `enum E`, a typedef's or a base type's name. */
  find(name: string, space: AddressSpace, traced?: TypeFinder): Type | Unusable | undefined {
    // Names of the language are not to be redefined; namedType without a kernel knows only those.
    const own = namedType(name, space, undefined);
    if (own !== undefined) return own;
    // What the script defines itself, then what the program does that the probe is in, then what the kernel does.
    const kernels = this.kernelFirst ? (traced?.(name, space) ?? namedType(name, space, this.kernel)) : undefined;
    const scripts = kernels ?? (this.c.empty ? undefined : this.c.type(name, space));
    return scripts ?? traced?.(name, space) ?? namedType(name, space, this.kernel);
  }

  enumerator(name: string): { readonly value: bigint; readonly type: Type } | undefined {
    if (!this.kernelFirst) {
      const own = this.c.enumerator(name);
      if (own !== undefined) return own;
    }
    const btf = this.kernel.btf();
    const found = this.enumerators().get(name);
    if (found !== undefined && !("missing" in btf))
      return { value: found.value, type: typeFromBtf(btf, found.id, "kernel") };
    return this.c.enumerator(name);
  }

  private enumerators(): ReadonlyMap<string, { readonly value: bigint; readonly id: BtfId }> {
    if (this.kernelEnumerators === undefined) {
      const all = new Map<string, { value: bigint; id: BtfId }>();
      const btf = this.kernel.btf();
      if (!("missing" in btf)) {
        for (const id of btf.ids("enum")) {
          const type = btf.type(id);
          if (type.kind !== "enum") continue;
          for (const { name, value } of type.values) if (!all.has(name)) all.set(name, { value, id });
        }
      }
      this.kernelEnumerators = all;
    }
    return this.kernelEnumerators;
  }

  /** Known by name, if nothing more: `struct foo;`. */
  isDeclared(name: string): boolean {
    return this.c.isDeclared(name);
  }

  /** Names for suggestions. */
  typeNames(): readonly string[] {
    return this.c.typeNames();
  }

  /** What to add to a message about something unknown: it may be in a header that was not found. */
  missingHeaderHint(): string | undefined {
    const missing = this.c.missingHeaders().map((name) => `'${name}'`);
    if (missing.length === 0) return undefined;
    const [headers, are] = missing.length === 1 ? ["header", "was"] : ["headers", "were"];
    return `perhaps it is in the ${headers} ${missing.join(", ")}, which ${are} not found: -I adds a directory to search`;
  }
}

export interface Preamble {
  readonly definitions: CDefinitions;
  readonly types: ScriptTypes;
}

/** The C of a script: what its preamble and the headers of `--include` say. What is wrong in the preamble is reported. */
export function readPreamble(
  pieces: readonly Span[],
  included: readonly string[],
  headers: Headers,
  kernel: KernelView,
  diags: Diagnostics,
): Preamble {
  const sources = sourcesOf(pieces, included);
  // A script without C pays nothing: not even the kernel's type information is read for it.
  const btf = sources.length > 0 && !("missing" in kernel.btf());
  const definitions = new CDefinitions(sources, {
    arch: kernel.arch,
    headers,
    btf,
    external: (name, space) => namedType(name, space, kernel),
  });
  const names = pieces.map((piece) => include.exec(textOf(piece))?.[1]).concat(included);
  const kernelFirst = btf && names.every((name) => name !== undefined && kernelHeader.test(name));
  if (sources.length > 0 && !kernelFirst) report(definitions, pieces, diags);
  return { definitions, types: new ScriptTypes(definitions, kernel, kernelFirst) };
}

const textOf = ({ source, start, end }: Span): string => source.text.slice(start, end);

/**
 * A source of C for each source of the script: the same text with all that is no C blanked, so that places stay the same.
 */
function sourcesOf(pieces: readonly Span[], included: readonly string[]): readonly Source[] {
  const bySource = new Map<Source, Span[]>();
  for (const piece of pieces) {
    const list = bySource.get(piece.source);
    if (list === undefined) bySource.set(piece.source, [piece]);
    else list.push(piece);
  }
  const sources: Source[] = [];
  if (included.length > 0) {
    const text = included.map((name) => `#include "${name}"\n`).join("");
    sources.push({ name: "--include", text });
  }
  for (const [source, list] of bySource) sources.push({ name: source.name, text: masked(source.text, list) });
  return sources;
}

function masked(text: string, pieces: readonly Span[]): string {
  let out = "";
  for (const { start, end } of pieces) {
    const gap = text.slice(out.length, start).replace(/[^\n]/g, " ");
    // bpftrace lets the semicolon behind a definition be left out; the line of a directive must stay as it is.
    out += (out === "" || !gap.startsWith(" ") ? gap : `;${gap.slice(1)}`) + text.slice(start, end);
  }
  return `${out}\n`;
}

function report(definitions: CDefinitions, pieces: readonly Span[], diags: Diagnostics): void {
  for (const { kind, message, token } of definitions.ownProblems()) {
    const at = pieces.find((piece) => token !== undefined && piece.source.name === token.source.name)?.source;
    const span =
      at === undefined || token === undefined
        ? undefined
        : { source: at, start: token.at, end: token.at + token.text.length };
    // A header may be for another kernel or for a machine with headers: what it would have defined decides.
    if (kind === "missing-header") diags.warning("missing-header", span, message);
    else diags.error(kind === "bad-declaration" ? "bad-declaration" : "preprocessor", span, message);
  }
}
