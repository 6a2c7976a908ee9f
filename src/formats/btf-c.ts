import type { BtfId } from "../base/branded.js";
import type { Btf } from "./btf.js";
import { Alignments, holes } from "./btf-holes.js";
import type { BtfMember, BtfRecord, BtfType } from "./btf-types.js";

/** Nesting behind which a damaged blob may go in circles. */
const maxDepth = 64;

/** A structure, union or enumeration as C declares it, in the layout of bpftool and of bpftrace's -lv; no end of line. */
export function definitionText(btf: Btf, id: BtfId): string {
  return `${new CText(btf).definition(btf.type(id), 0)};`;
}

/** A type as C writes it in front of a name: `struct file *`, `uid_t`. */
export function typeText(btf: Btf, id: BtfId): string {
  return new CText(btf).name(btf.type(id));
}

class CText {
  private readonly btf: Btf;
  private readonly alignments: Alignments;

  constructor(btf: Btf) {
    this.btf = btf;
    this.alignments = new Alignments(btf);
  }

  definition(type: BtfType, depth: number): string {
    const indent = "\t".repeat(depth);
    switch (type.kind) {
      case "struct":
      case "union": {
        if (type.members.length === 0) return `${tag(type.kind, type.name)} {}`;
        const packed = this.alignments.isPacked(type);
        const members = this.members(type, packed, depth + 1).map((member) => `${indent}\t${member};\n`);
        return `${tag(type.kind, type.name)} {\n${members.join("")}${indent}}${packed ? " __attribute__((packed))" : ""}`;
      }
      case "enum": {
        const values = type.values.map(({ name, value }) => `${indent}\t${name} = ${value},\n`).join("");
        return `${tag("enum", type.name)} {\n${values}${indent}}`;
      }
      default:
        return this.declare(type, "", depth);
    }
  }

  name(type: BtfType): string {
    return this.declare(type, "", 0);
  }

  /** Members, and members without names where there are holes between them. */
  private members(record: BtfRecord, packed: boolean, depth: number): readonly string[] {
    if (record.kind === "union") return record.members.map((member) => this.member(member, depth));
    const lines: string[] = [];
    let end = 0;
    let afterField = false;
    let largest = 1;
    for (const member of record.members) {
      const { type, bitOffset, bitSize } = member;
      const align = packed ? 1 : this.alignments.of(type);
      largest = Math.max(largest, align);
      lines.push(...holes(end, bitOffset, align, afterField && bitSize > 0), this.member(member, depth));
      end = bitOffset + (bitSize > 0 ? bitSize : 8 * this.btf.sizeOf(type));
      afterField = bitSize > 0;
    }
    return [...lines, ...holes(end, 8 * record.size, largest, false)];
  }

  private member({ name, type, bitSize }: BtfMember, depth: number): string {
    return this.declare(this.btf.type(type), name, depth) + (bitSize > 0 ? `: ${bitSize}` : "");
  }

  /** C's declarators are read from the inside out: what is known so far of a name goes into its type. */
  private declare(type: BtfType, name: string, depth: number): string {
    if (depth > maxDepth) return `... ${name}`;
    const to = (id: BtfId, declarator: string): string => this.declare(this.btf.type(id), declarator, depth + 1);
    switch (type.kind) {
      case "pointer": {
        const { kind } = this.withoutQualifiers(type.to);
        return to(type.to, kind === "array" || kind === "func-proto" ? `(*${name})` : `*${name}`);
      }
      case "array":
        return to(type.of, `${name}[${type.count}]`);
      case "func-proto": {
        const params = type.params.map((param, i) =>
          param.type === 0 && i === type.params.length - 1 ? "..." : to(param.type, ""),
        );
        return to(type.returns, `${name}(${params.length === 0 ? "void" : params.join(", ")})`);
      }
      case "const":
      case "volatile":
      case "restrict":
        // Of a pointer it stands behind the star, of anything else in front of its name.
        if (this.btf.type(type.to).kind === "pointer") return to(type.to, spaced(type.kind, name));
        return `${type.kind} ${to(type.to, name)}`;
      case "type-tag":
        return to(type.to, name);
      case "struct":
      case "union":
      case "enum":
        // One without a name is there only where it stands.
        return spaced(type.name === "" ? this.definition(type, depth) : tag(type.kind, type.name), name);
      case "forward":
        return spaced(tag(type.union ? "union" : "struct", type.name), name);
      case "void":
        return spaced("void", name);
      case "int":
      case "float":
      case "typedef":
      case "func":
      case "var":
      case "datasec":
      case "decl-tag":
        return spaced(type.name, name);
      default:
        return type satisfies never;
    }
  }

  private withoutQualifiers(id: BtfId): BtfType {
    let type = this.btf.type(id);
    for (let i = 0; i < maxDepth; i++) {
      if (type.kind !== "const" && type.kind !== "volatile" && type.kind !== "type-tag") break;
      type = this.btf.type(type.to);
    }
    return type;
  }
}

const tag = (keyword: string, name: string): string => (name === "" ? keyword : `${keyword} ${name}`);
const spaced = (type: string, name: string): string => (name === "" ? type : `${type} ${name}`);
