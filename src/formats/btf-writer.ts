/** Kinds and flags of include/uapi/linux/btf.h, v6.18, that a program's own BTF needs. */
const BTF_MAGIC = 0xeb9f;
const BTF_KIND_INT = 1;
const BTF_KIND_PTR = 2;
const BTF_KIND_STRUCT = 4;
const BTF_KIND_FUNC = 12;
const BTF_KIND_FUNC_PROTO = 13;
const BTF_INT_SIGNED = 1 << 24;
const BTF_FUNC_STATIC = 0;
const BTF_FUNC_GLOBAL = 1;
const headerSize = 24;

export interface FunctionDeclaration {
  readonly name: string;
  readonly params: number;
  /** Of a global function: how many bytes each argument points to, 0 of a number. */
  readonly pointsTo?: readonly number[] | undefined;
}

/** BTF that declares functions, and the type id of each, in their order. */
export interface FunctionsBtf {
  readonly bytes: Uint8Array;
  readonly ids: readonly number[];
}

/**
 * Declares functions of 64-bit integers: the verifier takes a function as a callback only if it knows it from BTF
 * as a static one (check_ld_imm(), kernel/bpf/verifier.c, v5.13 to v6.18). Global ones it looks at once, with arguments of
 * which it knows no more than their types say (btf_prepare_func_args(), kernel/bpf/btf.c; pointers since v5.12).
 * Documentation/bpf/btf.rst has the format.
 */
export function functionsBtf(functions: readonly FunctionDeclaration[]): FunctionsBtf {
  const writer = new Writer();
  const ids = functions.map((declared) => writer.declare(declared));
  return { bytes: writer.finish(), ids };
}

/** The first type. */
const long = 1;

class Writer {
  private readonly strings = new Map<string, number>();
  private stringBytes = 1;
  private readonly words: number[] = [];
  private types = 0;
  /** Ids by what they are made of. */
  private readonly made = new Map<string, number>();

  constructor() {
    this.type("long", BTF_KIND_INT, 0, 8, [BTF_INT_SIGNED | 64]);
  }

  declare({ name, params, pointsTo }: FunctionDeclaration): number {
    const types = Array.from({ length: params }, (_, i) => this.argument(pointsTo?.[i] ?? 0));
    const prototype = this.once(`function ${types.join()}`, () =>
      this.type(
        "",
        BTF_KIND_FUNC_PROTO,
        params,
        long,
        types.flatMap((type, i) => [this.text(`arg${i}`), type]),
      ),
    );
    // vlen is the linkage.
    const linkage = pointsTo === undefined ? BTF_FUNC_STATIC : BTF_FUNC_GLOBAL;
    return this.type(/^[A-Za-z_]/.test(name) ? name : `_${name}`, BTF_KIND_FUNC, linkage, prototype);
  }

  private argument(bytes: number): number {
    if (bytes === 0) return long;
    return this.once(`pointer ${bytes}`, () => {
      const memory = this.type(`memory${bytes}`, BTF_KIND_STRUCT, 0, bytes);
      return this.type("", BTF_KIND_PTR, 0, memory);
    });
  }

  private once(what: string, make: () => number): number {
    const known = this.made.get(what);
    if (known !== undefined) return known;
    const id = make();
    this.made.set(what, id);
    return id;
  }

  private type(name: string, kind: number, vlen: number, sizeOrType: number, more: readonly number[] = []): number {
    this.words.push(name === "" ? 0 : this.text(name), (kind << 24) | vlen, sizeOrType, ...more);
    return ++this.types;
  }

  private text(value: string): number {
    const known = this.strings.get(value);
    if (known !== undefined) return known;
    const at = this.stringBytes;
    this.strings.set(value, at);
    this.stringBytes += value.length + 1;
    return at;
  }

  finish(): Uint8Array {
    const typeBytes = 4 * this.words.length;
    const bytes = new Uint8Array(headerSize + typeBytes + this.stringBytes);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, BTF_MAGIC, true);
    view.setUint8(2, 1);
    [headerSize, 0, typeBytes, typeBytes, this.stringBytes].forEach((word, i) => {
      view.setUint32(4 + 4 * i, word, true);
    });
    this.words.forEach((word, i) => {
      view.setUint32(headerSize + 4 * i, word, true);
    });
    const encoder = new TextEncoder();
    for (const [value, at] of this.strings) encoder.encodeInto(value, bytes.subarray(headerSize + typeBytes + at));
    return bytes;
  }
}
