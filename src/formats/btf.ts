import { type BtfId, btfId } from "../base/branded.js";
import { FormatError } from "../base/errors.js";
import { decodeType } from "./btf-decode.js";
import { type BtfMemberRef, memberIn, membersIn } from "./btf-members.js";
import { kindOf, kinds, type RawKind, scan, sections } from "./btf-scan.js";
import type { BtfNamedKind, BtfRecord, BtfType } from "./btf-types.js";
import { NameIndex } from "./name-index.js";

export type { BtfMemberRef } from "./btf-members.js";
export type { BtfEnum, BtfMember, BtfNamedKind, BtfParam, BtfRecord, BtfType } from "./btf-types.js";

/** Longer chains of typedefs and qualifiers, or arrays of arrays, than any compiler makes; a loop in a broken blob. */
const maxChain = 64;

/**
 * Type information of a kernel or module. Parsing only finds where each type begins; a type is decoded when it is asked
 * for and names are hashed at the first {@link find}, because vmlinux has 126,000 types of which a script uses ten.
 */
export class Btf {
  /** Ids run from 1 to `count`, those of the base included. */
  readonly count: number;
  private readonly base: Btf | undefined;
  /** First id of this blob: 1, or what follows the base's. */
  private readonly firstId: number;
  /** The type section. */
  private readonly words: Uint32Array;
  /** Word index of type `firstId + i`. */
  private readonly starts: Uint32Array;
  private readonly strings: Buffer;
  /** String offsets below this belong to the base. */
  private readonly firstString: number;
  private readonly decoded = new Map<number, BtfType>();
  private index: NameIndex | undefined;

  private constructor(words: Uint32Array, starts: Uint32Array, strings: Buffer, base: Btf | undefined) {
    this.words = words;
    this.starts = starts;
    this.strings = strings;
    this.base = base;
    this.firstId = base === undefined ? 1 : base.count + 1;
    this.firstString = base === undefined ? 0 : base.firstString + base.strings.length;
    this.count = this.firstId + starts.length - 1;
  }

  /** Scans a blob (`/sys/kernel/btf/vmlinux`); `base` is vmlinux for the split BTF of a module. */
  static parse(bytes: Uint8Array, base?: Btf): Btf {
    const { types, strings, layout } = sections(bytes);
    return new Btf(types, scan(types, layout), strings, base);
  }

  /** The type with that id; 0 is void, an id that the blob does not have is a FormatError. */
  type(id: BtfId): BtfType {
    if (id === 0) return { kind: "void" };
    if (id < this.firstId && this.base !== undefined) return this.base.type(id);
    const known = this.decoded.get(id);
    if (known !== undefined) return known;
    const start = this.startOf(id);
    const type = decodeType(this.words, start, this.rawKindAt(start), this);
    this.decoded.set(id, type);
    return type;
  }

  /** The first type of that kind with that name, the base's before the module's own. */
  find(name: string, kind: BtfNamedKind): BtfId | undefined {
    return this.base?.find(name, kind) ?? this.findOwn(name, kind);
  }

  /** The same among the module's own types; of a kernel's BTF it is {@link find}. */
  findOwn(name: string, kind: BtfNamedKind): BtfId | undefined {
    if (name === "") return undefined;
    for (const i of this.nameIndex().find(name)) {
      if (this.rawKindAt(this.starts[i] ?? 0) === kind || (kind === "enum" && this.isEnum64(i))) {
        return btfId(this.firstId + i);
      }
    }
    return undefined;
  }

  /** Ids of all types of a kind, ascending, those of the base included. */
  *ids(kind: BtfType["kind"]): Generator<BtfId> {
    if (this.base !== undefined) yield* this.base.ids(kind);
    yield* this.ownIds(kind);
  }

  /** The same without those of the base. */
  *ownIds(kind: BtfType["kind"]): Generator<BtfId> {
    for (let i = 0; i < this.starts.length; i++) {
      const raw = this.rawKindAt(this.starts[i] ?? 0);
      if (raw === kind || (raw === "enum64" && kind === "enum")) yield btfId(this.firstId + i);
    }
  }

  /** Names of all types of a kind that have one, in the order of ids; a name may come twice. */
  *names(kind: BtfNamedKind): Generator<string> {
    for (const id of this.ids(kind)) {
      const name = this.nameOf(id);
      if (name !== "") yield name;
    }
  }

  /** The name of a type without decoding the rest of it; empty if it has none. */
  nameOf(id: BtfId): string {
    if (id === 0) return "";
    if (id < this.firstId && this.base !== undefined) return this.base.nameOf(id);
    return this.string(this.words[this.startOf(id)] ?? 0);
  }

  /** Follows typedefs, qualifiers and type tags to what the type really is. */
  strip(id: BtfId): { readonly id: BtfId; readonly type: BtfType } {
    let at = id;
    for (let i = 0; i < maxChain; i++) {
      const type = this.type(at);
      switch (type.kind) {
        case "typedef":
        case "const":
        case "volatile":
        case "restrict":
        case "type-tag":
          at = type.to;
          break;
        default:
          return { id: at, type };
      }
    }
    throw new FormatError(`BTF: type ${id} is a typedef of itself`);
  }

