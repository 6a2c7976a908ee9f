/** Kinds and flags of include/uapi/linux/btf.h, v6.18, that a program's own BTF needs. */
const BTF_MAGIC = 0xeb9f;
const BTF_KIND_INT = 1;
const BTF_KIND_FUNC = 12;
const BTF_KIND_FUNC_PROTO = 13;
const BTF_INT_SIGNED = 1 << 24;
const headerSize = 24;

export interface FunctionDeclaration {
  readonly name: string;
  readonly params: number;
}

/** BTF that declares functions, and the type id of each, in their order. */
export interface FunctionsBtf {
  readonly bytes: Uint8Array;
  readonly ids: readonly number[];
}

/**
 * Declares static functions of 64-bit integers: the verifier takes a function as a callback only if it knows it from BTF
 * as a static one (check_ld_imm(), kernel/bpf/verifier.c, v5.13 to v6.18). Documentation/bpf/btf.rst has the format.
 */
export function functionsBtf(functions: readonly FunctionDeclaration[]): FunctionsBtf {
  const strings = new Map<string, number>();
  let stringBytes = 1;
  const text = (value: string): number => {
    const known = strings.get(value);
    if (known !== undefined) return known;
    const at = stringBytes;
    strings.set(value, at);
    stringBytes += value.length + 1;
    return at;
  };
  const words: number[] = [];
  const type = (name: number, kind: number, vlen: number, sizeOrType: number): void => {
    words.push(name, (kind << 24) | vlen, sizeOrType);
  };
  type(text("long"), BTF_KIND_INT, 0, 8);
  words.push(BTF_INT_SIGNED | 64);
  let next = 2;
  const prototypes = new Map<number, number>();
  const ids = functions.map(({ name, params }) => {
    let prototype = prototypes.get(params);
    if (prototype === undefined) {
      type(0, BTF_KIND_FUNC_PROTO, params, 1);
      for (let i = 0; i < params; i++) words.push(text(`arg${i}`), 1);
      prototype = next++;
      prototypes.set(params, prototype);
    }
    // vlen is the linkage: 0 is static.
    type(text(/^[A-Za-z_]/.test(name) ? name : `_${name}`), BTF_KIND_FUNC, 0, prototype);
    return next++;
  });
  const typeBytes = 4 * words.length;
  const bytes = new Uint8Array(headerSize + typeBytes + stringBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, BTF_MAGIC, true);
  view.setUint8(2, 1);
  [headerSize, 0, typeBytes, typeBytes, stringBytes].forEach((word, i) => {
    view.setUint32(4 + 4 * i, word, true);
  });
  words.forEach((word, i) => {
    view.setUint32(headerSize + 4 * i, word, true);
  });
  const encoder = new TextEncoder();
  for (const [value, at] of strings) encoder.encodeInto(value, bytes.subarray(headerSize + typeBytes + at));
  return { bytes, ids };
}
