import { FormatError } from "../base/errors.js";

// BTF_KIND_*: include/uapi/linux/btf.h, Linux 6.12.
export const kinds = [
  "void",
  "int",
  "pointer",
  "array",
  "struct",
  "union",
  "enum",
  "forward",
  "typedef",
  "volatile",
  "const",
  "restrict",
  "func",
  "func-proto",
  "var",
  "datasec",
  "float",
  "decl-tag",
  "type-tag",
  "enum64",
] as const;
export type RawKind = (typeof kinds)[number];

// What follows the 12 bytes of struct btf_type, in 32-bit words: a fixed part, and a part per vlen.
const fixedWords = Uint8Array.of(0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0);
const wordsPerItem = Uint8Array.of(0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3);

// Until 2026 vlen had 16 bits and kind 5, and the bits between them had to be 0 (kernel/bpf/btf.c, btf_check_meta(), Linux
// 6.12); "bpf: Extend BTF UAPI vlen, kinds to use unused bits" (libbpf f7a6b9eaff3e) gave them to both.
export const kindOf = (info: number): number => (info >>> 24) & 0x7f;
export const vlenOf = (info: number): number => info & 0xffffff;

interface Sections {
  readonly types: Uint32Array;
  readonly strings: Buffer;
  /** For each kind the size in bytes of its fixed part and of an item (struct btf_layout, 2026); empty in older blobs. */
  readonly layout: DataView;
}

/** Finds the parts of a blob and checks that they lie within it. */
export function sections(bytes: Uint8Array): Sections {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 24) throw new FormatError(`BTF: ${bytes.length} bytes are fewer than its header`);
  const magic = view.getUint16(0, true);
  // Blobs of both byte orders exist, but the kernel gives its own, and we run on little-endian machines only.
  if (magic === 0x9feb) throw new FormatError("BTF: is of a big-endian machine");
  if (magic !== 0xeb9f) throw new FormatError("BTF: does not begin with its magic number");
  const version = view.getUint8(2);
  if (version !== 1) throw new FormatError(`BTF: is of version ${version}, not 1`);
  const header = view.getUint32(4, true);
  const section = (what: string, at: number, align: number): Uint8Array => {
    const start = header + view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (header < 24 || start % align !== 0 || start + length > bytes.length) {
      throw new FormatError(`BTF: its ${what} (${length} bytes at ${start}) do not fit into ${bytes.length} bytes`);
    }
    return bytes.subarray(start, start + length);
  };
  const types = section("types", 8, 4);
  const strings = section("strings", 16, 1);
  if (types.length % 4 !== 0) throw new FormatError("BTF: its types end within a word");
  if (strings.length === 0 || strings[strings.length - 1] !== 0) throw new FormatError("BTF: its strings have no end");
  const layout = header >= 32 ? section("layout", 24, 4) : new Uint8Array(0);
  const aligned = types.byteOffset % 4 === 0 ? types : types.slice();
  return {
    types: new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4),
    strings: Buffer.from(strings.buffer, strings.byteOffset, strings.length),
    layout: new DataView(layout.buffer, layout.byteOffset, layout.length),
  };
}

/** The word index at which each type starts. Kinds that are newer than this code are stepped over if the blob says how. */
export function scan(words: Uint32Array, layout: DataView): Uint32Array {
  const starts = new Uint32Array(Math.floor(words.length / 3));
  const length = words.length;
  let count = 0;
  let at = 0;
  while (at < length) {
    const info = words[at + 1] ?? 0;
    const kind = kindOf(info);
    starts[count++] = at;
    if (kind === 0 || kind >= kinds.length) {
      if (kind === 0 || 4 * kind + 4 > layout.byteLength) {
        throw new FormatError(`BTF: type ${count} is of unknown kind ${kind}`);
      }
      at += 3 + Math.ceil((layout.getUint8(4 * kind) + layout.getUint8(4 * kind + 1) * vlenOf(info)) / 4);
    } else at += 3 + (fixedWords[kind] as number) + (wordsPerItem[kind] as number) * vlenOf(info);
  }
  if (at !== length) throw new FormatError("BTF: the last type is cut off");
  return starts.slice(0, count);
}
