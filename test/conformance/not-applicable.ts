/** Cases that apply to no kernel, because they ask for what only the other program is or has; the reason is for the report. */
export const notApplicable: Readonly<Record<string, string>> = {
  "basic.it shows version": "asserts the other program's own name",
  // It wants the place and the words that clang prints for a header that is missing.
  "basic.non existent library include fails": "asserts LLVM's output: clang's own message",
  // Its script is refused by clang there; here structures of a script may consist of the kernel's, and it runs.
  "btf.redefine_btf_type_missing_def": "asserts LLVM's output: clang's own message on an incomplete type",
  "other.named command line params aot": "asserts the other program's ahead-of-time mode",
};

/** What a kernel must have for a case whose script does not say so: names of --info. */
export const needsOfCases: Readonly<Record<string, string>> = {
  "basic.it lists kprobes": "kprobe",
  "basic.it lists kprobes with glob matching": "kprobe",
  "basic.it lists fentry": "fentry",
  "probe.kprobe_addr_invalid": "kprobe",
  "regression.single_arg_wildcard_listing": "kprobe",
};
