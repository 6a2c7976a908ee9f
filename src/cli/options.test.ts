import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions, UsageError } from "./options.js";

const formatOf = (...args: readonly string[]): string => parseOptions([...args, "-e", "begin { exit(); }"]).format;

test("the ending of the output file chooses a format, unless -f does", () => {
  const files = ["a.txt", "a.svg", "a.html", "a.folded", "a.speedscope.json", "a.json", "a.pb.gz", "a.pprof"];
  assert.deepEqual(
    files.map((file) => formatOf("-o", file)),
    ["text", "svg", "html", "folded", "speedscope", "text", "pprof", "pprof"],
  );
  assert.equal(formatOf("-o", "a.svg", "-f", "html"), "html");
  assert.equal(formatOf("-f", "svg"), "svg");
  assert.throws(() => formatOf("-f", "png"), UsageError);
});
