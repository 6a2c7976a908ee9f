import type { AttachItems, AttachPoint, Moment } from "../language/probe.js";
import { probeOf } from "../language/probes/index.js";
import type { Unit, UnitProgram } from "../unit.js";

type Attached = Pick<Unit, "programs" | "attachPoints">;

/** The attach points of a program, with their ids. */
export const itemsOf = ({ attachPoints }: Attached, program: UnitProgram): AttachItems =>
  program.attachPoints.flatMap((id) => {
    const target = attachPoints[id];
    return target === undefined ? [] : [{ target, id: BigInt(id) }];
  });

/** A program that user space runs, for an attach point of it. */
export interface Run {
  readonly program: UnitProgram;
  readonly point: AttachPoint;
  readonly id: bigint;
}

/** What user space runs at a moment. */
export const runsAt = (unit: Attached, moment: Moment): readonly Run[] =>
  unit.programs.flatMap((program) =>
    itemsOf(unit, program).flatMap(({ target, id }) =>
      probeOf(target).moment === moment ? [{ program, point: target, id }] : [],
    ),
  );
