// Who runs: process, thread, user, cgroup, processor.

import { pidnsInfo } from "../../abi/bpf.js";
import { u32, u64 } from "../../types/type.js";
import type { Builtin } from "../builtin.js";
import type { Lowering } from "../lowering.js";
import { comm } from "./comm.js";
import { builtin } from "./define.js";

/** One half of bpf_get_current_pid_tgid() or bpf_get_current_uid_gid(): high or low 32 bits. */
const half = (helper: string, high: boolean) => (l: Lowering) => {
  const both = l.b.call(helper, []);
  return high ? l.b.bin("lshr", both, l.b.const(32)) : l.b.ext(4, false, both);
};

const namespaces = ["curr_ns", "init"];

/** pid or tid: as the tracer's pid namespace numbers them, or the initial one. */
function processId(name: string, isProcess: boolean, doc: string): Builtin {
  const initial = half("get_current_pid_tgid", isProcess);
  return {
    name,
    bare: true,
    params: [{ name: "namespace", kind: "word", optional: true }],
    doc: `${doc}, in the tracer's pid namespace (${name}, ${name}(curr_ns)) or in the initial one (${name}(init)).`,
    result: ({ diags }, args) => {
      const [arg] = args;
      if (arg?.kind === "word" && !namespaces.includes(arg.word))
        diags.error("bad-argument", arg.span, `there is no pid namespace '${arg.word}'`, {
          hint: `namespaces: ${namespaces.join(", ")}`,
        });
      return u32;
    },
    value: (l, args) => {
      const namespace = args[0]?.kind === "word" && args[0].word === "init" ? undefined : l.kernel.pidNamespace();
      if (namespace === undefined) return initial(l);
      const { b } = l;
      const info = l.temporary(pidnsInfo.size, "ids");
      const { device, inode } = namespace;
      // Of a process outside of the namespace the helper writes zeros; since Linux 5.7.
      b.call("get_ns_current_pid_tgid", [b.const(device), b.const(inode), l.address(info), b.const(pidnsInfo.size)]);
      return b.load(4, false, info.base, info.offset + (isProcess ? pidnsInfo.tgid : pidnsInfo.pid));
    },
  };
}

const pid = processId("pid", true, "Process id (the kernel's tgid) of the current thread");
const tid = processId("tid", false, "Id of the current thread (the kernel's pid)");

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

export const processBuiltins: readonly Builtin[] = [pid, tid, uid, gid, username, comm, cpu, rand, numaid, ncpus];
