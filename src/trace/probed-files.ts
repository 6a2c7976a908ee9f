// Files that a script has probes in; one of them may be the program that traces: Node.js.

import { statSync } from "node:fs";
import { pathOf } from "../base/byte-text.js";
import { isOfOneProcess } from "../language/attach-place.js";
import type { AttachPoint } from "../language/probe.js";

/** Programs and libraries with probes that are not limited to a process. */
export const probedFiles = (targets: readonly AttachPoint[]): readonly string[] => [
  ...new Set(targets.flatMap(({ file, place }) => (file === undefined || isOfOneProcess(place) ? [] : [file]))),
];

/**
 * The program that this process runs, if one of the targets is in it. Each of our own calls would be an event then, and handling
 * events makes more of them: with probes on every function of Node.js the trace does not come to its end.
 */
export const ownProgramAmong = (targets: readonly AttachPoint[]): string | undefined =>
  probedFiles(targets).find(isOwnProgram);

export const tracesItself = (own: string): string =>
  `this program itself is run by ${own}, so that its own calls are traced, too`;

function isOwnProgram(path: string): boolean {
  const own = statSync("/proc/self/exe", { bigint: true, throwIfNoEntry: false });
  const file = statSync(pathOf(path), { bigint: true, throwIfNoEntry: false });
  return file !== undefined && own?.ino === file.ino && own.dev === file.dev;
}
