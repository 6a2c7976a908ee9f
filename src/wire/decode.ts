import { assertNever } from "../base/assert-never.js";
import { decodeBytes } from "../base/byte-text.js";
import type { ShownType } from "../types/shown-type.js";
import { type Clock, clocks, type StackType } from "../types/type.js";
import {
  bufferHeader,
  cgroupPathLayout,
  cSizeOf,
  framesFollow,
  inetLayout,
  layoutOf,
  stackLayout,
  timestampLayout,
  usymLayout,
} from "./layout.js";
import type { Frame, ShownStack, Value } from "./value.js";

/** Names for the numbers that the kernel half sends; the user space of a trace knows them. */
export interface Resolver {
  /** Bytes at which str() cuts texts that it is given no length for, and what is shown behind such a text. */
  readonly cut: { readonly length: number; readonly trailer: string };
  kernelSymbol(address: bigint): SymbolText;
  userSymbol(pid: number, address: bigint): SymbolText;
  userName(uid: bigint): string;
  probeName(id: number): string;
  functionName(id: number): string;
  formatTime(nanoseconds: bigint, format: number, clock: Clock): string;
  /** Paths of a cgroup in the mounted hierarchies; `pattern` is 1 + the index of a text, or 0. */
  cgroupPath(id: bigint, pattern: number): string;
  stack(id: bigint, pid: number, type: StackType): ResolvedStack;
  /** A stack whose `count` frames stand at `at`, where they are only now. */
  frames(view: DataView, at: number, count: number, pid: number, type: StackType): ResolvedStack;
}

/** With `addresses` the frames are named each time they are asked for. */
export interface ResolvedStack {
  readonly frames: readonly Frame[];
  readonly addresses?: BigUint64Array | undefined;
  readonly missing?: string;
  /** See Value. */
  readonly shown?: ShownStack | undefined;
}

/** A name, or an address and why it has none. */
export interface SymbolText {
  readonly value: string;
  readonly unnamed?: string;
}

export type Decoder = (view: DataView, offset: number, resolver: Resolver) => Value;

function isFull(view: DataView, offset: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (view.getUint8(offset + i) === 0) return false;
  return true;
}

/** The text before the first NUL of `size` bytes. */
export function decodeText(view: DataView, offset: number, size: number): string {
  let length = 0;
  while (length < size && view.getUint8(offset + length) !== 0) length++;
  if (length < 24) {
    // Short ASCII, the usual comm or file name, is built faster by hand than by any decoder.
    let text = "";
    for (let i = 0; i < length; i++) {
      const c = view.getUint8(offset + i);
      if (c >= 0x80) return decodeBytes(new Uint8Array(view.buffer, view.byteOffset + offset, length));
      text += String.fromCharCode(c);
    }
    return text;
  }
  return decodeBytes(new Uint8Array(view.buffer, view.byteOffset + offset, length));
}

