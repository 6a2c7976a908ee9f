import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { ownEnvironment } from "../sys/own-words.js";
import { execute, keepOpen, memoryFile } from "../sys/process-calls.js";
import type { Sys } from "../sys/sys.js";

const chunk = 1 << 20;

/**
 * Runs this program again, with a copy of Node.js in memory: probes are in files, so that those in the file of Node.js are not
 * in the copy. `words` are those that it was started with, as process.argv has them; `leaving` is called when there is a copy. Throws SyscallError where the system does not allow that (vm.memfd_noexec).
 */
export async function runFromCopy(sys: Sys, words: readonly string[], leaving: () => Promise<void>): Promise<never> {
  using copy = memoryFile(sys, "node");
  const program = openSync("/proc/self/exe", "r");
  try {
    const buffer = Buffer.allocUnsafeSlow(chunk);
    for (;;) {
      const length = readSync(program, buffer, 0, chunk, null);
      if (length === 0) break;
      for (let at = 0; at < length; ) at += writeSync(copy.raw, buffer, at, length - at);
    }
  } finally {
    closeSync(program);
  }
  await leaving();
  // Node.js marks all that it was given to be closed (uv_disable_stdio_inheritance()).
  for (const standard of [0, 1, 2]) keepOpen(sys, standard);
  const args = [process.argv0, ...process.execArgv, ...words.slice(1)];
  return execute(sys, `/proc/self/fd/${copy.raw}`, args, ownEnvironment());
}
