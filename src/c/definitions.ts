import type { Source } from "../base/span.js";
import {
  type AddressSpace,
  charArray,
  int,
  type Member,
  none,
  pointer,
  type RecordType,
  type Type,
} from "../types/type.js";
import { type CEnum, type CRecord, type CType, plain } from "./c-type.js";
import { type CDeclarations, parseDeclarations } from "./declarations.js";
import { type Extent, Layouts } from "./layout.js";
import { expand, TooMuch } from "./macros.js";
import { predefinedMacros } from "./predefined.js";
import { type CProblem, type Headers, type Preprocessed, preprocess } from "./preprocess.js";
import { spell, tokenizeC } from "./tokens.js";

/** What C definitions need from outside. */
export interface CSurroundings {
  readonly arch: "x86_64" | "arm64";
  readonly headers: Headers;
  /** The kernel's type information is there: scripts may ask for it by BPFTRACE_HAVE_BTF. */
  readonly btf: boolean;
  /** A type that the texts use and do not define: `struct list_head`, `u32`. */
  external(name: string, space: AddressSpace): Type | undefined;
}

/** A type that was found but cannot be used, and why. */
export interface Unusable {
  readonly problem: string;
}

/**
 * The types, enumerators and macros of C texts: of a script's preamble and the headers that it includes. Nothing is read
 * before the first question.
 */
export class CDefinitions {
  private readonly sources: readonly Source[];
  private readonly around: CSurroundings;
  private read: { readonly text: Preprocessed; readonly declarations: CDeclarations } | undefined;
  private readonly types = new Map<CRecord, Map<AddressSpace, RecordType>>();
  private readonly enums = new Map<CEnum, Type>();

  constructor(sources: readonly Source[], around: CSurroundings) {
    this.sources = sources;
    this.around = around;
  }

  /** There is no text at all: every answer is no. */
  get empty(): boolean {
    return this.sources.length === 0;
  }

  private all(): { readonly text: Preprocessed; readonly declarations: CDeclarations } {
    if (this.read === undefined) {
      const { arch, headers, btf } = this.around;
      const text = preprocess(this.sources, headers, predefinedMacros(arch, headers.kernel, btf));
      const layouts = new Layouts((name) => this.externalExtent(name));
      this.read = { text, declarations: parseDeclarations(text.tokens, layouts, arch === "x86_64") };
    }
    return this.read;
  }

  /** What was wrong in the script's own text; in headers it only counts if something is missed. */
  ownProblems(): readonly CProblem[] {
    if (this.empty) return [];
    const { text, declarations } = this.all();
    const own = new Set(this.sources);
    return [...text.problems, ...declarations.problems].filter(
      ({ token, kind }) => kind === "too-much" || (token !== undefined && own.has(token.source)),
    );
  }

  /** Headers that were asked for and are not there. */
  missingHeaders(): readonly string[] {
    if (this.empty) return [];
    return [...new Set(this.all().text.problems.flatMap(({ header }) => (header === undefined ? [] : [header])))];
  }

  /** `struct Foo`, `union Foo`, `enum Foo`, or a name: a typedef, or a structure whose tag that is. */
  type(name: string, space: AddressSpace): Type | Unusable | undefined {
    if (this.empty) return undefined;
    const { declarations } = this.all();
    if (name.startsWith("enum ")) {
      const found = declarations.enums.get(name);
      return found?.defined === true ? this.enumType(found) : undefined;
    }
    if (name.includes(" ")) return this.recordNamed(name, space);
    const typedef = declarations.typedefs.get(name);
    if (typedef === undefined)
      return this.recordNamed(`struct ${name}`, space) ?? this.recordNamed(`union ${name}`, space);
    return this.usable(typedef) ?? this.convert(typedef, space);
  }

  private recordNamed(name: string, space: AddressSpace): Type | Unusable | undefined {
    const record = this.all().declarations.records.get(name);
    if (record?.definition === undefined) return undefined;
    return this.usable({ kind: "record", record }) ?? this.convertRecord(record, space);
  }

  private usable(type: CType): Unusable | undefined {
    const bare = plain(type);
    // A structure that is only declared may be the kernel's, or one that is only pointed at.
    if (bare.kind === "record" && bare.record.definition === undefined) return undefined;
    if (bare.kind === "unknown" || bare.kind === "record" || bare.kind === "array") {
      const extent = this.all().declarations.layouts.extent(bare);
      if ("problem" in extent) return extent;
    }
    return undefined;
  }

  /** A structure or union that some text mentions. */
  isDeclared(name: string): boolean {
    return !this.empty && this.all().declarations.records.has(name);
  }

