// Who runs: process, thread, user, cgroup, processor.

import { recordFromBtf } from "../../types/from-btf.js";
import { none, pointer, string, u32, u64 } from "../../types/type.js";
import type { Builtin } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import { builtin } from "./define.js";

/** One half of bpf_get_current_pid_tgid() or bpf_get_current_uid_gid(): high or low 32 bits. */
const half = (helper: string, high: boolean) => (l: Lowering) => {
  const both = l.b.call(helper, []);
  return high ? l.b.bin("lshr", both, l.b.const(32)) : l.b.ext(4, false, both);
};

const pid = builtin({
  name: "pid",
  bare: true,
  params: [],
  type: u32,
  doc: "Process id (the kernel's tgid) of the current thread, in the initial pid namespace.",
  value: half("get_current_pid_tgid", true),
});

const tid = builtin({
  name: "tid",
  bare: true,
  params: [],
  type: u32,
  doc: "Id of the current thread (the kernel's pid), in the initial pid namespace.",
  value: half("get_current_pid_tgid", false),
});

const uid = builtin({
  name: "uid",
  bare: true,
  params: [],
  type: u64,
  doc: "User id of the current process, in the initial user namespace.",
  value: half("get_current_uid_gid", false),
});

const gid = builtin({
  name: "gid",
  bare: true,
  params: [],
  type: u64,
  doc: "Group id of the current process, in the initial user namespace.",
  value: half("get_current_uid_gid", true),
});

const username = builtin({
  name: "username",
  bare: true,
  params: [],
  type: { kind: "username" },
  doc: "Name of the current process's user, looked up when it is printed.",
  value: half("get_current_uid_gid", false),
});

/** TASK_COMM_LEN, include/linux/sched.h. */
const commSize = 16;

const comm = builtin({
  name: "comm",
  bare: true,
  params: [],
  type: string(commSize),
  doc: "Name of the current thread, as in /proc/PID/comm.",
  into: (l, _args, _type, dest, clean) => {
    // Linux 5.18 to 6.1 leave what is behind the name's NUL as it was (kernel/bpf/helpers.c, bpf_get_current_comm).
    if (clean) l.b.zero(dest.base, dest.offset, commSize);
    l.b.call("get_current_comm", [l.address(dest), l.b.const(commSize)]);
  },
});

const curtask: Builtin = {
  name: "curtask",
  bare: true,
  params: [],
  doc: "Address of the current thread's struct task_struct.",
  result: ({ kernel }) => {
    const btf = kernel.btf();
    const id = "missing" in btf ? undefined : btf.find("task_struct", "struct");
    if ("missing" in btf || id === undefined) return pointer(none, "kernel");
    return pointer(recordFromBtf(btf, id, "kernel"), "kernel");
  },
  value: (l) => l.b.call("get_current_task", []),
};

const cgroup = builtin({
  name: "cgroup",
  bare: true,
  params: [],
  type: u64,
  doc: "Id of the current process's cgroup (version 2): the inode number of its directory.",
  since: "4.18",
  value: (l) => l.b.call("get_current_cgroup_id", []),
});

const cpu = builtin({
  name: "cpu",
  bare: true,
  params: [],
  type: u32,
  doc: "Number of the processor that the probe fired on.",
  value: (l) => l.b.call("get_smp_processor_id", []),
});

const rand = builtin({
  name: "rand",
  bare: true,
  params: [],
  type: u32,
  doc: "A random number.",
  value: (l) => l.b.ext(4, false, l.b.call("get_prandom_u32", [])),
});

const numaid = builtin({
  name: "numaid",
  bare: true,
  params: [],
  type: u32,
  doc: "Number of the memory node that the processor belongs to.",
  value: (l) => l.b.call("get_numa_node_id", []),
});

const ncpus: Builtin = {
  name: "ncpus",
  bare: true,
  params: [],
  doc: "Number of processors that the machine can have.",
  result: () => u64,
  rewrite: ({ kernel, span }) => ({ kind: "const", value: BigInt(kernel.possibleCpus), type: u64, span }),
};

const cpid: Builtin = {
  name: "cpid",
  bare: true,
  params: [],
  doc: "Process id of the command given with -c.",
  result: ({ childPid, diags, span }) => {
    if (childPid === undefined)
      diags.error("no-child", span, "cpid needs a command to trace", { hint: "give one with -c" });
    return u32;
  },
  rewrite: ({ childPid, span }) => ({ kind: "const", value: BigInt(childPid ?? 0), type: u32, span }),
};

export const processBuiltins: readonly Builtin[] = [
  pid,
  tid,
  uid,
  gid,
  username,
  comm,
  curtask,
  cgroup,
  cpu,
  rand,
  cpid,
  numaid,
  ncpus,
];
