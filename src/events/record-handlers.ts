// What user space does with records: one entry a kind. What depends on the record's description alone is done once.

import { bytesIn, joinedBytes } from "../base/byte-text.js";
import { parseFormat, printfFormatter } from "../output/printf.js";
import { decoderFor, decodeText } from "../wire/decode.js";
import {
  joinLayout,
  packetLayout,
  type RecordField,
  type RecordKind,
  type RecordSpec,
  recordHeader,
} from "../wire/record.js";
import type { Value } from "../wire/value.js";
import type { Host } from "./host.js";

/** Handles a record at `offset`. What it answers is waited for before the next record is handled. */
export type RecordHandler = (host: Host, view: DataView, offset: number) => Promise<void> | void;

type Of<K extends RecordKind> = Extract<RecordSpec, { readonly kind: K }>;

type Reader<T> = (host: Host, view: DataView, offset: number) => T;

const handlers: { readonly [K in RecordKind]: (record: Of<K>) => RecordHandler } = {
  printf: (record) => {
    const textOf = formatted(record);
    return (host, view, at) => host.emit({ kind: "printf", text: textOf(host, view, at) });
  },
  errorf: (record) => complaint(record),
  warnf: (record) => complaint(record),
  system: (record) => {
    const textOf = formatted(record);
    return (host, view, at) => host.runCommand(textOf(host, view, at));
  },
  cat: (record) => {
    const textOf = formatted(record);
    return (host, view, at) => host.readFile(textOf(host, view, at));
  },
  value: ({ field }) => {
    const read = reader(field);
    return (host, view, at) => host.emit({ kind: "value", value: read(host, view, at) });
  },
  entry: ({ map, key, keySize, value }) => {
    const readKey = readers(key);
    const readValue: Reader<Value | undefined> =
      value === undefined
        ? (host, view, at) => host.entry(map, bytesOf(view, at + recordHeader, keySize))
        : reader(value);
    return (host, view, at) => {
      const found = readValue(host, view, at);
      if (found !== undefined) host.emit({ kind: "entry", name: map, key: readKey(host, view, at), value: found });
    };
  },
  map: ({ map, limits, empties }) =>
    empties === undefined ? (host) => host.printMap(map, limits) : (host) => host.takeMap(map, limits, empties),
  empty:
    ({ map, how }) =>
    (host) =>
      host.emptyMap(map, how),
  exit:
    ({ status }) =>
    (host, view, at) =>
      host.exit(status === undefined ? 0 : view.getUint8(at + status.offset)),
  time:
    ({ format }) =>
    (host) =>
      host.emit({ kind: "time", text: host.formatNow(format) }),
  join:
    ({ separator }) =>
    (host, view, at) => {
      const { count: countAt, elements, most, room } = joinLayout;
      const { trailer } = host.cut;
      const count = Number(view.getBigUint64(at + recordHeader + countAt, true));
      const parts = Array.from({ length: Math.min(count, most) }, (_, i) =>
        joinedElement(view, at + recordHeader + elements + i * room, trailer),
      );
      if (count > most) parts.push(trailer);
      host.emit({ kind: "join", text: joinedBytes(parts.join(separator)) });
    },
  packet:
    ({ path, skip }) =>
    (host, view, at) => {
      const start = at + recordHeader;
      const length = view.getUint32(start + packetLayout.kept, true);
      if (length <= skip) return;
      const bytes = bytesOf(view, start + packetLayout.bytes + skip, length - skip);
      const original = Math.max(0, view.getUint32(start + packetLayout.length, true) - skip);
      host.writePacket(path, view.getBigUint64(start + packetLayout.time, true), bytes, original);
    },
  "runtime-error":
    ({ message, span }) =>
    (host) =>
      host.emit({ kind: "runtime-error", message, span }),
  "helper-error":
    ({ helper, span }) =>
    (host, view, at) => {
      const retcode = Number(view.getBigInt64(at + recordHeader, true));
      host.emit({ kind: "helper-error", helper, retcode, span });
    },
  "tables-wanted": () => (host) => host.wantTables(),
  "pending-stack":
    ({ depth }) =>
    (host, view, at) =>
      host.pendingStack(view, at + recordHeader, depth),
};

/** The handler of a record. */
export function handlerOf<K extends RecordKind>(record: Of<K> & { readonly kind: K }): RecordHandler {
  const make = handlers[record.kind] as (record: Of<K>) => RecordHandler;
  return make(record);
}

function complaint(record: Of<"errorf" | "warnf">): RecordHandler {
  const { kind, span } = record;
  const textOf = formatted(record);
  return (host, view, at) => host.emit({ kind, text: textOf(host, view, at), span });
}

function formatted({ format, fields }: Of<"printf" | "errorf" | "warnf" | "system" | "cat">): Reader<string> {
  const textOf = printfFormatter(parseFormat(format));
  const read = readers(fields);
  return (host, view, at) => textOf(read(host, view, at));
}

function reader({ type, offset }: RecordField): Reader<Value> {
  const decode = decoderFor(type);
  return (host, view, at) => decode(view, at + offset, host);
}

function readers(fields: readonly RecordField[]): Reader<readonly Value[]> {
  const all = fields.map(reader);
  return (host, view, at) => all.map((read) => read(host, view, at));
}

const bytesOf = (view: DataView, at: number, size: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + at, size);

function joinedElement(view: DataView, at: number, trailer: string): string {
  const { size } = joinLayout;
  const text = decodeText(view, at, size);
  return bytesIn(text) === size ? decodeText(view, at, size - 1) + trailer : text;
}