  /** `user`, `percpu`, `rcu` ... : the type tags between a pointer and what it points to, or on any type. */
  tagsOf(id: BtfId): readonly string[] {
    const tags: string[] = [];
    let at = id;
    for (let i = 0; i < maxChain; i++) {
      const type = this.type(at);
      if (type.kind === "type-tag") tags.push(type.name);
      else if (type.kind !== "typedef" && type.kind !== "const" && type.kind !== "volatile" && type.kind !== "restrict")
        return tags;
      at = type.to;
    }
    throw new FormatError(`BTF: type ${id} is a typedef of itself`);
  }

  /** Size in bytes as C's sizeof sees it; void, functions and forward declarations have 0. */
  sizeOf(id: BtfId): number {
    let count = 1;
    let at = id;
    for (let i = 0; i < maxChain; i++) {
      const { type } = this.strip(at);
      switch (type.kind) {
        case "int":
        case "struct":
        case "union":
        case "enum":
        case "float":
        case "datasec":
          return sizeTimes(type.size, count);
        case "pointer":
          return sizeTimes(8, count);
        case "array":
          count = sizeTimes(type.count, count);
          at = type.of;
          break;
        case "var":
          at = type.type;
          break;
        default:
          return 0;
      }
    }
    throw new FormatError(`BTF: type ${id} is an array of itself`);
  }

  /** A structure or union behind typedefs and qualifiers, or undefined if the type is none. */
  recordOf(id: BtfId): BtfRecord | undefined {
    const { type } = this.strip(id);
    return type.kind === "struct" || type.kind === "union" ? type : undefined;
  }

  /** The member of a structure or union by name, also inside its anonymous members. */
  memberOf(id: BtfId, name: string): BtfMemberRef | undefined {
    const record = this.recordOf(id);
    return record === undefined ? undefined : memberIn(this, record, name);
  }

  /** The member of a structure by their names; undefined if there is no such structure, or it has none. */
  structMember(structure: string, name: string): BtfMemberRef | undefined {
    const id = this.find(structure, "struct");
    return id === undefined ? undefined : this.memberOf(id, name);
  }

  /** Named members in order of declaration, those of anonymous members in their place. */
  membersOf(id: BtfId): readonly BtfMemberRef[] {
    const record = this.recordOf(id);
    return record === undefined ? [] : membersIn(this, record);
  }

  private startOf(id: BtfId): number {
    const start = this.starts[id - this.firstId];
    if (start === undefined) throw new FormatError(`BTF: there is no type ${id}, only ${this.count}`);
    return start;
  }

  private rawKindAt(start: number): RawKind {
    return kinds[kindOf(this.words[start + 1] ?? 0)] ?? "void";
  }

  private isEnum64(i: number): boolean {
    return this.rawKindAt(this.starts[i] ?? 0) === "enum64";
  }

  private nameIndex(): NameIndex {
    if (this.index !== undefined) return this.index;
    const offsets = new Uint32Array(this.starts.length);
    for (let i = 0; i < offsets.length; i++) {
      const offset = this.words[this.starts[i] ?? 0] ?? 0;
      // A name that a module shares with vmlinux lies in the base's strings; index it by what it is there.
      offsets[i] = offset === 0 ? 0xffffffff : offset - this.firstString;
      if (offset !== 0 && offset < this.firstString) return this.indexWithBase();
    }
    this.index = new NameIndex(this.strings, offsets, 0);
    return this.index;
  }

  /** Modules are small: their index is made of a copy of the names. */
  private indexWithBase(): NameIndex {
    const offsets = new Uint32Array(this.starts.length);
    const parts: string[] = [];
    let at = 0;
    for (let i = 0; i < offsets.length; i++) {
      const name = this.string(this.words[this.starts[i] ?? 0] ?? 0);
      offsets[i] = name === "" ? 0xffffffff : at;
      if (name === "") continue;
      parts.push(name, "\0");
      at += Buffer.byteLength(name) + 1;
    }
    this.index = new NameIndex(Buffer.from(parts.join(""), "utf8"), offsets, 0);
    return this.index;
  }

  /** Text of the string section, the base's included. */
  string(offset: number): string {
    if (offset < this.firstString) return this.base?.string(offset) ?? "";
    const start = offset - this.firstString;
    const end = this.strings.indexOf(0, start);
    if (start >= this.strings.length || end < 0) throw new FormatError(`BTF: no string at offset ${offset}`);
    return this.strings.toString("utf8", start, end);
  }

  /**
   * Before kind_flag (pahole 1.13, 2018) the width of a bit field stood in an int type of its own; 0 for other types.
   * Nothing is decoded for it: a structure that is being decoded may lead back to itself.
   */
  oldBitField(id: BtfId): number {
    let at = id;
    for (let i = 0; i < maxChain && at !== 0; i++) {
      if (at < this.firstId && this.base !== undefined) return this.base.oldBitField(at);
      const start = this.startOf(at);
      const size = this.words[start + 2] ?? 0;
      switch (this.rawKindAt(start)) {
        case "int": {
          const bits = (this.words[start + 3] ?? 0) & 0xff;
          return bits === size * 8 ? 0 : bits;
        }
        case "typedef":
        case "const":
        case "volatile":
        case "restrict":
        case "type-tag":
          at = btfId(size);
          break;
        default:
          return 0;
      }
    }
    return 0;
  }
}

function sizeTimes(size: number, count: number): number {
  const bytes = size * count;
  if (!Number.isSafeInteger(bytes)) throw new FormatError(`BTF: ${count} elements of ${size} bytes are too many`);
  return bytes;
}
