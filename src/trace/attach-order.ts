import type { KernelView } from "../language/kernel-view.js";
import type { Probe } from "../language/probe.js";
import { probeOf } from "../language/probes/index.js";
import type { Unit, UnitProgram } from "../unit.js";

/** The programs as they are to be attached, so that actions at one place run in the order of the script. */
export function attachOrder(unit: Pick<Unit, "programs" | "attachPoints">, kernel: KernelView): readonly UnitProgram[] {
  const { programs } = unit;
  const counts = new Map<Probe | undefined, number>();
  const typeOf = ({ attachPoints: [id = -1] }: UnitProgram): Probe | undefined => {
    const first = unit.attachPoints[id];
    return first === undefined ? undefined : probeOf(first);
  };
  for (const program of programs) counts.set(typeOf(program), (counts.get(typeOf(program)) ?? 0) + 1);
  const lastFirst = programs.filter((program) => {
    const type = typeOf(program);
    // Asking the kernel may take time, and one alone has no order.
    if (type === undefined || counts.get(type) === 1) return false;
    const { runsLastFirst } = type;
    return typeof runsLastFirst === "function" ? runsLastFirst(program.variant, kernel) : runsLastFirst === true;
  });
  const later = new Set(lastFirst);
  return [...programs.filter((program) => !later.has(program)), ...lastFirst.reverse()];
}
