import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { test } from "node:test";
import { fuzz } from "../../test/fixtures/fuzz.js";
import { fixture } from "../../test/fixtures/path.js";
import { parseEhFrame, ruleAt, type UnwindTable } from "./eh-frame.js";
import { Elf } from "./elf.js";
import { cfaKinds, decodeRule, encodeRule } from "./unwind-rule.js";

function tableOf(path: string): UnwindTable {
  const elf = Elf.parse(readFileSync(path), path);
  const section = elf.section(".eh_frame")!;
  return parseEhFrame(elf.data(section), Number(section.address), path);
}

/** A rule as readelf writes one: the CFA, the frame pointer, and whether there is a caller. */
function ruleText(bits: number): string {
  const { kind, cfaOffset, framePointer } = decodeRule(bits);
  if (kind === cfaKinds.outermost) return "outermost";
  const registers: Record<number, string> = {
    [cfaKinds.stackPointer]: "rsp",
    [cfaKinds.framePointer]: "rbp",
    [cfaKinds.returnInRegister]: "rsp",
  };
  const register = registers[kind];
  const cfa = register === undefined ? "exp" : `${register}+${8 * cfaOffset}`;
  if (kind === cfaKinds.signal) return "exp exp";
  if (framePointer.kind === "same") return `${cfa} u`;
  return framePointer.kind === "at-cfa" ? `${cfa} c${8 * framePointer.offset}` : `${cfa} exp`;
}

interface Interpreted {
  readonly address: number;
  readonly text: string;
}

/** What readelf says of each row. */
function readelfRows(path: string): readonly Interpreted[] {
  const { stdout } = spawnSync("readelf", ["--debug-dump=frames-interp", "-W", path], {
    encoding: "latin1",
    maxBuffer: 1 << 30,
  });
  const rows: Interpreted[] = [];
  let columns: readonly string[] = [];
  let inFde = false;
  for (const line of stdout.split("\n")) {
    if (/ FDE /.test(line)) inFde = true;
    else if (/ CIE /.test(line)) inFde = false;
    else if (/^\s+LOC/.test(line)) columns = line.trim().split(/\s+/);
    else if (inFde && /^[0-9a-f]{16} /.test(line)) {
      const cells = line
        .replace(/ \(\w+\)/g, "")
        .trim()
        .split(/\s+/);
      const cell = (name: string): string => cells[columns.indexOf(name)] ?? "u";
      const ra = cell("ra");
      const fp = cell("rbp").replace("s", "u").replace("vexp", "exp");
      const text = ra === "u" ? "outermost" : `${cell("CFA").replace("vexp", "exp")} ${fp}`;
      rows.push({ address: Number.parseInt(cells[0]!, 16), text });
    }
  }
  return rows;
}

/** Rows of a file that say what readelf says, say nothing, or say something else. */
function compare(path: string): {
  readonly same: number;
  readonly unsupported: number;
  readonly other: readonly string[];
} {
  const table = tableOf(path);
  const found = { same: 0, unsupported: 0, other: [] as string[] };
  for (const { address, text } of readelfRows(path)) {
    const rule = ruleAt(table, address);
    const own = ruleText(rule);
    if (rule === cfaKinds.unsupported) found.unsupported++;
    else if (own === text) found.same++;
    else found.other.push(`${address.toString(16)}: ${own}, readelf: ${text}`);
  }
  return found;
}

/** EH_FRAME_FILES adds more, e.g. `/usr/bin/git:/usr/bin/perl`. */
const files = [
  process.execPath,
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/usr/bin/python3",
  ...(process.env["EH_FRAME_FILES"]?.split(":") ?? []),
];
const hasReadelf = spawnSync("readelf", ["--version"]).error === undefined && process.arch === "x64";

for (const file of files) {
  test(`${file}: the same rules as readelf`, { skip: !hasReadelf || !existsSync(file) }, (t) => {
    const { same, unsupported, other } = compare(realpathSync(file));
    t.diagnostic(`${same} the same, ${unsupported} without a rule`);
    assert.deepEqual(other.slice(0, 10), []);
    assert.ok(same > 1000);
    assert.ok(unsupported < same / 50);
  });
}

/** An entry: its length, then `body`; a CIE has the id 0, an FDE the distance to its CIE. */
function entry(id: number, body: readonly number[]): readonly number[] {
  const padded = [...body, ...Array<number>((8 - (body.length % 8)) % 8).fill(0)];
  const size = padded.length + 4;
  return [size, 0, 0, 0, id, 0, 0, 0, ...padded];
}

const address64 = (n: number): readonly number[] => [n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, 0, 0, 0, 0, 0];
/** Version 1, no augmentation: absolute addresses of 8 bytes; code by 1, data by -8, the return address is register 16. */
const cieBody = [1, 0, 1, 0x78, 16, /* CFA = rsp + 8 */ 0x0c, 7, 8, /* ra at CFA - 8 */ 0x90, 1];

/** The section of one CIE and functions, each `[start, size, instructions]`. */
function sectionOf(functions: readonly (readonly [number, number, readonly number[]])[]): Uint8Array {
  const bytes = [...entry(0, cieBody)];
  for (const [start, size, instructions] of functions)
    bytes.push(...entry(bytes.length + 4, [...address64(start), ...address64(size), ...instructions]));
  return Uint8Array.from([...bytes, 0, 0, 0, 0]);
}

