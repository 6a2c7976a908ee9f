import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { FormatError } from "../base/errors.js";
import { type CodePlace, CodePlaces } from "../formats/dwarf-places.js";
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

const codeStart = 0x401000n;
const codeEnd = 0x4010e0n;

/** Where each instruction comes from, as one program says. */
function placesOf(path: string): readonly (CodePlace | undefined)[] {
  const dwarf = readDebugInfo(path, { root: "/nowhere", folders: [] });
  assert.ok(!("missing" in dwarf), JSON.stringify(dwarf));
  const places = new CodePlaces(dwarf);
  return Array.from({ length: Number(codeEnd - codeStart) }, (_, i) => places.at(codeStart + BigInt(i)));
}

const linesOnly = (places: readonly (CodePlace | undefined)[]) =>
  places.map((each) => each && { place: each.inlined[0]?.place ?? each.place, inlined: [] });

/** Copies of fixtures in a folder, by the names that they have there. */
function copies(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, file] of Object.entries(files)) copyFileSync(fixture("elf", file), join(folder, name));
}

for (const version of [4, 5]) {
  const [split, dwo] = [`split${version}`, `split${version}-inlined.dwo`];

  test(`DWARF ${version}: what was split off has the inlined functions of the whole`, () => {
    const whole = placesOf(fixture("elf", `inlined${version}`));
    assert.ok(whole.some((each) => each !== undefined && each.inlined.length >= 2));
    assert.deepEqual(placesOf(fixture("elf", split)), whole);
    inFolder((folder) => {
      copies(folder, { [split]: split, [`${split}.dwp`]: `${split}.dwp` });
      assert.deepEqual(placesOf(join(folder, split)), whole, "in a package");
      rmSync(join(folder, `${split}.dwp`));
      assert.deepEqual(placesOf(join(folder, split)), linesOnly(whole), "the skeleton has the lines");
      // Of another build.
      const bytes = readFileSync(fixture("elf", dwo));
      const at = Elf.parse(bytes, dwo).section(".debug_info.dwo")!.offset + (version === 5 ? 12 : 0x13);
      bytes[at] = bytes[at]! ^ 1;
      writeFileSync(join(folder, dwo), bytes);
      assert.deepEqual(placesOf(join(folder, split)), linesOnly(whole), "its id is another");
    });
  });

  test(`DWARF ${version}: functions that were split off`, () => {
    for (const name of [split, `inlined${version}`]) {
      const dwarf = readDebugInfo(fixture("elf", name), { root: "/nowhere", folders: [] });
      assert.ok(!("missing" in dwarf));
      assert.equal(dwarf.function("fails", 1n)?.name(), "fails");
      assert.deepEqual(dwarf.missingFiles(), []);
    }
  });

  test(`DWARF ${version}: damaged files of split information, and packages of it, give places or none`, () => {
    inFolder((folder) => {
      copies(folder, { [split]: split });
      for (const [name, file] of [
        [dwo, dwo],
        [`${split}.dwp`, `${split}.dwp`],
      ] as const) {
        fuzz(readFileSync(fixture("elf", file)), 250, (bytes) => {
          writeFileSync(join(folder, name), bytes);
          const dwarf = readDebugInfo(join(folder, split), { root: "/nowhere", folders: [] });
          assert.ok(!("missing" in dwarf));
          const places = new CodePlaces(dwarf);
          for (let address = codeStart; address < codeEnd; address += 5n) places.at(address);
          dwarf.function("fails", 1n);
        });
        rmSync(join(folder, name));
      }
    });
  });
}

test("what is replaced while it is read gives nothing any more", () => {
  inFolder((folder) => {
    copies(folder, { split5: "split5", "split5-inlined.dwo": "split5-inlined.dwo" });
    const path = join(folder, "split5");
    const [first, second] = [1, 2].map(() => readDebugInfo(path, { root: "/nowhere", folders: [] }));
    assert.ok(first !== undefined && !("missing" in first) && second !== undefined && !("missing" in second));
    first.units();
    copyFileSync(fixture("elf", "split4-inlined.dwo"), join(folder, "split5-inlined.dwo"));
    assert.equal(new CodePlaces(first).at(codeStart)?.inlined.length ?? 0, 0);
    copyFileSync(fixture("elf", "split4"), path);
    assert.throws(() => second.units(), FormatError);
    rmSync(path);
    assert.throws(() => second.units(), FormatError);
  });
});
