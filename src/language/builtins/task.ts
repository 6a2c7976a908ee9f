// The current task and its relatives; signals to it.

import { recordFromBtf } from "../../types/from-btf.js";
import { bool, i64, none, pointer, string, type Type, u8, u32 } from "../../types/type.js";
import { recordHeader } from "../../wire/record.js";
import type { Builtin, CheckContext } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import type { TypedArg, TypedExpr } from "../typed.js";
import { optionalValue, textExpr, textOf, valueArg } from "./define.js";
import { lastSignal, signalNumber } from "./signals.js";

/** A pointer to struct task_struct; of a kernel without BTF nothing is known of what it points at. */
function taskType({ kernel }: CheckContext): Type {
  const btf = kernel.btf();
  const id = "missing" in btf ? undefined : btf.find("task_struct", "struct");
  return pointer("missing" in btf || id === undefined ? none : recordFromBtf(btf, id, "kernel"), "kernel");
}

const curtask: Builtin = {
  name: "curtask",
  bare: true,
  params: [],
  doc: "Address of the current thread's struct task_struct.",
  result: (context) => {
    // A script may have its own idea of it.
    const own = context.findType("struct task_struct", "kernel");
    return own === undefined ? taskType(context) : pointer(own, "kernel");
  },
  value: (l) => l.b.call("get_current_task", []),
};

/** `a->b->c` of a pointer to a structure; undefined if there is no such member. */
export function memberPath(base: TypedExpr, path: readonly string[]): TypedExpr | undefined {
  let object = base;
  for (const name of path) {
    if (object.type.kind !== "pointer" || object.type.to.kind !== "record") return undefined;
    const place: TypedExpr = { kind: "deref", pointer: object, type: object.type.to, span: base.span };
    const member = object.type.to.members().find((m) => m.name === name);
    if (member === undefined) return undefined;
    object = { kind: "member", object: place, member, type: member.type, span: base.span };
  }
  return object;
}

/** A member of a relative of a task: of the one that is given, or of the current one. */
function relative(name: string, path: readonly string[], otherwise: Type, doc: string): Builtin {
  const find = (context: CheckContext, args: readonly TypedArg[]): TypedExpr | undefined => {
    const given = optionalValue(args, 0);
    const current: TypedExpr = {
      kind: "builtin",
      builtin: curtask,
      args: [],
      type: taskType(context),
      span: context.span,
    };
    return memberPath(given ?? current, path);
  };
  return {
    name,
    bare: true,
    params: [{ name: "task", kind: "address", optional: true }],
    doc,
    result: (context, args) => {
      const found = find(context, args);
      if (found !== undefined) return found.type;
      const given = optionalValue(args, 0);
      if (given !== undefined)
        context.diags.error("type-mismatch", given.span, `${name}() takes a struct task_struct *`, {
          hint: "e.g. curtask, or (struct task_struct *)arg0",
        });
      else
        context.diags.error("no-btf", context.span, `${name} needs the kernel's type information`, {
          hint: "it comes from BTF (CONFIG_DEBUG_INFO_BTF)",
        });
      return otherwise;
    },
    rewrite: find,
  };
}

/** TASK_COMM_LEN, include/linux/sched.h. */
const commType = string(16);

const relatives: readonly Builtin[] = [
  relative("ppid", ["real_parent", "pid"], u32, "Process id of the parent of the current task, or of the task given."),
  relative("pcomm", ["real_parent", "comm"], commType, "Name of the parent of the current task, or of the task given."),
  relative(
    "leader_tid",
    ["group_leader", "pid"],
    u32,
    "Thread id of the first thread of the current task's process, or of the task given.",
  ),
  relative(
    "leader_comm",
    ["group_leader", "comm"],
    commType,
    "Name of the first thread of the current task's process, or of the task given.",
  ),
];

const hasCpid: Builtin = {
  name: "has_cpid",
  bare: true,
  params: [],
  doc: "Whether there is a command given with -c; known when the script is compiled.",
  result: () => bool,
  rewrite: ({ childPid, span }) => ({ kind: "const", value: childPid === undefined ? 0n : 1n, type: bool, span }),
};

const cpid: Builtin = {
  name: "cpid",
  bare: true,
  params: [],
  doc: "Process id of the command given with -c; 0 without one.",
  result: ({ childPid, diags, span }) => {
    if (childPid === undefined)
      diags.warning("no-child", span, "cpid is 0: there is no command to trace", {
        hint: "give one with -c; has_cpid tells whether there is one",
      });
    return u32;
  },
  rewrite: ({ childPid, span }) => ({ kind: "const", value: BigInt(childPid ?? 0), type: u32, span }),
};

