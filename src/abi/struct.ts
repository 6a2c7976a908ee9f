import { bytesIn, encodeBytes } from "../base/byte-text.js";

/** How a field of a kernel structure is stored; all machines that we know are little-endian. */
type FieldKind = "u8" | "u16" | "u32" | "i32" | "u64" | "pointer" | `text${number}`;

/** Offset and kind of each field that we use; the rest of the structure stays zero. */
export type Fields = Readonly<Record<string, readonly [offset: number, kind: FieldKind]>>;

type FieldValue<K> = K extends "u64"
  ? bigint
  : K extends "pointer"
    ? Memory | bigint | undefined
    : K extends `text${number}`
      ? string
      : number;

export type StructValues<F extends Fields> = { readonly [N in keyof F]?: FieldValue<F[N][1]> | undefined };

/**
 * Bytes that the kernel is given by address. `keeps` holds what the pointers among them point to, so that the garbage
 * collector leaves it alone for as long as the structure itself is held.
 */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly keeps: readonly Memory[];
}

/** Tells where bytes lie in memory (the FFI's business). */
export type AddressOf = (bytes: Uint8Array) => bigint;

export interface Struct<F extends Fields> {
  readonly name: string;
  readonly size: number;
  readonly fields: F;
  encode(values: StructValues<F>, addressOf: AddressOf): Memory;
}

/** Describes a kernel structure once: offsets for the encoder and for the test that compares them with BTF. */
export function struct<const F extends Fields>(name: string, size: number, fields: F): Struct<F> {
  return {
    name,
    size,
    fields,
    encode(values, addressOf) {
      const bytes = zeroed(size);
      const view = new DataView(bytes.buffer);
      const keeps: Memory[] = [];
      for (const key in values) {
        const value: unknown = values[key];
        const field = fields[key];
        if (value === undefined || field === undefined) continue;
        if (isMemory(value)) {
          keeps.push(value);
          view.setBigUint64(field[0], addressOf(value.bytes), true);
        } else store(view, field[0], field[1], value);
      }
      return { bytes, keeps };
    },
  };
}

const isMemory = (value: unknown): value is Memory => typeof value === "object" && value !== null && "bytes" in value;

function store(view: DataView, offset: number, kind: FieldKind, value: unknown): void {
  if (typeof value === "bigint") view.setBigUint64(offset, BigInt.asUintN(64, value), true);
  else if (typeof value === "string") {
    // The kernel wants a NUL inside the field.
    const room = Number(kind.slice(4)) - 1;
    new Uint8Array(view.buffer, offset, room).set(encodeBytes(value).subarray(0, room));
  } else if (typeof value === "number") {
    if (kind === "u8") view.setUint8(offset, value);
    else if (kind === "u16") view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
  }
}

/**
 * Zeroed bytes with an address of their own: V8 keeps small typed arrays inside its moving heap, but never the contents of
 * an ArrayBuffer.
 */
export const zeroed = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(new ArrayBuffer(size));

export const memory = (bytes: Uint8Array, keeps: readonly Memory[] = []): Memory => ({ bytes, keeps });

/** A NUL-terminated string. */
export function cString(text: string): Memory {
  const encoded = encodeBytes(text);
  const bytes = zeroed(encoded.length + 1);
  bytes.set(encoded);
  return memory(bytes);
}

/** An array of strings as C sees it: pointers, and NULL behind them. */
export function cStrings(texts: readonly string[], addressOf: AddressOf): Memory {
  const all = encodeBytes(texts.map((text) => `${text}\0`).join(""));
  const strings = zeroed(all.length);
  strings.set(all);
  const start = addressOf(strings);
  const pointers = new BigUint64Array(texts.length + 1);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    pointers[i] = start + BigInt(at);
    at += bytesIn(text) + 1;
  }
  return memory(new Uint8Array(pointers.buffer), [memory(strings)]);
}

export function u64Array(values: readonly bigint[]): Memory {
  const array = new BigUint64Array(values.length);
  for (const [i, value] of values.entries()) array[i] = value;
  return memory(new Uint8Array(array.buffer));
}
