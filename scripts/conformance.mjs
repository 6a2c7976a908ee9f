// Runs bpftrace's runtime suite against the built program: npm run conformance -- --help
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileTests, output, root } from "./compile-tests.mjs";

if (!existsSync(join(root, "dist/beetrace.js"))) {
  process.stderr.write("there is no dist/beetrace.js yet: npm run build\n");
  process.exit(64);
}
await compileTests();
const main = join(output, "test/conformance/main.js");
process.argv[1] = main;
await import(pathToFileURL(main).href);
