import assert from "node:assert/strict";
import { test } from "node:test";
import { compileScript } from "../../test/support/compile-script.js";
import { probedFiles } from "./probed-files.js";

test("files with probes of both kinds, which are not limited to a process", () => {
  const files = (text: string, pid?: number): readonly string[] =>
    probedFiles(compileScript(text, pid === undefined ? {} : { pid }).script.targets);
  const text = "uprobe:/fixture/tiny:twice {} usdt:/fixture/probes:counted {} kprobe:vfs_read {} begin {}";
  assert.deepEqual(files(text), ["/fixture/tiny", "/fixture/probes"]);
  assert.deepEqual(files(text, 7), []);
});
