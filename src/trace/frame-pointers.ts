// Whether the processes that a trace is started for keep frame pointers.

import { FormatError } from "../base/errors.js";
import { Elf } from "../formats/elf.js";
import { countFrames, keepsFramePointers } from "../formats/frame-pointers.js";
import { filesOfProgram, mappedFiles } from "../kernel/process-files.js";
import type { UserFile } from "../language/kernel-view.js";
import type { FramePointers } from "../language/user-stacks.js";
import { isSystemError, openFile } from "../symbols/elf-file.js";

export interface TracedProcesses {
  /** Those that run. */
  readonly pids: readonly (number | undefined)[];
  /** Path of the program that the command of -c will run. */
  readonly program: string | undefined;
}

/** What lookAtFramePointers() will tell of these; undefined if there are none. */
export function framePointersOf({ pids, program }: TracedProcesses): (() => FramePointers) | undefined {
  const named = pids.flatMap((pid) => pid ?? []);
  if (named.length === 0 && program === undefined) return undefined;
  return () => lookAtFramePointers({ pids: named, program });
}

/** Looks at their programs and libraries, until one keeps none: then stacks that lead through it are cut, or lack callers. */
function lookAtFramePointers({ pids, program }: TracedProcesses): FramePointers {
  const files = program === undefined ? [] : [...filesOfProgram(program)];
  for (const pid of pids) files.push(...((pid === undefined ? undefined : mappedFiles(pid)) ?? []));
  const seen = new Set<string>();
  for (const file of files) {
    if (seen.has(file.shown)) continue;
    seen.add(file.shown);
    const found = lookAt(file);
    if (found !== undefined) return found;
  }
  return { kept: true, why: `${seen.size === 1 ? "the program keeps" : "the program and its libraries keep"} them` };
}

/** What a file decides; undefined if it keeps frame pointers, or does not tell. */
function lookAt({ path, shown }: UserFile): FramePointers | undefined {
  try {
    using file = openFile(path);
    const elf = Elf.parse(file, shown);
    if (elf.bits === 32) return { kept: true, why: `the tables of ${shown}, a file of 32 bits, are not known` };
    const count = countFrames(elf);
    if (keepsFramePointers(count)) return undefined;
    const { framed, frameless } = count;
    return { kept: false, why: `${shown} keeps no frame pointers (${framed} of ${framed + frameless} functions do)` };
  } catch (error) {
    // Scripts, and what cannot be read: unwinding could not read it either.
    if (error instanceof FormatError || isSystemError(error)) return undefined;
    throw error;
  }
}
