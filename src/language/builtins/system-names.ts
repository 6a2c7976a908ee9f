// Numbers of the system as text: errors, signals, system calls. Programs look them up themselves, so that a script can
// compare and keep them.

import { knownErrno } from "../../output/errno-text.js";
import { string } from "../../types/type.js";
import type { Builtin } from "../builtin.js";
import type { KernelView } from "../kernel-view.js";
import type { Lowering } from "../lowering.js";
import { textExpr, valueArg } from "./define.js";
import { signalText } from "./signals.js";

/** Bytes of such a text. */
const nameSize = 64;

interface Names {
  readonly name: string;
  readonly doc: string;
  /** Name of the table in the object. */
  readonly table: string;
  /** Numbers from 0 to one below have texts. */
  readonly count: number;
  /** Negative numbers count as positive ones. */
  readonly absolute?: boolean;
  readonly unknown: string;
  text(n: number, names: ReadonlyMap<number, string>): string | undefined;
  numbers?(kernel: KernelView): ReadonlyMap<number, string>;
}

const none: ReadonlyMap<number, string> = new Map();

/** The texts one after the other; the last one is for numbers without a text. */
function tableOf(names: Names, known: ReadonlyMap<number, string>): Uint8Array {
  const bytes = new Uint8Array(nameSize * (names.count + 1));
  for (let n = 0; n <= names.count; n++) {
    const text = (n < names.count ? names.text(n, known) : undefined) ?? names.unknown;
    new TextEncoder().encodeInto(text, bytes.subarray(nameSize * n, nameSize * (n + 1) - 1));
  }
  return bytes;
}

function nameBuiltin(names: Names): Builtin {
  const { absolute = false, count, unknown } = names;
  return {
    name: names.name,
    params: [{ name: "number", kind: "int" }],
    doc: names.doc,
    result: () => string(nameSize),
    rewrite: (context, args, type) => {
      const e = valueArg(args, 0);
      if (e.kind !== "const") return undefined;
      const n = Number(BigInt.asIntN(32, e.value));
      const known = names.numbers?.(context.kernel) ?? none;
      const text = names.text(absolute ? Math.abs(n) : n, known) ?? unknown;
      return { ...textExpr(text, context.span), type };
    },
    into: (l: Lowering, args, _type, dest) => {
      const { b } = l;
      const table = l.table(names.table, () => tableOf(names, names.numbers?.(l.kernel) ?? none));
      const n = b.ext(4, true, l.value(valueArg(args, 0)));
      const index = b.newVariable();
      b.write(index, n);
      if (absolute) l.ifNegative(n, () => b.write(index, b.bin("sub", b.const(0), n)));
      const wanted = b.read(index);
      b.when("ugt", wanted, b.const(count), "else", () => {
        b.write(index, b.const(count));
      });
      const from = b.bin("add", table, b.bin("mul", b.read(index), b.const(nameSize)));
      b.copy(dest.base, dest.offset, from, 0, nameSize);
    },
  };
}

const strerror = nameBuiltin({
  name: "strerror",
  doc: 'What an error number means, as strerror(3) says it: strerror(2) is "No such file or directory". Negative numbers count as positive ones.',
  table: "errno_texts",
  count: 134,
  absolute: true,
  unknown: "Unknown error",
  text: knownErrno,
});

const signalName = nameBuiltin({
  name: "signal_name",
  doc: 'What a signal is called, as strsignal(3) says it: signal_name(2) is "Interrupt".',
  table: "signal_texts",
  count: 65,
  unknown: "N/A",
  text: signalText,
});

const syscallName = nameBuiltin({
  name: "syscall_name",
  doc: 'Name of a system call by its number on this machine: syscall_name(0) is "read" on x86-64.',
  table: "syscall_texts",
  // Numbers go up to 470 in Linux 6.18; others say that they are unknown.
  count: 512,
  unknown: "Unknown syscall",
  text: (n, names) => names.get(n),
  numbers: (kernel) => kernel.syscallNames(),
});

export const systemNameBuiltins: readonly Builtin[] = [strerror, signalName, syscallName];
