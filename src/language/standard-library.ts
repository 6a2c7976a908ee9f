/**
 * The parts of bpftrace's standard library that a script may import by name, with what each adds in macros. Nearly all of
 * it is there without an import, as builtins. (bpftrace 0.27.1: the folders of src/stdlib.)
 */
const parts: Readonly<Record<string, string>> = {
  map: "",
  process: "",
  strings: "",
  system: "",
  task: "",
  test: "macro __always_true() { 1 }",
  usdt: "",
};

/** The parts that `import "stdlib"` or `import "stdlib/PART"` means, by their full names; none if there is no such part. */
export function standardLibrary(path: string): ReadonlyMap<string, string> {
  const all = Object.entries(parts).map(([name, text]) => [`stdlib/${name}`, text] as const);
  return new Map(path === "stdlib" ? all : all.filter(([name]) => name === path));
}
