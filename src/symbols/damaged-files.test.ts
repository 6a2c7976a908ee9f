// Files that are damaged, replaced, cut off or removed: a name is right or there is a reason, and nothing is thrown.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { crc32 } from "node:zlib";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { Elf } from "../formats/elf.js";
import { PageCache } from "../formats/page-cache.js";
import { SectionPages } from "../formats/section-bytes.js";
import { ElfFile, openFile } from "./elf-file.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));
const sectionOf = (bytes: Buffer, name: string) => {
  const section = Elf.parse(bytes, "fixture").section(name);
  assert.ok(section !== undefined, name);
  return section;
};

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "beetrace-damaged-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A file as traces use it; it is closed at the end of the test. */
function open(t: TestContext, path: string): ElfFile {
  const keeper = {
    grew: () => undefined,
    pages: new PageCache(),
    sections: new SectionPages(),
    shown: (symbol: string) => symbol,
  };
  const file = new ElfFile(openFile(path), path, { folders: [], root: "/nowhere" }, keeper);
  t.after(() => file[Symbol.dispose]());
  return file;
}

/** The name at a place of a file, or why there is none. */
function nameAt(file: ElfFile, fileOffset: number): string {
  const found = file.at(fileOffset);
  return found.kind === "symbol" ? found.name : `(${found.reason})`;
}

/** Not even a FormatError may come out. */
const damage = (seed: Uint8Array, rounds: number, use: (bytes: Buffer) => void): void =>
  fuzz(seed, rounds, (bytes) => assert.doesNotThrow(() => use(bytes)));

/** In the file, of `twice` of the fixtures "tiny". */
const twice = Elf.parse(read("tiny"), "tiny").function("twice")!.fileOffset;

/** Without its build id, and with the checksum of `debug` in its link. */
function linkedBySum(debug: Buffer): Buffer {
  const bytes = read("tiny.stripped");
  const note = sectionOf(bytes, ".note.gnu.build-id");
  bytes.write("XNU", note.offset + 12);
  const link = sectionOf(bytes, ".gnu_debuglink");
  bytes.writeUInt32LE(crc32(debug), link.offset + link.size - 4);
  assert.equal(Elf.parse(bytes, "linked").buildId(), undefined);
  return bytes;
}

/** A stripped program beside what was split off from it. */
function split(t: TestContext, program: Buffer, debug: Buffer): { readonly path: string; readonly debug: string } {
  const folder = folderOf(t);
  writeFileSync(join(folder, "tiny"), program);
  writeFileSync(join(folder, "tiny.debug"), debug);
  return { path: join(folder, "tiny"), debug: join(folder, "tiny.debug") };
}

test("a separate file must be of the same build, by its build id", (t) => {
  assert.equal(nameAt(open(t, split(t, read("tiny.stripped"), read("tiny")).path), twice), "twice");
  const other = read("tiny");
  const { offset, size } = sectionOf(other, ".note.gnu.build-id");
  other[offset + size - 1]! ^= 1;
  assert.equal(nameAt(open(t, split(t, read("tiny.stripped"), other).path), twice), "(stripped)");
});

test("a separate file of a program without build id must have the checksum that the link tells", (t) => {
  const debug = read("tiny");
  assert.equal(nameAt(open(t, split(t, linkedBySum(debug), debug).path), twice), "twice");
  // Of another build: whatever it says itself.
  const names = sectionOf(debug, ".strtab");
  const other = Buffer.from(debug);
  other.write("wrong", other.indexOf("twice\0", names.offset));
  assert.equal(nameAt(open(t, split(t, linkedBySum(debug), other).path), twice), "(stripped)");
  const { path, debug: file } = split(t, linkedBySum(debug), debug);
  truncateSync(file, debug.length - 1);
  assert.equal(nameAt(open(t, path), twice), "(stripped)");
  // More than is read at once.
  const long = Buffer.concat([debug, Buffer.alloc(3 << 20, 7)]);
  assert.equal(nameAt(open(t, split(t, linkedBySum(long), long).path), twice), "twice");
  // Without a link nothing tells that they belong together.
  const unlinked = linkedBySum(debug);
  unlinked.write("x", unlinked.indexOf(".gnu_debuglink\0"));
  assert.equal(nameAt(open(t, split(t, unlinked, debug).path), twice), "(stripped)");
});

test("a separate file that vanishes or is replaced after it was opened keeps its names; afterwards there is none", (t) => {
  for (const change of [
    (file: string) => rmSync(file),
    (file: string) => {
      copyFileSync(fixture("elf", "typed5"), `${file}.new`);
      renameSync(`${file}.new`, file);
    },
  ]) {
    const { path, debug } = split(t, read("tiny.stripped"), read("tiny"));
    const file = open(t, path);
    assert.equal(nameAt(file, 0), "(stripped)");
    change(debug);
    assert.equal(nameAt(file, twice), "twice");
    file.drop();
    assert.equal(nameAt(file, twice), "(stripped)");
    copyFileSync(fixture("elf", "tiny"), debug);
    file.drop();
    assert.equal(nameAt(file, twice), "twice");
  }
});

