import { recordFromBtf } from "../../types/from-btf.js";
import { string } from "../../types/type.js";
import type { Builtin } from "../builtin.js";
import type { KernelView } from "../kernel-view.js";
import type { Dest, Lowering } from "../lowering.js";
import type { TypedArg } from "../typed.js";
import { optionalValue } from "./define.js";
import { tell } from "./task.js";

/** TASK_COMM_LEN, include/linux/sched.h. */
const commSize = 16;

/** struct task_struct *bpf_task_from_pid(s32 pid), by the initial pid namespace; kernel/bpf/helpers.c, since Linux 6.2. */
const fromPid = "bpf_task_from_pid";
const release = "bpf_task_release";

const notThere = "N/A";

interface TaskFunctions {
  readonly fromPid: number;
  readonly release: number;
  readonly commOffset: number;
}

/** BTF ids of what is called; undefined if this kernel has it not. */
function taskFunctions(kernel: KernelView): TaskFunctions | undefined {
  const btf = kernel.btf();
  if ("missing" in btf) return undefined;
  const [from, back, task] = [btf.find(fromPid, "func"), btf.find(release, "func"), btf.find("task_struct", "struct")];
  if (from === undefined || back === undefined || task === undefined) return undefined;
  const comm = recordFromBtf(btf, task, "kernel")
    .members()
    .find(({ name }) => name === "comm");
  return comm === undefined ? undefined : { fromPid: from, release: back, commOffset: comm.bitOffset / 8 };
}

export const comm: Builtin = {
  name: "comm",
  bare: true,
  params: [{ name: "pid", kind: "int", optional: true }],
  doc: `Name of the current thread, as in /proc/PID/comm; with a number, that of the thread with this id in the initial pid namespace, "${notThere}" (and a warning) if there is none. That needs ${fromPid}() of Linux 6.2, which iterators, fentry and software probes may call, others not: kfunc_allowed("${fromPid}") tells.`,
  result: ({ kernel, variant, diags, span, probeName }, args) => {
    if (args.length === 0) return string(commSize);
    const hint = "it works in iter:task, for one; comm without parentheses is the current thread's name, anywhere";
    if (taskFunctions(kernel) === undefined)
      diags.error("no-kfunc", span, `comm(PID) needs ${fromPid}(), which this kernel has not`, {
        hint: "it exists since Linux 6.2; comm without parentheses is the current thread's name",
      });
    else if (kernel.kfuncAllowed(fromPid, variant.type) === "no")
      diags.error(
        "wrong-probe",
        span,
        `comm(PID) cannot be used in ${probeName}: the kernel lets no such program call ${fromPid}()`,
        { hint },
      );
    else if (kernel.pidNamespace() !== undefined)
      diags.warning("pid-namespace", span, "comm(PID) takes ids of the initial pid namespace, not of this one", {
        hint: "pid(init) and tid(init) are such ids",
      });
    return string(commSize);
  },
  into: (l, args, _type, dest, clean) => {
    // Linux 5.18 to 6.1 leave what is behind the name's NUL as it was (kernel/bpf/helpers.c, bpf_get_current_comm).
    if (clean) l.b.zero(dest.base, dest.offset, commSize);
    if (args.length === 0) l.b.call("get_current_comm", [l.address(dest), l.b.const(commSize)]);
    else commOf(l, args, dest);
  },
};

function commOf(l: Lowering, args: readonly TypedArg[], dest: Dest): void {
  const { b } = l;
  const pid = optionalValue(args, 0);
  const functions = taskFunctions(l.kernel);
  if (pid === undefined || functions === undefined) throw new Error("internal: comm() of what the checker refuses");
  const number = l.value(pid);
  const task = b.callKernel(fromPid, functions.fromPid, [b.ext(4, true, number)]);
  l.ifPresent(
    task,
    () => {
      const from = b.bin("add", task, b.const(functions.commOffset));
      b.call("probe_read_kernel_str", [l.address(dest), b.const(commSize), from]);
      b.callKernel(release, functions.release, [task]);
    },
    () => {
      const name = new TextEncoder().encode(`${notThere}\0`);
      for (const [i, byte] of name.entries()) b.store(1, dest.base, dest.offset + i, b.const(byte));
      tell(l, "warnf", "No such process (pid=%lld)", number);
    },
  );
}
