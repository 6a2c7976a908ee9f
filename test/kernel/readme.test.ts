// What the README shows of the API runs as it stands there, as plain JavaScript.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { fixture } from "../fixtures/path.js";
import { lacks, sameEverywhere } from "../support/run.js";

const root = join(fixture(), "../..");

test("the example of attach()", { skip: lacks("btfRawTracepoint") || sameEverywhere }, () => {
  const [, example] = /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(root, "README.md"), "utf8")) ?? [];
  assert.ok(example !== undefined);
  const url = pathToFileURL(join(root, "dist/index.js")).href;
  const code = example
    .replace('"beetrace"', JSON.stringify(url))
    // It would go on for ever.
    .replace("console.log(event.map.entries);", "{ console.log(event.map.entries.length); break; }");
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
  });
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^\d+\n$/);
});
