import type { Reasons } from "./page.js";

/** Why cases fail that apply; where one is missing, the page has what the run itself says. */
export const reasons: Reasons = {
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