test("a separate file that is written or cut off while it is open gives names or reasons", (t) => {
  const { path, debug } = split(t, read("tiny.stripped"), read("tiny"));
  const file = open(t, path);
  assert.equal(nameAt(file, 0), "(stripped)");
  truncateSync(debug, 64);
  // Names are read when they are wanted.
  assert.equal(nameAt(file, twice), "(unreadable)");
  assert.equal(file.code(twice), undefined);
  file.drop();
  assert.equal(nameAt(file, twice), "(stripped)");
  damage(read("tiny"), 200, (bytes) => {
    writeFileSync(debug, bytes);
    file.drop();
    file.at(twice);
    writeFileSync(debug, bytes.subarray(0, bytes.length >> 1));
    for (const at of [twice, 0]) file.at(at);
    file.code(twice);
    file.offsetOf("twice");
  });
});

/** Damages a section of a program again and again, and shows what the function at {@link twice} is called then. */
function damageSection(
  t: TestContext,
  path: string,
  program: Buffer,
  section: string,
  times: number,
  check: (found: string, file: ReturnType<typeof open>) => void,
): void {
  const { offset, size } = sectionOf(program, section);
  damage(program.subarray(offset, offset + size), times, (bytes) => {
    const damaged = Buffer.from(program);
    bytes.copy(damaged, offset);
    writeFileSync(path, damaged);
    using file = open(t, path);
    check(nameAt(file, twice), file);
  });
}

test("damaged build ids and links: the name is right, or there is a reason", (t) => {
  const debug = read("tiny");
  for (const program of [read("tiny.stripped"), linkedBySum(debug)])
    for (const name of [".note.gnu.build-id", ".gnu_debuglink"]) {
      const { path } = split(t, program, debug);
      assert.equal(nameAt(open(t, path), twice), "twice");
      damageSection(t, path, program, name, 80, (found, file) => {
        assert.ok(found === "twice" || found === "(stripped)", `${name}: ${found}`);
        file.offsetOf("twice");
      });
    }
});

test("damaged notes and links cost no name that the file has itself", (t) => {
  const bytes = read("tiny");
  const note = sectionOf(bytes, ".note.gnu.build-id");
  // Longer than its section.
  bytes.writeUInt32LE(0xffff, note.offset + 4);
  const path = join(folderOf(t), "tiny");
  writeFileSync(path, bytes);
  assert.equal(nameAt(open(t, path), twice), "twice");
});

test("damaged symbols that are packed in a file are none", (t) => {
  const bytes = read("tiny.mini");
  const path = join(folderOf(t), "tiny.mini");
  writeFileSync(path, bytes);
  assert.equal(nameAt(open(t, path), twice), "twice");
  let [right, none] = [0, 0];
  damageSection(t, path, bytes, ".gnu_debugdata", 200, (found) => {
    // The checksums of xz tell.
    assert.ok(found === "twice" || found === "(stripped)", found);
    if (found === "twice") right++;
    else none++;
  });
  assert.ok(none > 150, `${right} ${none}`);
});

const sections = ["info", "abbrev", "line", "str", "line_str", "rnglists", "ranges", "aranges"];

for (const name of ["inlined4", "inlined5"])
  test(`${name}: each section damaged by itself costs places, not names`, (t) => {
    const bytes = read(name);
    const elf = Elf.parse(bytes, name);
    const { fileOffset, size } = elf.function("fails")!;
    const text = sectionOf(bytes, ".text");
    const path = join(folderOf(t), name);
    for (const section of sections) {
      const found = elf.section(`.debug_${section}`);
      if (found === undefined) continue;
      damage(bytes.subarray(found.offset, found.offset + found.size), 20, (part) => {
        const damaged = Buffer.from(bytes);
        part.copy(damaged, found.offset);
        writeFileSync(path, damaged);
        using file = open(t, path);
        for (let at = text.offset; at < text.offset + text.size; at += 17) file.code(at);
        for (let at = 0; at < size; at++) assert.equal(nameAt(file, fileOffset + at), "fails");
      });
    }
  });

test("entries that lead in circles end", (t) => {
  const bytes = read("inlined5");
  const elf = Elf.parse(bytes, "inlined5");
  const info = sectionOf(bytes, ".debug_info");
  const text = sectionOf(bytes, ".text");
  const path = join(folderOf(t), "circles");
  // References of four bytes become ones to the same place: entries complete themselves, siblings stand in front of themselves.
  for (let round = 0; round < 25; round++) {
    const damaged = Buffer.from(bytes);
    const target = 12 + ((round * 7) % (info.size - 12));
    for (let at = info.offset + 12; at + 4 <= info.offset + info.size; at++)
      if (damaged.readUInt32LE(at) < info.size && damaged.readUInt32LE(at) > 12) damaged.writeUInt32LE(target, at);
    writeFileSync(path, damaged);
    using file = open(t, path);
    for (let at = text.offset; at < text.offset + text.size; at += 5) file.code(at);
    assert.equal(nameAt(file, elf.function("fails")!.fileOffset), "fails");
  }
});

