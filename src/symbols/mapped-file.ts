// The file, or the memory, behind a mapping of a process.

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { type ProcMap, parseProcMaps } from "../formats/proc-maps.js";
import { isSystemError, type OpenFile, openFile } from "./elf-file.js";

/**
 * Opens what is mapped: through `/proc/PID/map_files`, which leads to the very file, even if it has been deleted or
 * replaced since, or through `/proc/PID/root`. Undefined if it cannot be opened.
 */
export function openMappedFile(procRoot: string, pid: number, map: ProcMap): OpenFile | undefined {
  const range = `${map.start.toString(16)}-${map.end.toString(16)}`;
  const path = map.path ?? "";
  const candidates = [
    { file: `${procRoot}/${pid}/map_files/${range}`, certain: true },
    { file: `${procRoot}/${pid}/root${path}`, certain: false },
    // The process has ended: only a file of our own mount namespace can still be found.
    { file: path, certain: false },
  ];
  for (const { file, certain } of candidates) {
    try {
      const opened = openFile(file);
      // Another file of the same name has other symbols. (The device is no help: overlayfs and Btrfs report another.)
      if (certain || opened.inode === map.inode) return opened;
      opened[Symbol.dispose]();
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
  return undefined;
}

/** Bytes of a process's memory, as many as can be read. */
export function readMapping(
  procRoot: string,
  pid: number | "self",
  map: Pick<ProcMap, "start" | "end">,
): Uint8Array | undefined {
  try {
    const fd = openSync(`${procRoot}/${pid}/mem`, "r");
    try {
      const bytes = Buffer.alloc(Number(map.end - map.start));
      const got = readSync(fd, bytes, 0, bytes.length, map.start);
      return bytes.subarray(0, got);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** The vDSO is no file; its bytes are in the memory of each process, ours included. */
export function readOwnVdso(procRoot: string): Uint8Array | undefined {
  try {
    const maps = parseProcMaps(readFileSync(`${procRoot}/self/maps`, "utf8"));
    const own = maps.find((map) => map.path === "[vdso]");
    return own === undefined ? undefined : readMapping(procRoot, "self", own);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
