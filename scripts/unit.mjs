// Runs the unit tests (src/**/*.test.ts, test/unit/**/*.test.ts): no root, no network, no kernel.
// Arguments narrow the run: `npm run unit -- src/ir`.
import { spawnSync } from "node:child_process";
import { compileTests } from "./compile-tests.mjs";

const filters = process.argv.slice(2);
const all = await compileTests((file) => file.startsWith("src/") || file.startsWith("test/unit/"));
const files = all.filter((file) => filters.length === 0 || filters.some((filter) => file.source.startsWith(filter)));
const idle = filters.filter((filter) => !all.some((file) => file.source.startsWith(filter)));
if (idle.length > 0) {
  process.stderr.write(`no unit test is in a file whose path begins with ${idle.join(" or ")}\n`);
  process.exit(64);
}
// A file that hangs is ended and fails.
const options = ["--test", "--test-timeout=120000", "--enable-source-maps"];
const run = spawnSync(process.execPath, [...options, ...files.map((file) => file.output)], { stdio: "inherit" });
process.exit(run.status ?? 1);