const usermode: Builtin = {
  name: "usermode",
  bare: true,
  params: [],
  doc: "Whether the probe fired while the processor ran a program: 1, or 0 if it ran the kernel; x86-64 only.",
  result: ({ kernel, diags, span }) => {
    if (kernel.arch !== "x86_64") diags.error("wrong-machine", span, "'usermode' builtin is only supported on x86_64");
    return u8;
  },
  rewrite: ({ variant, probeType, span }) => {
    if (variant.context.kind === "registers") return undefined;
    // begin and end are run by our own system call, and bpftrace says 1 there.
    return { kind: "const", value: probeType === "special" ? 1n : 0n, type: u8, span };
  },
  value: (l) => {
    const { b } = l;
    // The two low bits of the code segment are the privilege level, 3 in programs (Intel SDM 3, 3.4.2).
    const level = b.bin("and", b.load(8, false, b.ctx(), l.registerOffset("cs") ?? 0), b.const(3));
    return b.cmp("eq", level, b.const(3));
  },
};

const probetype: Builtin = {
  name: "probetype",
  bare: true,
  params: [],
  doc: "Name of the probe type: kprobe, tracepoint ...; begin and end are special.",
  result: ({ probeType, span }) => textExpr(probeType, span).type,
  rewrite: ({ probeType, span }) => textExpr(probeType, span),
};

function checkSignal(context: CheckContext, name: string, args: readonly TypedArg[]): Type {
  const { diags, span } = context;
  if (context.probeType === "special")
    diags.error("wrong-probe", span, `${name}() can not be used for this probetype ${context.probeType}`, {
      hint: "it would be sent to the tracer itself",
    });
  const e = valueArg(args, 0);
  const text = textOf(args[0]);
  if (text !== undefined) {
    if (signalNumber(text) === undefined)
      diags.error("unknown-signal", e.span, `Invalid string for signal: ${text}`, { hint: "kill -l lists the names" });
  } else if (e.type.kind !== "int") {
    diags.error("type-mismatch", e.span, `${name}() accepts a string literal or an integer`);
  } else if (e.kind === "const" && (e.value < 1n || e.value > BigInt(lastSignal))) {
    diags.error(
      "bad-argument",
      e.span,
      `${name}() accepts a string literal or an integer between 1 and ${lastSignal} (inclusive)`,
    );
  }
  return none;
}

/** Tells user space a number that belongs to the place of the call; the format has one `%lld`. */
export function tell(l: Lowering, kind: "errorf" | "warnf", format: string, n: ReturnType<Lowering["value"]>): void {
  l.sendRaw({ kind, span: l.span, format, fields: [{ type: i64, offset: recordHeader }] }, 8, (dest) =>
    l.b.store(8, dest.base, dest.offset, n),
  );
}

function signalBuiltin(name: string, helper: string, since: string, doc: string): Builtin {
  return {
    name,
    params: [{ name: "signal", kind: "any" }],
    unsafe: true,
    since,
    probes: "all but begin and end",
    doc,
    result: (context, args) => checkSignal(context, name, args),
    value: (l, args) => {
      const { b } = l;
      const text = textOf(args[0]);
      const number = text === undefined ? undefined : signalNumber(text);
      const n = number === undefined ? l.value(valueArg(args, 0)) : b.const(number);
      const valid = b.newBlock();
      const invalid = b.newBlock();
      const done = b.newBlock();
      b.branch("ult", b.bin("sub", n, b.const(1)), b.const(lastSignal), valid, invalid, "then");
      b.seal(valid);
      b.seal(invalid);
      b.setBlock(invalid);
      const range = `${name}() expects an integer between 1 and ${lastSignal} (inclusive)`;
      tell(l, "errorf", `${range}. Got %lld`, n);
      b.jump(done);
      b.setBlock(valid);
      const result = b.call(helper, [n]);
      l.ifNegative(b.ext(4, true, result), () => tell(l, "warnf", "signal call failed with error %lld", result));
      b.jump(done);
      b.seal(done);
      b.setBlock(done);
      return undefined;
    },
  };
}

export const taskBuiltins: readonly Builtin[] = [
  curtask,
  ...relatives,
  cpid,
  hasCpid,
  usermode,
  probetype,
  signalBuiltin(
    "signal",
    "send_signal",
    "5.3",
    'Sends a signal to the current process, to any of its threads: signal(9), signal("SIGKILL").',
  ),
  signalBuiltin("signal_thread", "send_signal_thread", "5.6", "Sends a signal to the current thread."),
];
