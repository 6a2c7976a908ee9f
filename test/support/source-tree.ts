import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./run.js";

export interface SourceFile {
  /** From the top of the checkout, e.g. `src/ir/ir.ts`. */
  readonly path: string;
  readonly text: string;
}

/** The TypeScript files below a folder of the checkout; what is generated is left out. */
export function sourceFiles(folder: string): readonly SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.includes("generated/"))
    .map((path) => `${folder}/${path}`)
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

export const isTest = ({ path }: SourceFile): boolean => path.endsWith(".test.ts");

/** `path:line: text` for each line of the files that a pattern matches. */
export function matchingLines(files: readonly SourceFile[], pattern: RegExp): readonly string[] {
  return files.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])),
  );
}
