// Stacks and symbols: addresses travel, user space names them.
import type { Value } from "../../ir/ir.js";
import type { StackMode, Type } from "../../types/type.js";
import { stackLayout, usymLayout } from "../../wire/layout.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg } from "../typed.js";
import { builtin, literalNumber, valueArg } from "./define.js";
import { ownId } from "./process-id.js";

/** BPF_F_USER_STACK, uapi/linux/bpf.h. */
const BPF_F_USER_STACK = 1n << 8n;
/** Frames of a stack if the script does not say; the kernel keeps at most kernel.perf_event_max_stack, 127. */
const defaultDepth = 127;
const modes: readonly StackMode[] = ["bpftrace", "perf", "raw", "build_id"];

function stackType(context: CheckContext, args: readonly TypedArg[], user: boolean): Type {
  let mode: StackMode = context.config.stack_mode satisfies StackMode;
  let depth = defaultDepth;
  for (const arg of args) {
    if (arg.kind === "word") {
      const found = modes.find((m) => m === arg.word);
      if (found === undefined) {
        context.diags.error("bad-stack-mode", arg.span, `there is no stack mode '${arg.word}'`, {
          hint: `modes: ${modes.join(", ")}`,
        });
      } else mode = found;
    } else {
      const value = literalNumber([arg], 0);
      if (value !== undefined) depth = Number(value);
    }
  }
  if (depth < 1 || depth > defaultDepth) {
    context.diags.error("bad-stack-depth", context.span, `a stack has 1 to ${defaultDepth} frames`, {
      hint: "the kernel records no more than kernel.perf_event_max_stack",
    });
    depth = defaultDepth;
  }
  if (mode === "build_id" && !user) {
    const asked = args.some((arg) => arg.kind === "word");
    if (asked) context.diags.error("bad-stack-mode", context.span, "'build_id' stack mode can only be used for ustack");
    mode = "bpftrace";
  }
  return { kind: "stack", user, mode, depth };
}

/** The kernel walks the stack once more: a stack map tells programs nothing of what is in it. */
function frameCount(l: Lowering, depth: number, user: boolean): Value {
  const { b } = l;
  const frames = l.temporary(8 * depth, "frames");
  const flags = b.const(user ? BPF_F_USER_STACK : 0n);
  const bytes = b.call("get_stack", [b.ctx(), l.address(frames), b.const(8 * depth), flags]);
  const count = b.newVariable();
  b.write(count, b.bin("lshr", bytes, b.const(3)));
  // No stack, e.g. the user stack of a kernel thread.
  l.ifNegative(bytes, () => b.write(count, b.const(0)));
  return b.read(count);
}

function stack(name: string, aliases: readonly string[], user: boolean, doc: string): Builtin {
  return {
    name,
    aliases,
    bare: true,
    doc,
    params: [
      { name: "mode or depth", kind: "word-or-int", optional: true },
      { name: "depth", kind: "literal-int", optional: true },
    ],
    ...(user ? {} : { uses: "kernel-stack" as const }),
    result: (context, args) => stackType(context, args, user),
    into: (l, _args, type, dest) => {
      if (type.kind !== "stack") throw new Error("internal: a stack without depth");
      if (user) l.noteUserAddresses();
      const { b } = l;
      const id = b.call("get_stackid", [
        b.ctx(),
        b.map(l.stackMap(type.depth, type.mode === "build_id")),
        b.const(user ? BPF_F_USER_STACK : 0n),
      ]);
      b.store(8, dest.base, dest.offset + stackLayout.id, id);
      const process = user ? ownId(l, true) : b.const(0);
      b.store(4, dest.base, dest.offset + stackLayout.pid, process);
      b.store(
        4,
        dest.base,
        dest.offset + stackLayout.frames,
        l.stackLengths ? frameCount(l, type.depth, user) : b.const(0),
      );
      // -EEXIST: another stack has the same hash. -EFAULT only means that there is no such stack (a kernel thread).
      b.when("eq", id, b.const(-17n), "else", () => {
        l.countLoss("stack-collision");
      });
    },
  };
}

const kstack = stack(
  "kstack",
  ["stack"],
  false,
  "The kernel stack: kstack, kstack(depth), kstack(mode, depth); modes are bpftrace, perf and raw.",
);
const ustack = stack(
  "ustack",
  [],
  true,
  "The user stack of the current process, by frame pointers: ustack, ustack(depth), ustack(mode, depth); the mode build_id shows build ids of files with offsets in them.",
);

const ksym = builtin({
  name: "ksym",
  params: [{ name: "address", kind: "address" }],
  type: { kind: "ksym" },
  doc: "The kernel symbol at an address.",
  value: (l, args) => l.value(valueArg(args, 0)),
});

const usym = builtin({
  name: "usym",
  params: [{ name: "address", kind: "address" }],
  type: { kind: "usym" },
  doc: "The symbol at an address of the current process.",
  into: (l, args, _type, dest) => {
    l.noteUserAddresses();
    const { b } = l;
    b.store(8, dest.base, dest.offset + usymLayout.address, l.value(valueArg(args, 0)));
    b.store(8, dest.base, dest.offset + usymLayout.pid, ownId(l, true));
  },
});

export const symbolBuiltins: readonly Builtin[] = [kstack, ustack, ksym, usym];
