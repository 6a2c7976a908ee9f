// What a script says, and what it does to maps and to the trace: records that user space acts on in their order.

import { formatPrintf } from "../../output/printf.js";
import { none, type Type } from "../../types/type.js";
import { decoderFor } from "../../wire/decode.js";
import { isAggregate, layoutOf, sizeOf } from "../../wire/layout.js";
import { type ParsedFormat, parseFormat } from "../../wire/printf.js";
import type { Host } from "../action.js";
import { recordHeader } from "../action.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { checkFormat } from "../check-format.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { builtin, expressions, literalNumber, literalText, valueArg } from "./define.js";

const formatParams = [
  { name: "format", kind: "literal-string" },
  { name: "values", kind: "any", optional: true, rest: true },
] as const;

/** printf, system and cat: format string and values; `act` gets the text. */
function formatted(
  name: string,
  doc: string,
  act: (host: Host, text: string) => void,
  extra: Partial<Builtin> = {},
): Builtin {
  return {
    name,
    doc,
    params: formatParams,
    ...extra,
    result: (context, args) => {
      checkFormat(context, name, literalText(args, 0), expressions(args.slice(1)));
      return none;
    },
    value: (l, args) => {
      const format = parseFormat(literalText(args, 0));
      const values = expressions(args.slice(1));
      sendFormatted(l, name, format, values, act);
      return undefined;
    },
  };
}

function sendFormatted(
  l: Lowering,
  name: string,
  format: ParsedFormat,
  values: readonly TypedExpr[],
  act: (host: Host, text: string) => void,
): void {
  const decoders = values.map((v) => decoderFor(v.type));
  l.send(
    (size, offsets) => ({
      name,
      size,
      run: (host, view, offset) =>
        act(
          host,
          formatPrintf(
            format,
            decoders.map((decode, i) => decode(view, offset + (offsets[i] ?? 0), host)),
          ),
        ),
    }),
    values,
  );
}

const printf = formatted("printf", "Prints text in the format of printf(3).", (host, text) =>
  host.emit({ kind: "printf", text }),
);
const system = formatted(
  "system",
  "Runs a command with /bin/sh, with the tracer's rights, and prints what it says.",
  (host, text) => host.runCommand(text),
  { unsafe: true },
);
const cat = formatted("cat", "Prints the contents of a file; the name is made as printf makes text.", (host, text) =>
  host.readFile(text),
);

const print: Builtin = {
  name: "print",
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
    div: div === undefined || div === 0n ? undefined : Number(div),
  };
  l.send(
    (size) => ({
      name: "print",
      size,
      run: (host) => host.emit({ kind: "map", map: { ...host.snapshot(name), ...limits } }),
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

const wholeMap = (name: string, doc: string, act: (host: Host, map: string) => void): Builtin =>
  builtin({
    name,
    params: [{ name: "map", kind: "map" }],
    type: none,
    doc,
    value: (l, args) => {
      const map = args[0]?.kind === "map" ? args[0].map : "";
      l.send((size) => ({ name, size, run: (host) => act(host, map) }), []);
      return undefined;
    },
  });

const clear = wholeMap("clear", "Removes all entries of a map.", (host, map) => host.clearMap(map));
const zero = wholeMap("zero", "Sets all values of a map to zero and keeps its keys.", (host, map) => host.zeroMap(map));

const remove: Builtin = {
  name: "delete",
  params: [
    { name: "entry or map", kind: "entry-or-map" },
    { name: "key", kind: "any", optional: true },
  ],
  doc: "Removes an entry of a map, in the kernel at once: delete(@m[key]), delete(@m, key), or delete(@m) for a map without keys. True if it was there.",
  result: ({ diags, mapTypes }, args) => {
    const first = args[0];
    if (first?.kind === "entry" && first.access.key.length === 0) {
      const { map } = first.access;
      if (mapTypes(map)?.key !== undefined) {
        const hint = `delete(${map}[key]) removes one entry, clear(${map}) all of them`;
        diags.error("bad-argument", first.span, `${map} has keys: which entry is to be removed?`, { hint });
      }
    }
    return { kind: "bool" };
  },
  value: (l, args) => {
    const first = args[0];
    if (first?.kind !== "entry") throw new Error("internal: delete of no entry");
    return l.deleteEntry(first.access);
  },
};

const exit: Builtin = {
  name: "exit",
  params: [{ name: "code", kind: "int", optional: true }],
  doc: "Ends the trace, with this exit status; nothing after it in the action is run.",
  leaves: true,
  result: () => none,
  value: (l, args) => {
    const code = args[0]?.kind === "value" ? args[0].value : undefined;
    l.send(
      (size, offsets) => ({
        name: "exit",
        size,
        run: (host, view, offset) =>
          host.exit(code === undefined ? 0 : Number(view.getBigInt64(offset + (offsets[0] ?? 0), true)) & 0xff),
      }),
      code === undefined ? [] : [code],
      // A trace must end when its script says so, however full the ring is.
      () => l.requestExit(code === undefined ? l.b.const(0) : l.b.bin("and", l.value(code), l.b.const(0xff))),
    );
    l.leave();
    return undefined;
  },
};

/** Elements that join() prints at most, and bytes of each: bpftrace's figures. */
const joinCount = 16;
const joinSize = 1024;

const join: Builtin = {
  name: "join",
  params: [
    { name: "array", kind: "address" },
    { name: "separator", kind: "literal-string", optional: true },
  ],
  doc: `Prints an array of strings (char **, ended by NULL) with a separator between them, by default a space; at most ${joinCount} strings of ${joinSize - 1} bytes.`,
  result: (_context: CheckContext) => none,
  value: (l, args) => {
    const array = valueArg(args, 0);
    const separator = args.length > 1 ? literalText(args, 1) : " ";
    const space = array.type.kind === "pointer" ? array.type.space : "none";
    const start = l.value(array);
    l.sendRaw(
      (size) => ({
        name: "join",
        size,
        run: (host, view, offset) => {
          const parts: string[] = [];
          for (let i = 0; i < joinCount; i++) {
            const at = offset + recordHeader + 8 + i * joinSize;
            if (BigInt(i) >= view.getBigUint64(offset + recordHeader, true)) break;
            parts.push(joinText(view, at, host));
          }
          host.emit({ kind: "join", text: parts.join(separator) });
        },
      }),
      8 + joinCount * joinSize,
      (dest) => {
        const { b } = l;
        b.store(8, dest.base, dest.offset, b.const(0));
        const done = b.newBlock();
        const pointerType: Type = { kind: "int", size: 8, signed: false };
        for (let i = 0; i < joinCount; i++) {
          const element = l.read({ base: start, offset: 8 * i, space }, pointerType);
          const next = b.newBlock();
          b.branch("eq", element, b.const(0), done, next);
          b.seal(next);
          b.setBlock(next);
          const at = { base: dest.base, offset: dest.offset + 8 + i * joinSize };
          b.store(1, at.base, at.offset, b.const(0));
          l.readText(l.address(at), b.const(joinSize), element, space);
          b.store(8, dest.base, dest.offset, b.const(i + 1));
        }
        b.jump(done);
        b.seal(done);
        b.setBlock(done);
      },
    );
    return undefined;
  },
};

const joinDecoder = decoderFor({ kind: "string", size: joinSize });

function joinText(view: DataView, at: number, host: Host): string {
  const value = joinDecoder(view, at, host);
  return value.kind === "string" ? value.value : "";
}

export const outputBuiltins: readonly Builtin[] = [printf, print, clear, zero, remove, exit, system, cat, join];
