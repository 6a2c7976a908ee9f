import type { Reasons } from "./page.js";

/** Why cases fail that apply; where one is missing, the page has what the run itself says. */
export const reasons: Reasons = {
  "builtin.log size too small": "the verifier's log is never cut",
  "call.ustack_with_inlined_funcs":
    "wants frames of libc under the name _end, the last symbol of the program, which they are not in",
  "intcast.Sum casted retval": "exit() is final for its program; bpftrace counts what comes until it is detached",
  "probe.kprobe_wildcard probe builtin": "wants at least ten programs; one serves all functions, however it uses probe",
  "probe.bpf_programs_limit": "one program serves all functions, so that the limit on attach points comes first",
  "other.bitfield_access_2": "signed bit fields have their sign; bpftrace reads all as unsigned",
  "stdlib.comm from pid": "comm(PID) needs bpf_task_from_pid(), which kernels have since 6.2",
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
