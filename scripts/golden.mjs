// Compares the golden cases (test/golden/*.case) with what the compiler makes now; --update writes them anew.
import { spawnSync } from "node:child_process";
import { compileTests } from "./compile-tests.mjs";

const [test] = await compileTests((file) => file === "test/unit/golden.test.ts");
const env = { ...process.env, GOLDEN_UPDATE: process.argv.includes("--update") ? "1" : "0" };
const run = spawnSync(process.execPath, ["--test", "--enable-source-maps", test.output], { stdio: "inherit", env });
process.exit(run.status ?? 1);
