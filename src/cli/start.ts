// What dist/beetrace.js is: runs the program, which lies beside it as one function, without compiling it again each time.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { keptCodeName } from "./kept-code.js";

/** What the build has kept for this Node.js (scripts/build.mjs); undefined if it has not: the program is compiled then. */
function keptCode(): Buffer | undefined {
  try {
    return readFileSync(new URL(keptCodeName(), import.meta.url));
  } catch {
    return undefined;
  }
}

const filename = fileURLToPath(new URL("program.cjs", import.meta.url));
const cachedData = keptCode();
// One byte for each character: the bundler writes ASCII.
const source = readFileSync(filename, "latin1");
const script = new Script(source, { filename, ...(cachedData === undefined ? {} : { cachedData }) });
const program = script.runInThisContext() as (require: NodeJS.Require, moduleUrl: string) => void;
program(createRequire(import.meta.url), import.meta.url);
