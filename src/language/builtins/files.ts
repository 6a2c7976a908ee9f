// Paths of files.

import { string, type Type } from "../../types/type.js";
import { sizeOf } from "../../wire/layout.js";
import type { Builtin } from "../builtin.js";
import { describeType } from "../describe-type.js";
import { literalNumber, notHere, valueArg } from "./define.js";

/** include/linux/path.h. */
const isPath = (type: Type): boolean => type.kind === "record" && type.name === "struct path";

const path: Builtin = {
  name: "path",
  params: [
    { name: "path", kind: "address" },
    { name: "size", kind: "literal-int", optional: true },
  ],
  doc: "Full path of a file from its struct path, or a pointer to that: path(args.file.f_path). If size bytes, or max_strlen, are too few, what is missing is missing at its beginning. The kernel allows it in some functions only (btf_allowlist_d_path, kernel/trace/bpf_trace.c), e.g. security_file_open, dentry_open and filp_close, and in iterators.",
  since: "5.10",
  probes: "fentry, fexit, iter",
  result: (context, args) => {
    const from = valueArg(args, 0);
    if (context.variant.type !== "tracing")
      notHere(context, "path()", "only fentry, fexit and iter know their arguments well enough");
    else if (!isPath(from.type) && !(from.type.kind === "pointer" && isPath(from.type.to)))
      context.diags.error("type-mismatch", from.span, `path() takes a struct path, not ${describeType(from.type)}`, {
        hint: "e.g. path(args.file.f_path)",
      });
    const size = literalNumber(args, 1) ?? BigInt(context.config.max_strlen);
    if (size < 1n || size > 65536n)
      context.diags.error("bad-argument", context.span, "path() takes a size from 1 to 65536");
    return string(Math.max(1, Math.min(Number(size), 65536)));
  },
  into: (l, args, type, dest, clean) => {
    const { b } = l;
    if (type.kind !== "string") throw new Error("internal: path without a size");
    // The kernel makes it at the end of the memory that it is given, and moves it to the front then.
    const room = l.temporary(sizeOf(type), "path");
    b.zero(room.base, room.offset, sizeOf(type));
    b.call("d_path", [l.typedAddress(valueArg(args, 0)), l.address(room), b.const(type.size)]);
    if (clean) b.zero(dest.base, dest.offset, sizeOf(type));
    else b.store(1, dest.base, dest.offset, b.const(0));
    l.readText(l.address(dest), b.const(type.size), l.address(room), "kernel");
  },
};

export const fileBuiltins: readonly Builtin[] = [path];
