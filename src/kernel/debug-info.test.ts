import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fixture } from "../../test/fixtures/path.js";
import { Elf } from "../formats/elf.js";
import { readDebugInfo } from "./debug-info.js";

function inFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-debug-"));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A copy of the fixture whose .debug_info has another name, as if it were stripped. */
function stripped(name: string): Buffer {
  const bytes = readFileSync(fixture("elf", name));
  const at = bytes.indexOf(".debug_info\0");
  bytes.write("x", at);
  return bytes;
}

const knows = (file: string, root: string, folders: readonly string[] = []): boolean | string => {
  const found = readDebugInfo(file, { root, folders });
  return "missing" in found ? found.missing : found.function("plain", 0n) !== undefined;
};

test("compressed sections are unpacked", () => {
  assert.equal(knows(fixture("elf", "typedz"), "/nowhere"), true);
  assert.equal(knows(fixture("elf", "typed5"), "/nowhere"), true);
});

test("debugging information in another file", () => {
  inFolder((folder) => {
    const program = join(folder, "program");
    writeFileSync(program, stripped("typed5"));
    assert.match(String(knows(program, folder)), /no debugging information .* compile it with -g/);
    const id = Elf.parse(stripped("typed5"), "typed5").buildId() ?? "";
    const places: readonly (readonly [string, string, readonly string[]])[] = [
      [join(folder, ".debug"), "program.debug", []],
      [join(folder, "given"), "program.debug", ["./given"]],
      [join(folder, ".build-id", id.slice(0, 2)), `${id.slice(2)}.debug`, []],
    ];
    for (const [directory, name, folders] of places) {
      mkdirSync(directory, { recursive: true });
      const file = join(directory, name);
      // Of another build.
      copyFileSync(fixture("elf", "typed4"), file);
      assert.match(String(knows(program, folder, folders)), /no debugging information/);
      copyFileSync(fixture("elf", "typed5"), file);
      assert.equal(knows(program, folder, folders), true);
      rmSync(file);
    }
  });
});

test("a damaged compressed section says so", () => {
  inFolder((folder) => {
    const program = join(folder, "program");
    const bytes = readFileSync(fixture("elf", "typedz"));
    const elf = Elf.parse(bytes, "typedz");
    const section = elf.section(".debug_info");
    assert.ok(section !== undefined);
    bytes.fill(0xff, section.offset + 24, section.offset + section.size);
    writeFileSync(program, bytes);
    assert.throws(() => knows(program, "/nowhere"), /\.debug_info cannot be unpacked/);
  });
});
