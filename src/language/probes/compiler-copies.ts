// Copies that compilers make of functions, in the kernel and in programs.

/**
 * What is left of a function under another name: `f.constprop.0`, `f.isra.0`, `f.part.0` of GCC, `f.llvm.123` of Clang;
 * undefined if nothing is. `f.cold` begins in the middle of a function.
 */
export function copyOf(
  name: string,
  functions: { matching(matches: (name: string) => boolean): readonly { readonly name: string }[] },
  attachPoint: (name: string) => string,
): string | undefined {
  const [copy] = functions.matching((each) => each.startsWith(`${name}.`) && !each.includes(".cold"));
  if (copy === undefined) return undefined;
  const rest = copy.name.includes(".part.") ? "; the rest of it is inlined into its callers" : "";
  return `the compiler has made ${copy.name} of it, whose arguments may be others${rest}: ${attachPoint(copy.name)}`;
}
