import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { FormatError } from "../base/errors.js";
import { Elf } from "./elf.js";
import { parseStapsdt } from "./stapsdt.js";
import { parseUsdtArguments } from "./usdt-arguments.js";
import { resolveOperand } from "./usdt-operand.js";

const read = (name: string): Buffer => readFileSync(fixture("elf", name));

test("notes of a program: places, counters, argument texts", () => {
  const elf = Elf.parse(read("probes"), "probes");
  const notes = parseStapsdt(elf);
  const named = (name: string) => notes.filter((note) => note.name === name);
  assert.deepEqual([...new Set(notes.map(({ provider }) => provider))], ["first", "second"]);
  assert.deepEqual(
    named("plain").map((note) => [note.arguments, note.semaphore]),
    [["", undefined]],
  );
  assert.equal(named("twice").length, 2);
  assert.deepEqual(
    named("twice").map((note) => note.arguments),
    ["-4@%edi", "8@$7"],
  );
  assert.equal(named("counted")[0]!.semaphore, elf.variable("counted_semaphore")!.address);
  for (const { address } of notes) assert.equal(elf.fileOffset(address) !== undefined, true);
});

test("notes of a file that prelink has moved", () => {
  const bytes = read("probes");
  const before = parseStapsdt(Elf.parse(bytes, "probes"));
  const section = Elf.parse(bytes, "probes").section(".note.stapsdt")!;
  // Each note says where .stapsdt.base was: 16 bytes below where it is.
  const moved = Buffer.from(bytes);
  for (let at = section.offset; at < section.offset + section.size; ) {
    const [nameSize, size] = [moved.readUInt32LE(at), moved.readUInt32LE(at + 4)];
    const start = at + 12 + ((nameSize + 3) & ~3);
    moved.writeBigUInt64LE(moved.readBigUInt64LE(start + 8) - 16n, start + 8);
    at = start + ((size + 3) & ~3);
  }
  const after = parseStapsdt(Elf.parse(moved, "probes"));
  assert.deepEqual(
    after.map(({ address }) => address),
    before.map(({ address }) => address + 16n),
  );
  assert.deepEqual(
    after.map(({ semaphore }) => semaphore),
    before.map(({ semaphore }) => (semaphore === undefined ? undefined : semaphore + 16n)),
  );
});

test("a file without notes has no probes, and one that is cut is an error", () => {
  assert.deepEqual(parseStapsdt(Elf.parse(read("tiny"), "tiny")), []);
  const bytes = read("probes");
  const section = Elf.parse(bytes, "probes").section(".note.stapsdt")!;
  const damaged = Buffer.from(bytes);
  damaged.writeUInt32LE(0xffff, section.offset + 4);
  assert.throws(() => parseStapsdt(Elf.parse(damaged, "probes")), FormatError);
});

test("damaged files give notes or a FormatError", () => {
  fuzz(read("probes"), 1500, (bytes) => {
    for (const note of parseStapsdt(Elf.parse(bytes, "probes"))) parseUsdtArguments(note.arguments, "x86_64");
  });
});

test("any text gives arguments, which say what is not understood", () => {
  fuzz(Buffer.from("-4@%eax 8@-16(%rbp,%rax,8) 2@table+8(%rip) 1@$-1 8f@%xmm0 8@[sp, 16] w1"), 3000, (bytes) => {
    for (const arch of ["x86_64", "arm64"] as const) {
      for (const { operand } of parseUsdtArguments(bytes.toString("latin1"), arch))
        resolveOperand(operand, { address: 1n, relocated: true, instructionPointer: "ip" }, () => 2n);
    }
  });
});
