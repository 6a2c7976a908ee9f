import { statSync } from "node:fs";

/**
 * Name of the file in dist/ with the code that V8 has made of the program: for the Node.js that runs this alone. V8 itself asks for
 * its own version only, which builds for several processors share. Throws where the file of Node.js is not to be found.
 */
export function keptCodeName(): string {
  const { size, mtimeMs } = statSync(process.execPath);
  return `program-${process.version}-${process.arch}-${size}-${Math.trunc(mtimeMs)}.cache`;
}