const rowsOf = (functions: Parameters<typeof sectionOf>[0]): readonly string[] => {
  const { start, rows } = parseEhFrame(sectionOf(functions), 0x8000, "section");
  return Array.from({ length: rows.length / 2 }, (_, i) => {
    const rule = rows[2 * i + 1]!;
    const text = rule === cfaKinds.none ? "none" : rule === cfaKinds.unsupported ? "unsupported" : ruleText(rule);
    return `${(start + rows[2 * i]!).toString(16)} ${text}`;
  });
};

test("rows of functions, in order, and what is between them", () => {
  // push %rbp at 0, mov %rsp,%rbp at 1, leave at 9, ret at 10.
  const framed = [0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x49, 0x0c, 7, 8, 0xc6];
  assert.deepEqual(
    rowsOf([
      [0x2000, 4, []],
      [0x1000, 16, framed],
    ]),
    ["1000 rsp+8 u", "1001 rsp+16 c-16", "1004 rbp+16 c-16", "100d rsp+8 u", "1010 none", "2000 rsp+8 u", "2004 none"],
  );
});

test("states remembered, functions that overlap or say the same, the outermost function", () => {
  const early = [0x44, 0x0e, 32, 0x0a, 0x42, 0x0e, 8, 0x42, 0x0b];
  assert.deepEqual(rowsOf([[0x1000, 16, early]]), [
    "1000 rsp+8 u",
    "1004 rsp+32 u",
    "1006 rsp+8 u",
    "1008 rsp+32 u",
    "1010 none",
  ]);
  assert.deepEqual(
    rowsOf([
      [0x1000, 8, []],
      [0x1004, 8, [0x0e, 16]],
    ]),
    ["1000 rsp+8 u", "1008 rsp+16 u", "100c none"],
  );
  assert.deepEqual(
    rowsOf([
      [0x1000, 8, []],
      [0x1008, 8, []],
    ]),
    ["1000 rsp+8 u", "1010 none"],
  );
  assert.deepEqual(rowsOf([[0x1000, 8, [0x07, 16]]]), ["1000 outermost", "1008 none"]);
  assert.deepEqual(rowsOf([]), ["0 none"]);
});

test("expressions: linkage tables, aligned stacks, returns from signals, and what has no rule", () => {
  const kindOf = (instructions: readonly number[]): readonly unknown[] => {
    const { start, rows } = parseEhFrame(sectionOf([[0x1000, 8, instructions]]), 0x8000, "section");
    assert.equal(start, 0x1000);
    const { kind, cfaOffset, framePointer } = decodeRule(rows[1]!);
    return [kind, cfaOffset, framePointer];
  };
  const same = { kind: "same" };
  const plt = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
  assert.deepEqual(kindOf([0x0f, plt.length, ...plt]), [cfaKinds.plt, 11, same]);
  // CFA = [rbp - 8], rbp at [rbp]: DW_OP_breg6 -8, deref; DW_OP_breg6 0.
  const aligned = [0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0];
  assert.deepEqual(kindOf(aligned), [cfaKinds.atFramePointer, -1, { kind: "at-frame-pointer", offset: 0 }]);
  // CFA = [rsp + 40] + 8.
  assert.deepEqual(kindOf([0x0f, 5, 0x77, 40, 0x06, 0x23, 8]), [cfaKinds.atStackPointer, 5, same]);
  const signal = [0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 6, 3, 0x77, 0xf8, 0, 0x10, 16, 3, 0x77, 0xa8, 1];
  assert.equal(kindOf(signal)[0], cfaKinds.signal);
  // CFA = rax + 8; an odd offset; the return address in a register.
  for (const odd of [
    [0x0c, 0, 8],
    [0x0e, 12],
    [0x09, 16, 2],
  ])
    assert.equal(kindOf(odd)[0], cfaKinds.unsupported);
});

test("damaged sections give a table or a FormatError", () => {
  for (const file of ["probes.pie", "tiny.so"]) {
    const elf = Elf.parse(readFileSync(fixture("elf", file)), file);
    const section = elf.section(".eh_frame")!;
    fuzz(elf.data(section), 5000, (bytes) => {
      const { rows } = parseEhFrame(bytes, Number(section.address), file);
      for (let i = 2; i < rows.length; i += 2) assert.ok(rows[i - 2]! < rows[i]!, "rows are in order");
    });
  }
});

test("rules in 32 bits", () => {
  for (const offset of [-32768, -1, 0, 1, 2, 32767])
    for (const framePointer of [
      { kind: "same" },
      { kind: "at-cfa", offset: -2 },
      { kind: "at-cfa", offset: -2048 },
      { kind: "at-frame-pointer", offset: 0 },
      { kind: "at-frame-pointer", offset: 2046 },
    ] as const) {
      const bits = encodeRule(cfaKinds.stackPointer, offset, framePointer);
      assert.deepEqual(decodeRule(bits), { kind: cfaKinds.stackPointer, cfaOffset: offset, framePointer });
    }
  assert.equal(encodeRule(cfaKinds.stackPointer, 1.5, { kind: "same" }), cfaKinds.unsupported);
  assert.equal(encodeRule(cfaKinds.stackPointer, 32768, { kind: "same" }), cfaKinds.unsupported);
  assert.equal(encodeRule(cfaKinds.stackPointer, 1, { kind: "at-cfa", offset: 0 }), cfaKinds.unsupported);
});