/** A decoder for a value in the layout of wire/layout.ts, built once per place. Aggregates: wire/aggregate.ts. */
export function decoderFor(type: ShownType): Decoder {
  switch (type.kind) {
    case "none":
      return () => ({ kind: "none" });
    case "int":
      return type.signed
        ? (view, at) => ({ kind: "int", value: view.getBigInt64(at, true) })
        : (view, at) => ({ kind: "int", value: view.getBigUint64(at, true) });
    case "bool":
      return (view, at) => ({ kind: "bool", value: view.getBigUint64(at, true) !== 0n });
    case "enum": {
      const names = new Map(type.values.map((v) => [v.value, v.name]));
      return (view, at) => {
        const value = type.signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
        return { kind: "enum", value, name: names.get(value) };
      };
    }
    case "pointer":
      return (view, at) => ({ kind: "pointer", value: view.getBigUint64(at, true) });
    case "string":
      return (view, at, { cut }) => {
        const value = decodeText(view, at, type.size);
        // Only a text of str() has room for just that much, and it is full: its last byte is not the NUL.
        const full = type.size === cut.length + 1 && view.getUint8(at + cut.length - 1) !== 0;
        return { kind: "string", value: full && isFull(view, at, cut.length) ? value + cut.trailer : value };
      };
    case "buffer":
      return (view, at) => {
        const length = Math.min(view.getUint32(at, true), type.size);
        return {
          kind: "buffer",
          bytes: new Uint8Array(view.buffer, view.byteOffset + at + bufferHeader, length).slice(),
        };
      };
    case "record":
    case "array":
      return cDecoderFor(type);
    case "tuple": {
      const { offsets } = layoutOf(type.items);
      const items = type.items.map(decoderFor);
      const { names } = type;
      if (names !== undefined) {
        return (view, at, resolver) => ({
          kind: "record",
          fields: items.map((decode, i) => ({
            name: names[i] ?? "",
            value: decode(view, at + (offsets[i] ?? 0), resolver),
          })),
        });
      }
      return (view, at, resolver) => ({
        kind: "tuple",
        items: items.map((decode, i) => decode(view, at + (offsets[i] ?? 0), resolver)),
      });
    }
    case "stack":
      return (view, at, resolver) => {
        const pid = view.getUint32(at + stackLayout.pid, true);
        const { user, mode } = type;
        const found = stackAt(view, at, pid, type, resolver);
        return found.addresses === undefined
          ? { kind: "stack", user, mode, ...found }
          : new StackNamedLater(user, mode, found);
      };
    case "ksym":
      return (view, at, resolver) => ({ kind: "symbol", ...resolver.kernelSymbol(view.getBigUint64(at, true)) });
    case "usym":
      return (view, at, resolver) => {
        const pid = view.getUint32(at + usymLayout.pid, true);
        return { kind: "symbol", ...resolver.userSymbol(pid, view.getBigUint64(at + usymLayout.address, true)) };
      };
    case "username":
      return (view, at, resolver) => ({ kind: "symbol", value: resolver.userName(view.getBigUint64(at, true)) });
    case "probe":
      return (view, at, resolver) => ({ kind: "symbol", value: targetName(view, at, (id) => resolver.probeName(id)) });
    case "func":
      return (view, at, resolver) => ({
        kind: "symbol",
        value: targetName(view, at, (id) => resolver.functionName(id)),
      });
    case "inet":
      return (view, at) => ({ kind: "symbol", value: decodeAddress(view, at) });
    case "timestamp":
      return (view, at, resolver) => ({
        kind: "symbol",
        value: resolver.formatTime(
          view.getBigUint64(at + timestampLayout.nanoseconds, true),
          view.getUint32(at + timestampLayout.format, true),
          clocks[view.getUint32(at + timestampLayout.clock, true)] ?? "monotonic",
        ),
      });
    case "mac":
      return (view, at) => ({ kind: "symbol", value: decodeMac(view, at) });
    case "cgroup-path":
      return (view, at, resolver) => ({
        kind: "symbol",
        value: resolver.cgroupPath(
          view.getBigUint64(at + cgroupPathLayout.id, true),
          view.getUint32(at + cgroupPathLayout.pattern, true),
        ),
      });
    case "count":
    case "sum":
    case "min":
    case "max":
    case "avg":
    case "stats":
    case "hist":
    case "lhist":
    case "tseries":
      throw new Error("internal: aggregates are decoded per CPU");
    default:
      return assertNever(type);
  }
}

/** A map may have tens of thousands: an object with a getter of its own would take a hidden class each. */
class StackNamedLater {
  readonly kind = "stack";
  readonly user: boolean;
  readonly mode: StackType["mode"];
  private readonly found: ResolvedStack;

  constructor(user: boolean, mode: StackType["mode"], found: ResolvedStack) {
    this.user = user;
    this.mode = mode;
    this.found = found;
  }

  get addresses(): BigUint64Array | undefined {
    return this.found.addresses;
  }

  get shown(): ShownStack | undefined {
    return this.found.shown;
  }

  get frames(): readonly Frame[] {
    return this.found.frames;
  }
}

function stackAt(view: DataView, at: number, pid: number, type: StackType, resolver: Resolver): ResolvedStack {
  const start = at + stackLayout.id;
  if (view.getInt32(start + 4, true) !== framesFollow) return resolver.stack(view.getBigInt64(start, true), pid, type);
  const count = view.getUint32(at + stackLayout.frames, true);
  return resolver.frames(view, at + view.getUint32(start, true), count, pid, type);
}

