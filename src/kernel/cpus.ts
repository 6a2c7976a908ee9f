import { readFileSync } from "node:fs";
import { FormatError } from "../base/errors.js";

/** `0-3,8` -> 0, 1, 2, 3, 8: Documentation/admin-guide/cputopology.rst, bitmap_parselist(). */
export function parseCpuList(text: string): readonly number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(",")) {
    if (part === "") continue;
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    if (match === null) throw new FormatError(`CPU list: '${text.trim()}' is not of the form 0-3,8`);
    const first = Number(match[1]);
    for (let cpu = first; cpu <= Number(match[2] ?? first); cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** CPUs that may ever be there (per-CPU maps have a value for each), or those that are now. */
export const readCpus = (which: "possible" | "online"): readonly number[] =>
  parseCpuList(readFileSync(`/sys/devices/system/cpu/${which}`, "latin1"));
