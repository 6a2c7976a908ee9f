// Whether the processes that a trace is about keep frame pointers.

import { FormatError } from "../base/errors.js";
import { Elf } from "../formats/elf.js";
import { countFrames, type FrameCount, keepsFramePointers } from "../formats/frame-pointers.js";
import { filesOfProgram, mappedFiles } from "../kernel/process-files.js";
import type { FramePointers } from "../language/user-stacks.js";
import { isSystemError, openFile } from "../symbols/elf-file.js";

export interface TracedProcesses {
  /** Those that run. */
  readonly pids: readonly (number | undefined)[];
  /** Path of the program that the command of -c will run. */
  readonly program: string | undefined;
}

/**
 * Looks at programs and libraries, until one keeps none: then stacks that lead through it are cut, or lack callers. If nobody is
 * named, at the C library, with which distributions build the others alike.
 */
export function lookAtFramePointers({ pids, program }: TracedProcesses): FramePointers {
  const files = program === undefined ? [] : [...filesOfProgram(program)];
  const named = pids.flatMap((pid) => pid ?? []);
  if (named.length === 0 && program === undefined) return lookAtLibrary();
  for (const pid of named) files.push(...(mappedFiles(pid) ?? []));
  const seen = new Map<string, FrameCount>();
  for (const { path, shown } of files) {
    if (seen.has(shown)) continue;
    const count = framesIn(path, shown);
    if (count === undefined) continue;
    if (count === "32 bits") return { kept: true, why: `the tables of ${shown}, a file of 32 bits, are not known` };
    if (!keepsFramePointers(count)) return { kept: false, why: whyLost(shown, count) };
    seen.set(shown, count);
  }
  return { kept: true, why: whyKept([...seen.values()]) };
}

/** Of glibc and of musl. */
const cLibrary = /\/(?:libc\.so\.6|libc-[\d.]+\.so|ld-musl-[^/]+)$/;

/** The C library that this process has. */
function lookAtLibrary(): FramePointers {
  const library = mappedFiles(process.pid)?.find(({ shown }) => cLibrary.test(shown));
  const count = library === undefined ? undefined : framesIn(library.path, library.shown);
  if (library === undefined || typeof count !== "object")
    return { kept: true, why: "no process is named, and no C library was found to look at" };
  if (!keepsFramePointers(count)) return { kept: false, why: whyLost(library.shown, count) };
  return { kept: true, why: `no process is named, and ${library.shown} keeps them` };
}

const whyLost = (file: string, { framed, frameless }: FrameCount): string =>
  `${file} keeps no frame pointers (${framed} of ${framed + frameless} functions do)`;

function whyKept(counts: readonly FrameCount[]): string {
  if (counts.length === 0) return "no file of the program could be read";
  if (counts.every(({ framed }) => framed === 0)) return "the program has no unwinding tables";
  return counts.length === 1 ? "the program keeps them" : "the program and its libraries keep them";
}

/** Undefined of a script, and of what cannot be read: unwinding could not read it either. */
function framesIn(path: string, shown: string): FrameCount | "32 bits" | undefined {
  try {
    using file = openFile(path);
    const elf = Elf.parse(file, shown);
    return elf.bits === 32 ? "32 bits" : countFrames(elf);
  } catch (error) {
    if (error instanceof FormatError || isSystemError(error)) return undefined;
    throw error;
  }
}
