import assert from "node:assert/strict";
import { test } from "node:test";
import { isKeptWord, parseOptions, UsageError } from "./options.js";

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

test("a bare word is a command; with -e, a dot or a slash it is none", () => {
  const read = (...args: readonly string[]) => {
    const { mode, subcommand, script, positional } = parseOptions(args);
    return [mode, subcommand, script?.name, positional];
  };
  assert.deepEqual(read("build", "a.bt"), ["build", "build", "a.bt", []]);
  assert.deepEqual(read("-q", "run", "a.btu"), ["run", "run", "a.btu", []]);
  assert.deepEqual(read("build", "-e", "begin {}"), ["build", "build", "stdin", []]);
  assert.deepEqual(read("./build", "x"), ["run", undefined, "./build", ["x"]]);
  assert.deepEqual(read("-e", "begin {}", "run"), ["run", undefined, "stdin", ["run"]]);
  assert.deepEqual(read("help"), ["help", "help", undefined, []]);
  // Kept for later, a file until then.
  assert.deepEqual(read("record"), ["run", undefined, "record", []]);
  assert.ok(isKeptWord("record") && !isKeptWord("record.bt"));
  assert.throws(() => read("run"), /nothing to run/);
});
