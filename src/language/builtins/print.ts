// print(): values, entries and maps in their own form.

import { none } from "../../types/type.js";
import { decoderFor } from "../../wire/decode.js";
import { isAggregate, layoutOf, sizeOf } from "../../wire/layout.js";
import type { Host } from "../action.js";
import { recordHeader } from "../action.js";
import type { Builtin } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { literalNumber, valueArg } from "./define.js";

export const print: Builtin = {
  name: "print",
  shows: true,
  params: [
    { name: "value or map", kind: "printable" },
    { name: "top", kind: "literal-int", optional: true },
    { name: "div", kind: "literal-int", optional: true },
  ],
  doc: "Prints a value, one entry of a map, or a whole map, of which top says how many entries and div what to divide values by.",
  result: (context, args) => {
    const first = args[0];
    if (first?.kind === "value" && args.length > 1) {
      context.diags.error("bad-argument", context.span, "only a map can be printed with top and div");
    }
    if (first?.kind === "entry" && context.mapTypes(first.access.map)?.value.kind === "tseries") {
      context.diags.error("bad-argument", first.span, "one series of a map cannot be printed", {
        hint: `print(${first.access.map}) shows them side by side`,
      });
    }
    return none;
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind === "map") printMap(l, first.map, literalNumber(args, 1), literalNumber(args, 2));
    else if (first?.kind === "entry") printEntry(l, first);
    else printValue(l, valueArg(args, 0));
    return undefined;
  },
};

function printMap(l: Lowering, name: string, top: bigint | undefined, div: bigint | undefined): void {
  const limits = {
    top: top === undefined ? undefined : Number(top),
    div: div === 0n ? undefined : div,
  };
  l.send(
    (size) => ({
      name: "print",
      size,
      isControl: true,
      mayWait: true,
      run: (host) => host.printMap(name, limits),
    }),
    [],
  );
}

function printValue(l: Lowering, value: TypedExpr): void {
  const decode = decoderFor(value.type);
  l.send(
    (size, offsets) => ({
      name: "print",
      size,
      run: (host, view, offset) => host.emit({ kind: "value", value: decode(view, offset + (offsets[0] ?? 0), host) }),
    }),
    [value],
  );
}

/** `print(@x[key])`: aggregates are read by user space, which sees all CPUs; other values travel themselves. */
function printEntry(l: Lowering, arg: Extract<TypedArg, { kind: "entry" }>): void {
  const { access } = arg;
  const map = l.map(access.map);
  const keyTypes = map.key ?? [];
  const { offsets, size: valueOffset } = layoutOf(keyTypes, recordHeader);
  const keySize = valueOffset - recordHeader;
  const decodeKey = keyTypes.map(decoderFor);
  const readKey = (view: DataView, offset: number, host: Host) =>
    decodeKey.map((decode, i) => decode(view, offset + (offsets[i] ?? 0), host));
  if (isAggregate(map.value)) {
    const key = l.key(access);
    l.sendRaw(
      (size) => ({
        name: "print",
        size,
        run: (host, view, offset) => {
          const bytes = new Uint8Array(view.buffer, view.byteOffset + offset + recordHeader, keySize);
          const value = host.entry(access.map, bytes);
          if (value !== undefined) {
            host.emit({ kind: "entry", name: access.map, key: readKey(view, offset, host), value });
          }
        },
      }),
      keySize,
      (dest) => l.copyFrom(dest, { base: key, offset: 0, space: "bpf" }, keySize),
    );
    return;
  }
  const decode = decoderFor(map.value);
  const valueDest = l.temporary(sizeOf(map.value), "value");
  const key = l.entry(access, valueDest);
  l.sendRaw(
    (size) => ({
      name: "print",
      size,
      run: (host, view, offset) => {
        const entry = { key: readKey(view, offset, host), value: decode(view, offset + valueOffset, host) };
        host.emit({ kind: "entry", name: access.map, ...entry });
      },
    }),
    keySize + sizeOf(map.value),
    (dest) => {
      l.copyFrom(dest, { base: key, offset: 0, space: "bpf" }, keySize);
      const at = { base: dest.base, offset: dest.offset + keySize };
      l.copyFrom(at, { ...valueDest, space: "bpf" }, sizeOf(map.value));
    },
  );
}
