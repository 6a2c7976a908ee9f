// Who runs: process, thread, user, cgroup, processor.

import { u32, u64 } from "../../types/type.js";
import type { Builtin } from "../builtin.js";
import { comm } from "./comm.js";
import { builtin } from "./define.js";
import { half, initialId, ownId } from "./process-id.js";

const namespaces = ["curr_ns", "init"];

/** pid or tid: as the tracer's pid namespace numbers them, or the initial one. */
function processId(name: string, isProcess: boolean, doc: string): Builtin {
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
      const initial = args[0]?.kind === "word" && args[0].word === "init";
      return initial ? initialId(l, isProcess) : ownId(l, isProcess);
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
