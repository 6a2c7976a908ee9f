import assert from "node:assert/strict";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import type { CallRule } from "./call-frame.js";
import { readCallRules } from "./call-rules.js";
import { Elf } from "./elf.js";
import { SectionPages } from "./section-bytes.js";
import { unwindRows } from "./unwind-rows.js";
import { cfaKinds } from "./unwind-rule.js";

const files = [
  fixture("elf", "unwind"),
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/usr/bin/python3",
];

/** A table has no room for what goes by rbx. */
const isSame = (found: CallRule, inTable: number): boolean =>
  found.fromBase ? inTable === cfaKinds.unsupported : found.rule === inTable;

for (const file of files)
  test(`${file}: the rules of its table`, { skip: !existsSync(file) }, () => {
    const elf = Elf.parse(readFileSync(realpathSync(file)), file);
    const rules = readCallRules(elf, new SectionPages());
    const rows = unwindRows(elf);
    assert.ok(rows.length > 0);
    const different: string[] = [];
    for (let i = 0; i < rows.length; i += 2) {
      const [place = 0, rule = 0, next = place + 1] = rows.subarray(i, i + 3);
      // The first and the last byte of each row.
      for (const each of [place, next - 1])
        if (!isSame(rules.at(each), rule)) different.push(`${each.toString(16)}: in the table ${rule}`);
    }
    assert.deepEqual(different, []);
    assert.equal(rules.at(0).rule, 0);
  });

test("a file without the index, or with one of another kind, has its table read", () => {
  const path = fixture("elf", "unwind");
  const bytes = Buffer.from(readFileSync(path));
  const whole = Elf.parse(bytes, "unwind");
  const place = whole.function("sized")!.fileOffset + 16;
  const rule = readCallRules(whole, new SectionPages()).at(place).rule;
  assert.notEqual(rule, 0);
  bytes[whole.section(".eh_frame_hdr")!.offset + 3] = 0x33;
  assert.equal(readCallRules(Elf.parse(bytes, "other"), new SectionPages()).at(place).rule, rule);
  const tiny = Elf.parse(readFileSync(fixture("elf", "tiny")), "tiny");
  assert.equal(readCallRules(tiny, new SectionPages()).at(0x1000).rule, 0);
});

test("damaged files give rules or a FormatError", () => {
  const bytes = readFileSync(fixture("elf", "unwind"));
  const places = ["leaf", "sized", "aligned", "large", "main"].map(
    (name) => Elf.parse(bytes, "unwind").function(name)!.fileOffset + 9,
  );
  fuzz(bytes, 2000, (damaged) => {
    const rules = readCallRules(Elf.parse(damaged, "damaged"), new SectionPages());
    for (const place of places) rules.at(place);
  });
});
