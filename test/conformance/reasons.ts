import type { Reasons } from "./page.js";

const inChroot = "its program cannot mount in our virtual machines, whose root directory is no mount point (chroot)";

/** Why cases fail that apply; where one is missing, the page has what the run itself says. */
export const reasons: Reasons = {
  "btf.redefine_btf_type_missing_def": "structures of a script may consist of the kernel's",
  "btf.enum_value_reference": "an enumerator has the size of its enumeration, as in C; bpftrace has 8 bytes for all",
  "builtin.log size too small": "the verifier's log is never cut",
  "call.ustack_with_inlined_funcs":
    "wants frames of libc under the name _end, the last symbol of the program, which they are not in",
  "intcast.Sum casted retval": "exit() is final for its program; bpftrace counts what comes until it is detached",
  "regression.session_retval": "wants kprobe and kretprobe of one function counted as one; they are two programs here",
  "call.str_big_for": "its limit of a second is too short for a machine that is emulated beside others",
  "uprobe.uprobes - list probes by pid in separate mount namespace": inChroot,
  "uprobe.uprobes - attach to probe for executable in separate mount namespace": inChroot,
  "uprobe.uprobes - attach to probe for executable in a pivot_root'd mount namespace": inChroot,
  "usdt.usdt probes - list probes by pid in separate mountns": inChroot,
  "usdt.usdt probes - attach to fully specified probe by pid in separate mountns": inChroot,
  "probe.bpf_programs_limit": "one program serves all functions, so that the limit on attach points comes first",
  "other.bitfield_access_2": "signed bit fields have their sign; bpftrace reads all as unsigned",
  "stdlib.assert_macro": "wants a place in the source of bpftrace's own library",
  "json-output.join_delim": "-c understands quotes, as a shell does; bpftrace splits at blanks and keeps them",
};

/** The suites of the language; the others are about probe types that they do not need. */
export const required: ReadonlySet<string> = new Set([
  ...["addrspace", "array", "basic", "bool", "builtin", "call", "complex_types", "config", "for", "intcast", "interop"],
  ...[
    "intptrcast",
    "json-output",
    "languages",
    "macro",
    "map",
    "other",
    "pointers",
    "precedence",
    "record",
    "regression",
  ],
  ...["self", "selftest", "signals", "signed_ints", "stdlib", "strcontains", "struct", "tuples", "variable"],
]);