  /** Names of structures and unions with their keyword, and of typedefs: for suggestions. */
  typeNames(): readonly string[] {
    if (this.empty) return [];
    const { records, typedefs, enums } = this.all().declarations;
    return [...records.values()]
      .filter((r) => r.definition !== undefined && !r.anonymous)
      .map((r) => r.name)
      .concat([...enums.keys()], [...typedefs.keys()]);
  }

  enumerator(name: string): { readonly value: bigint; readonly type: Type } | undefined {
    if (this.empty) return undefined;
    const found = this.all().declarations.enumerators.get(name);
    return found === undefined ? undefined : { value: found.value, type: this.enumType(found.of) };
  }

  /** What a macro without parameters stands for, fully expanded; undefined if there is none of that name. */
  macro(name: string): string | undefined {
    const macro = this.empty ? undefined : this.all().text.macros.get(name);
    if (macro === undefined || macro.parameters !== undefined) return undefined;
    return this.expanded(name);
  }

  /** What a call of a function-like macro stands for; undefined if there is none of that name. */
  macroCall(name: string, args: readonly string[]): string | undefined {
    const macro = this.empty ? undefined : this.all().text.macros.get(name);
    return macro?.parameters === undefined ? undefined : this.expanded(`${name}(${args.join(", ")})`);
  }

  private expanded(text: string): string | undefined {
    const { macros, budget } = this.all().text;
    const tokens = tokenizeC({ name: "<macro>", text });
    try {
      return spell(expand(tokens, macros, budget));
    } catch (error) {
      if (error instanceof TooMuch) return undefined;
      throw error;
    }
  }

  private externalExtent(name: string): Extent | undefined {
    const type = this.around.external(name, "kernel");
    return type === undefined ? undefined : extentOf(type);
  }

  private enumType(of: CEnum): Type {
    let type = this.enums.get(of);
    if (type === undefined) {
      type = { kind: "enum", name: of.name, size: of.size, signed: of.signed, values: of.values };
      this.enums.set(of, type);
    }
    return type;
  }

  private convert(type: CType, space: AddressSpace): Type {
    switch (type.kind) {
      case "void":
      case "function":
      // The language has no floating point.
      case "opaque":
        return none;
      case "bool":
        return int(1, false);
      case "int":
        return int(type.size, type.signed);
      case "pointer":
        return pointer(this.convert(type.to, type.user ? "user" : space), type.user ? "user" : space);
      case "array": {
        const element = plain(type.of);
        if (element.kind === "int" && element.char === true) return charArray(type.count);
        return { kind: "array", of: this.convert(type.of, space), count: type.count };
      }
      case "aligned":
        return this.convert(type.of, space);
      case "record":
        return this.convertRecord(type.record, space);
      case "enum":
        return this.enumType(type.of);
      case "unknown":
        return this.around.external(type.name, space) ?? none;
    }
  }

  private convertRecord(record: CRecord, space: AddressSpace): RecordType {
    let bySpace = this.types.get(record);
    if (bySpace === undefined) {
      bySpace = new Map();
      this.types.set(record, bySpace);
    }
    let type = bySpace.get(space);
    if (type === undefined) {
      const external = record.definition === undefined ? this.around.external(record.name, space) : undefined;
      type = external?.kind === "record" ? external : this.recordType(record, space);
      bySpace.set(space, type);
    }
    return type;
  }

  private recordType(record: CRecord, space: AddressSpace): RecordType {
    const { layouts } = this.all().declarations;
    const layout = layouts.record(record);
    if ("problem" in layout) return { kind: "record", name: record.name, size: 0, members: () => [] };
    let members: readonly Member[] | undefined;
    return {
      kind: "record",
      name: record.name,
      size: layout.size,
      // Converted when they are asked for: headers define structures that reach all others.
      members: () => {
        members ??= layout.members.map(({ name, type, bitOffset, bitSize }) => ({
          name,
          type: this.convert(type, space),
          bitOffset,
          bitSize,
        }));
        return members;
      },
    };
  }
}

/** Size and alignment of a type that did not come from C, as C has them. */
export function extentOf(type: Type): Extent | undefined {
  switch (type.kind) {
    case "int":
    case "enum":
      return { size: type.size, align: type.size };
    case "bool":
      return { size: 1, align: 1 };
    case "pointer":
      return { size: 8, align: 8 };
    case "string":
      return { size: type.chars ?? type.size, align: 1 };
    case "array": {
      const element = extentOf(type.of);
      return element === undefined ? undefined : { size: element.size * type.count, align: element.align };
    }
    case "record": {
      let align = 1;
      for (const member of type.members()) align = Math.max(align, extentOf(member.type)?.align ?? 1);
      // A member at an odd place says that the structure is packed.
      while (align > 1 && type.size % align !== 0) align /= 2;
      return type.size === 0 ? undefined : { size: type.size, align };
    }
    default:
      return undefined;
  }
}
