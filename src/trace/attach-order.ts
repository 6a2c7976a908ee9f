import type { KernelView } from "../language/kernel-view.js";
import type { Probe } from "../language/probe.js";
import type { TypedProgram } from "../language/typed.js";

/** The programs as they are to be attached, so that actions at one place run in the order of the script. */
export function attachOrder(programs: readonly TypedProgram[], kernel: KernelView): readonly TypedProgram[] {
  const counts = new Map<Probe | undefined, number>();
  const providerOf = ({ targets: [first] }: TypedProgram): Probe | undefined => first?.provider;
  for (const program of programs) counts.set(providerOf(program), (counts.get(providerOf(program)) ?? 0) + 1);
  const lastFirst = programs.filter((program) => {
    const provider = providerOf(program);
    // Asking the kernel may take time, and one alone has no order.
    if (provider === undefined || counts.get(provider) === 1) return false;
    const { runsLastFirst } = provider;
    return typeof runsLastFirst === "function" ? runsLastFirst(program.variant, kernel) : runsLastFirst === true;
  });
  const later = new Set(lastFirst);
  return [...programs.filter((program) => !later.has(program)), ...lastFirst.reverse()];
}