/** A decoder for bytes as C lays them out: whole structures and arrays that were copied. */
function cDecoderFor(type: ShownType): Decoder {
  switch (type.kind) {
    case "int":
    case "enum":
    case "bool":
    case "pointer": {
      const size = cSizeOf(type);
      const signed = "signed" in type && type.signed;
      const show = scalarFor(type);
      return (view, at) => show(readInteger(view, at, size, signed));
    }
    case "record": {
      // Built at first use: structures of the kernel have hundreds of members.
      let fields: { name: string; decode: (view: DataView, at: number, resolver: Resolver) => Value }[] | undefined;
      return (view, at, resolver) => {
        fields ??= type.fields.map((member) => {
          const byte = member.bitOffset >> 3;
          if (member.bitSize > 0) {
            const { bitOffset, bitSize, type: declared } = member;
            const signed = "signed" in declared && declared.signed;
            const show = scalarFor(declared);
            return {
              name: member.name,
              decode: (v: DataView, start: number) => show(readBits(v, start, bitOffset, bitSize, signed)),
            };
          }
          const decode = cDecoderFor(member.type);
          return { name: member.name, decode: (v: DataView, start: number, r: Resolver) => decode(v, start + byte, r) };
        });
        return { kind: "record", fields: fields.map((f) => ({ name: f.name, value: f.decode(view, at, resolver) })) };
      };
    }
    case "array": {
      const size = cSizeOf(type.of);
      const decode = cDecoderFor(type.of);
      return (view, at, resolver) => ({
        kind: "array",
        items: Array.from({ length: type.count }, (_, i) => decode(view, at + i * size, resolver)),
      });
    }
    case "string": {
      const size = cSizeOf(type);
      return (view, at) => ({ kind: "string", value: decodeText(view, at, size) });
    }
    default:
      return decoderFor(type);
  }
}

/** The value that a number stands for, by its type. */
function scalarFor(type: ShownType): (value: bigint) => Value {
  switch (type.kind) {
    case "bool":
      return (value) => ({ kind: "bool", value: value !== 0n });
    case "pointer":
      return (value) => ({ kind: "pointer", value });
    case "enum": {
      const names = new Map(type.values.map((v) => [v.value, v.name]));
      return (value) => ({ kind: "enum", value, name: names.get(value) });
    }
    default:
      return (value) => ({ kind: "int", value });
  }
}

function readInteger(view: DataView, at: number, size: number, signed: boolean): bigint {
  switch (size) {
    case 1:
      return BigInt(signed ? view.getInt8(at) : view.getUint8(at));
    case 2:
      return BigInt(signed ? view.getInt16(at, true) : view.getUint16(at, true));
    case 4:
      return BigInt(signed ? view.getInt32(at, true) : view.getUint32(at, true));
    default:
      return signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
  }
}

function readBits(view: DataView, start: number, bitOffset: number, bitSize: number, signed: boolean): bigint {
  let value = 0n;
  const first = bitOffset >> 3;
  const last = (bitOffset + bitSize - 1) >> 3;
  for (let i = last; i >= first; i--) value = (value << 8n) | BigInt(view.getUint8(start + i));
  const bits = value >> BigInt(bitOffset & 7);
  return signed ? BigInt.asIntN(bitSize, bits) : BigInt.asUintN(bitSize, bits);
}

function decodeMac(view: DataView, at: number): string {
  const bytes = Array.from({ length: 6 }, (_, i) =>
    view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, "0"),
  );
  return bytes.join(":").toUpperCase();
}

const afInet6 = 10n;

function decodeAddress(view: DataView, at: number): string {
  const family = view.getBigUint64(at + inetLayout.family, true);
  const start = at + inetLayout.address;
  if (family !== afInet6) return [0, 1, 2, 3].map((i) => view.getUint8(start + i)).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(start + 2 * i, false));
  return formatIpv6(groups);
}

/** RFC 5952, and IPv4-mapped addresses in their mixed form, as inet_ntop(3) prints them. */
function formatIpv6(groups: readonly number[]): string {
  const mapped = groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff;
  if (mapped) {
    const [high = 0, low = 0] = groups.slice(6);
    return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (groups[i + length] === 0) length++;
    if (length > best.length) best = { start: i, length };
  }
  const hex = groups.map((g) => g.toString(16));
  if (best.start < 0) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}

/** Names of attach points are numbered from 1; 0 is none, in an entry of a map that was never set. */
function targetName(view: DataView, at: number, nameOf: (id: number) => string): string {
  const number = Number(view.getBigUint64(at, true));
  return number === 0 ? "" : nameOf(number - 1);
}
