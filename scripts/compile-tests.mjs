// Transpiles src/, test/ and bench/ into build/js with the same layout, for node --test.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const output = join(root, "build/js");

function* walk(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (path.endsWith(".ts") && !path.endsWith(".d.ts")) yield path;
  }
}

/** Transpiles everything and answers the test files that `wanted` accepts, as { source, output } paths. */
export async function compileTests(wanted = () => true) {
  const entryPoints = ["src", "test", "bench"].flatMap((folder) =>
    existsSync(join(root, folder)) ? [...walk(join(root, folder))] : [],
  );
  mkdirSync(output, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints,
    outbase: root,
    outdir: output,
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: "linked",
    logLevel: "warning",
  });
  return entryPoints
    .map((path) => relative(root, path))
    .filter((path) => path.endsWith(".test.ts") && wanted(path))
    .sort()
    .map((source) => ({ source, output: join(output, source.replace(/\.ts$/, ".js")) }));
}
