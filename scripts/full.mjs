// The long checks, which the tests have small editions of: npm run full -- --help
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileTests, output, root } from "./compile-tests.mjs";

if (!existsSync(join(root, "dist/beetrace.js"))) {
  process.stderr.write("there is no dist/beetrace.js yet: npm run build\n");
  process.exit(64);
}
await compileTests();
await import(pathToFileURL(join(output, "test/full/main.js")).href);