test("a .dwo file that vanishes, or is replaced by another build's, costs inlined functions, not lines or names", (t) => {
  const folder = folderOf(t);
  const path = join(folder, "split5");
  const dwo = join(folder, "split5-inlined.dwo");
  copyFileSync(fixture("elf", "split5"), path);
  const elf = Elf.parse(read("split5"), "split5");
  const text = elf.section(".text")!;
  const chains = (): number => {
    using file = open(t, path);
    let found = 0;
    for (let at = text.offset; at < text.offset + text.size; at++) {
      const code = file.code(at);
      if (code?.place !== undefined) found += code.inlined.length + 1000;
    }
    return found;
  };
  const without = chains();
  copyFileSync(fixture("elf", "split5-inlined.dwo"), dwo);
  const whole = chains();
  assert.ok(without > 1000 && without % 1000 === 0 && whole > without, `${without} ${whole}`);
  copyFileSync(fixture("elf", "split4-inlined.dwo"), dwo);
  assert.equal(chains(), without);
  // While it is in use.
  copyFileSync(fixture("elf", "split5-inlined.dwo"), dwo);
  const file = open(t, path);
  const first = elf.function("fails")!;
  assert.ok(file.code(first.fileOffset)?.place !== undefined);
  rmSync(dwo);
  for (let at = text.offset; at < text.offset + text.size; at++) assert.doesNotThrow(() => file.code(at));
  assert.equal(nameAt(file, first.fileOffset), "fails");
});

test("a file that claims to have gigabytes of tables has none", (t) => {
  const whole = read("tiny");
  const headers = Number(whole.readBigUInt64LE(40));
  const path = join(folderOf(t), "tiny");
  const elf = Elf.parse(whole, "tiny");
  for (const name of [".symtab", ".strtab", ".shstrtab", ".note.gnu.build-id"]) {
    const index = elf.sections.findIndex((each) => each.name === name);
    const bytes = Buffer.from(whole);
    bytes.writeBigUInt64LE(6n << 30n, headers + 64 * index + 32);
    writeFileSync(path, bytes);
    // Sparse: it takes no room.
    truncateSync(path, 20 * 2 ** 30);
    const file = open(t, path);
    const before = process.memoryUsage().rss;
    const found = nameAt(file, twice);
    assert.ok(found === "twice" || found === "(unreadable)" || found === "(stripped)", found);
    file.code(twice);
    file.offsetOf("twice");
    assert.ok(process.memoryUsage().rss - before < 200 << 20);
  }
});

for (const name of ["info", "abbrev", "line", "aranges"])
  test(`gigabytes of .debug_${name} end soon`, (t) => {
    const whole = read("inlined5");
    const elf = Elf.parse(whole, "inlined5");
    const path = join(folderOf(t), "inlined5");
    const index = elf.sections.findIndex((each) => each.name === `.debug_${name}`);
    const { offset, size } = elf.sections[index]!;
    const header = Number(whole.readBigUInt64LE(40)) + 64 * index;
    const bytes = Buffer.concat([whole, Buffer.alloc(8 << 20)]);
    const end = whole.length;
    // The section moves behind the file, where the same is said over and over.
    const part = whole.subarray(offset, offset + size);
    for (let at = end; at + size <= bytes.length; at += size) part.copy(bytes, at);
    bytes.writeBigUInt64LE(BigInt(end), header + 24);
    bytes.writeBigUInt64LE(6n << 30n, header + 32);
    writeFileSync(path, bytes);
    truncateSync(path, 20 * 2 ** 30);
    const file = open(t, path);
    const { fileOffset } = elf.function("fails")!;
    const before = process.memoryUsage().rss;
    file.code(fileOffset);
    assert.equal(nameAt(file, fileOffset), "fails");
    assert.ok(process.memoryUsage().rss - before < 200 << 20);
  });

test("a program that is cut off, written over or removed while it is open gives names or reasons", (t) => {
  const whole = read("inlined5");
  const { fileOffset } = Elf.parse(whole, "inlined5").function("fails")!;
  const path = join(folderOf(t), "inlined5");
  for (let length = 0; length < whole.length; length += 211) {
    writeFileSync(path, whole);
    const file = open(t, path);
    if (length % 2 === 0) file.at(fileOffset);
    truncateSync(path, length);
    const found = nameAt(file, fileOffset);
    assert.ok(found === "fails" || found === "(unreadable)" || found === "(stripped)", found);
    assert.doesNotThrow(() => [file.code(fileOffset), file.offsetOf("fails")]);
    // As long as its pages are there, or again once it is whole.
    writeFileSync(path, whole);
    file.drop();
    assert.equal(nameAt(file, fileOffset), "fails");
    rmSync(path);
    file.drop();
    assert.equal(nameAt(file, fileOffset), "fails");
    file[Symbol.dispose]();
  }
});
