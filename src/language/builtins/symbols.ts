// Stacks and symbols: addresses travel, user space names them.
import type { Value } from "../../ir/ir.js";
import type { Type } from "../../types/type.js";
import { stackLayout, usymLayout } from "../../wire/layout.js";
import { buildIdFrame } from "../../wire/map-storage.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg } from "../typed.js";
import { builtin, valueArg } from "./define.js";
import { dwUstack } from "./dw-ustack.js";
import { ownId } from "./process-id.js";
import { BPF_F_USER_BUILD_ID, BPF_F_USER_STACK, keepElsewhere } from "./stack-overflow.js";
import { stackParams, stackType } from "./stack-type.js";
import { lowerUnwoundStack, takeUnwoundFrames } from "./unwind-stack.js";

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
    params: stackParams,
    // The wish for a table.
    ...(user
      ? { sends: (type: Type) => type.kind === "stack" && type.unwound === true }
      : { uses: "kernel-stack" as const }),
    result: (context, args) => (user ? userStackType(context, args) : stackType(context, args, "kernel")),
    into: (l, _args, type, dest) => {
      if (type.kind !== "stack") throw new Error("internal: a stack without depth");
      if (type.unwound === true) {
        lowerUnwoundStack(l, type, dest, "all");
        return;
      }
      if (user) l.noteUserAddresses();
      const { b } = l;
      const flags = user ? BPF_F_USER_STACK : 0n;
      const byBuildIds = type.mode === "build_id";
      const id = b.call("get_stackid", [b.ctx(), b.map(l.stackMap(type.depth, byBuildIds)), b.const(flags)]);
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
        if (byBuildIds) l.countLoss("stack-collision");
        else keepElsewhere(l, type.depth, flags, { base: dest.base, offset: dest.offset + stackLayout.id });
      });
    },
    takeFrames: (l, type, to) => {
      if (type.unwound === true) return takeUnwoundFrames(l, type, to, "all");
      if (user) l.noteUserAddresses();
      const { b } = l;
      const byBuildIds = type.mode === "build_id";
      const flags = user ? BPF_F_USER_STACK | (byBuildIds ? BPF_F_USER_BUILD_ID : 0n) : 0n;
      const size = type.depth * (byBuildIds ? buildIdFrame.size : 8);
      return b.call("get_stack", [b.ctx(), to, b.const(size), b.const(flags)]);
    },
  };
}

/** The kernel collects build ids itself, by frame pointers. */
function userStackType(context: CheckContext, args: readonly TypedArg[]): Type {
  const type = stackType(context, args, "user");
  if (type.kind !== "stack" || type.mode === "build_id") return type;
  return context.userStacks().by === "tables" ? { ...type, unwound: true } : type;
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
  "The user stack of the current process: ustack, ustack(depth), ustack(mode, depth); the mode build_id shows build ids of files with offsets in them. By frame pointers, or, where programs keep none, by unwinding tables; the setting ustack_by decides otherwise.",
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

export const symbolBuiltins: readonly Builtin[] = [kstack, ustack, dwUstack, ksym, usym];
