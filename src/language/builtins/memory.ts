// Bytes of memory: read as they are, written, found for each processor.

import { bool, pointer, type Type, u64 } from "../../types/type.js";
import { bufferHeader, cSizeOf, residence, sizeOf } from "../../wire/layout.js";
import type { Builtin, CheckContext } from "../builtin.js";
import { describeType } from "../describe-type.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg } from "../typed.js";
import { literalText, optionalValue, valueArg } from "./define.js";
import { clamped } from "./text.js";

/** The length that the script gives, if it is a constant. */
function constantLength(args: readonly TypedArg[]): number | undefined {
  const length = optionalValue(args, 1);
  return length?.kind === "const" ? Number(length.value) : undefined;
}

const isBytes = (type: Type): boolean => ["array", "string", "record"].includes(type.kind);

const buf: Builtin = {
  name: "buf",
  params: [
    { name: "data", kind: "any" },
    { name: "length", kind: "int", optional: true },
  ],
  doc: "Bytes of memory, at most max_strlen (how often there were more is told at the end); printed by %r (text, or \\x0a), %rx (\\x61) and %rh (61 0a). Of an array the length may be left out.",
  result: ({ config, diags, span }, args) => {
    const { type } = valueArg(args, 0);
    if (!isBytes(type) && type.kind !== "pointer" && type.kind !== "int")
      diags.error("type-mismatch", span, `buf() takes an address or an array, not ${describeType(type)}`);
    else if (args.length < 2 && type.kind !== "array")
      diags.error("argument-count", span, `buf() expects a length argument for non-array type ${describeType(type)}`, {
        hint: "buf(data, length)",
      });
    const length = args.length < 2 ? cSizeOf(type) : constantLength(args);
    if (length !== undefined && length > config.max_strlen)
      diags.warning("length-cut", span, `buf() takes ${config.max_strlen} of these ${length} bytes`, {
        hint: `max_strlen says how many it takes at most: config = { max_strlen = ${length} }`,
      });
    if (length !== undefined && length < 0) diags.error("bad-argument", span, "buf() takes a length of at least 0");
    return { kind: "buffer", size: Math.max(0, Math.min(length ?? config.max_strlen, config.max_strlen)) };
  },
  into: (l, args, type, dest, clean) => {
    if (type.kind !== "buffer") throw new Error("internal: buf without a size");
    const { b } = l;
    const data = valueArg(args, 0);
    const length = optionalValue(args, 1);
    if (clean) b.zero(dest.base, dest.offset, sizeOf(type));
    const size =
      length === undefined || length.kind === "const" ? b.const(type.size) : clamped(l, length, type.size, true);
    b.store(4, dest.base, dest.offset, size);
    const bytes = { base: dest.base, offset: dest.offset + bufferHeader };
    if (residence(data.type) === "register") {
      l.readBytes(l.address(bytes), size, l.value(data), data.type.kind === "pointer" ? data.type.space : "none");
      return;
    }
    const place = l.place(data);
    const { space } = place;
    if (space === "kernel" || space === "user") {
      l.readBytes(l.address(bytes), size, l.address(place), space);
      return;
    }
    const present = Math.min(cSizeOf(data.type), type.size);
    if (!clean && present < type.size) b.zero(bytes.base, bytes.offset, type.size);
    b.copy(bytes.base, bytes.offset, place.base, place.offset, present);
  },
};

const writeUser: Builtin = {
  name: "write_user",
  params: [
    { name: "to", kind: "address" },
    { name: "from", kind: "any" },
    { name: "length", kind: "int" },
  ],
  unsafe: true,
  doc: "Writes bytes of a value into the memory of the current process, no more than it has (how often more were asked for is told at the end). True if that was possible.",
  since: "4.8",
  result: (context, args) => {
    const from = valueArg(args, 1);
    const room = sizeOf(from.type);
    const length = valueArg(args, 2);
    if (residence(from.type) !== "memory")
      context.diags.error(
        "type-mismatch",
        from.span,
        `write_user() writes text, arrays and the like, not ${describeType(from.type)}`,
      );
    else if (length.kind === "const" && (length.value < 0n || length.value > BigInt(room)))
      context.diags.error("bad-argument", length.span, `the value has ${room} bytes`);
    return bool;
  },
  value: (l, args) => {
    const { b } = l;
    const from = valueArg(args, 1);
    const length = valueArg(args, 2);
    const copy = l.temporary(sizeOf(from.type), "written");
    l.into(from, copy, true);
    const size = length.kind === "const" ? b.const(length.value) : clamped(l, length, sizeOf(from.type), true);
    const result = b.call("probe_write_user", [l.value(valueArg(args, 0)), l.address(copy), size]);
    return b.cmp("eq", result, b.const(0));
  },
};

/** What the kernel adds to the address of a per-CPU variable, one word for each processor (mm/percpu.c, v6.18). */
const offsetTable = "__per_cpu_offset";

/** Reports a variable whose address is not known. */
function needsSymbol({ kernel, diags, span }: CheckContext, name: string): void {
  if (kernel.kernelSymbol(name) !== undefined) return;
  diags.error("unknown-symbol", span, `the kernel has no variable '${name}', or hides its address`, {
    hint: "grep it in /proc/kallsyms, which lists variables if the kernel was built with CONFIG_KALLSYMS_ALL",
  });
}

const percpuKaddr: Builtin = {
  name: "percpu_kaddr",
  params: [
    { name: "variable", kind: "literal-string" },
    { name: "cpu", kind: "int", optional: true },
  ],
  doc: "Address of a variable that the kernel has for each processor, as a pointer to a 64-bit unsigned integer: that of a processor, or of the current one. 0 for a processor that there is not.",
  result: (context, args) => {
    for (const name of [literalText(args, 0), offsetTable]) needsSymbol(context, name);
    return pointer(u64, "kernel");
  },
  rewrite: (context, args, type) => {
    const { kernel, span } = context;
    const literal = (value: bigint | undefined): TypedArg => ({ kind: "literal", value: value ?? 0n, span });
    const addresses = [literalText(args, 0), offsetTable].map((name) => literal(kernel.kernelSymbol(name)));
    const parts = [...addresses, literal(BigInt(kernel.possibleCpus)), ...args.slice(1)];
    return { kind: "builtin", builtin: perCpuAddress, args: parts, type, span };
  },
};

const perCpuAddress: Builtin = {
  name: "(address of a processor's variable)",
  doc: "Used by percpu_kaddr.",
  result: () => pointer(u64, "kernel"),
  value: (l: Lowering, args) => {
    const { b } = l;
    const [symbol, table, cpus] = args.map((arg) => (arg.kind === "literal" ? BigInt(arg.value) : 0n));
    const cpu = optionalValue(args, 3);
    const offset = (index: ReturnType<Lowering["value"]>) =>
      l.read(
        { base: b.bin("add", b.const(table ?? 0n), b.bin("shl", index, b.const(3))), offset: 0, space: "kernel" },
        u64,
      );
    const address = (index: ReturnType<Lowering["value"]>) => b.bin("add", offset(index), b.const(symbol ?? 0n));
    if (cpu === undefined) return address(b.call("get_smp_processor_id", []));
    const result = b.newVariable();
    b.write(result, b.const(0));
    const index = l.value(cpu);
    b.when("ult", index, b.const(cpus ?? 0n), "then", () => {
      b.write(result, address(index));
    });
    return b.read(result);
  },
};

export const memoryBuiltins: readonly Builtin[] = [buf, writeUser, percpuKaddr];
