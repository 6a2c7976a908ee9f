// Lengths of instructions of x86-64: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and
// appendix A. Nothing is said of what they do.

/** What follows an opcode: nothing, or ModRM, and immediates. */
type Form = "none" | "modrm";

interface Opcode {
  readonly form: Form;
  /** Bytes; `z` is 4, or 2 with an operand size prefix; `v` is 8 with REX.W; `moffs` an address. */
  readonly immediate: number | "z" | "v" | "moffs";
}

const plain: Opcode = { form: "none", immediate: 0 };
const modrm: Opcode = { form: "modrm", immediate: 0 };
const imm8: Opcode = { form: "none", immediate: 1 };
const modrm8: Opcode = { form: "modrm", immediate: 1 };
const immZ: Opcode = { form: "none", immediate: "z" };
const modrmZ: Opcode = { form: "modrm", immediate: "z" };

/** Rows of `FROM[-TO]`, hexadecimal, with what such opcodes have; opcodes that are in no row do not exist. */
function table(rows: readonly (readonly [string, Opcode])[]): readonly (Opcode | undefined)[] {
  const all = new Array<Opcode | undefined>(256).fill(undefined);
  for (const [codes, opcode] of rows) {
    for (const range of codes.split(" ")) {
      const [from = "", to = from] = range.split("-");
      for (let code = Number.parseInt(from, 16); code <= Number.parseInt(to, 16); code++) all[code] = opcode;
    }
  }
  return all;
}

const arithmetic = [0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38].map((code) => code.toString(16));
const plus = (codes: readonly string[], by: number): string =>
  codes.map((code) => (Number.parseInt(code, 16) + by).toString(16)).join(" ");

const oneByte = table([
  ...[0, 1, 2, 3].map((by) => [plus(arithmetic, by), modrm] as const),
  [plus(arithmetic, 4), imm8],
  [plus(arithmetic, 5), immZ],
  ["50-5f 6c-6f 90-99 9b-9f a4-a7 aa-af c3 c9 cb cc cf d7 ec-ef f1 f4 f5 f8-fd", plain],
  ["63 84-8f d0-d3 d8-df fe ff", modrm],
  ["68 a9", immZ],
  ["69 81 c7", modrmZ],
  ["6a 70-7f a8 b0-b7 cd e0-e7 eb", imm8],
  ["6b 80 83 c0 c1 c6", modrm8],
  ["a0-a3", { form: "none", immediate: "moffs" }],
  ["b8-bf", { form: "none", immediate: "v" }],
  ["c2 ca", { form: "none", immediate: 2 }],
  ["c8", { form: "none", immediate: 3 }],
  // Distances of jumps have four bytes, whatever the prefixes.
  ["e8 e9", { form: "none", immediate: 4 }],
  // test has an immediate, others of the group have not: see groupImmediate.
  ["f6 f7", modrm],
]);

/** Behind 0f. */
const twoByte = table([
  ["00-03 0d 10-23 28-2f 40-6f 74-76 78-7f 90-9f a3 a5 ab ad-b9 bb-c1 c3 c7 d0-ff", modrm],
  ["05-09 0b 0e 30-35 37 77 a0-a2 a8-aa c8-cf", plain],
  ["0f 70-73 a4 ac ba c2 c4-c6", modrm8],
  ["80-8f", { form: "none", immediate: 4 }],
]);

const prefixes = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);
/** The processor refuses longer ones. */
const longest = 15;

/** Length of the instruction at `at`; undefined if it is none that is known, or is cut. */
export function instructionLength(code: Uint8Array, at: number): number | undefined {
  let next = at;
  let operand16 = false;
  let address32 = false;
  while (prefixes.has(code[next] ?? 0)) {
    operand16 ||= code[next] === 0x66;
    address32 ||= code[next] === 0x67;
    if (++next - at >= longest) return undefined;
  }
  let wide = false;
  const rex = code[next] ?? 0;
  if (rex >= 0x40 && rex <= 0x4f) {
    wide = (rex & 8) !== 0;
    next++;
  }
  const found = opcodeAt(code, next);
  if (found === undefined) return undefined;
  const { opcode, end } = found;
  const afterModrm = opcode.form === "modrm" ? modrmEnd(code, end) : end;
  if (afterModrm === undefined) return undefined;
  const { immediate } = opcode;
  const sizeZ = operand16 && !wide ? 2 : 4;
  const size =
    immediate === "z"
      ? sizeZ
      : immediate === "v"
        ? wide
          ? 8
          : sizeZ
        : immediate === "moffs"
          ? address32
            ? 4
            : 8
          : immediate;
  const group = found.group === undefined ? 0 : groupImmediate(code, end, found.group === 0xf6 ? 1 : sizeZ);
  const length = afterModrm + size + group - at;
  return length > longest || at + length > code.length ? undefined : length;
}

interface FoundOpcode {
  readonly opcode: Opcode;
  /** Behind its last byte. */
  readonly end: number;
  /** f6 or f7. */
  readonly group?: number;
}

function opcodeAt(code: Uint8Array, at: number): FoundOpcode | undefined {
  const first = code[at] ?? 0;
  switch (first) {
    case 0x0f:
      return escaped(code[at + 1] ?? 0, at + 2, code);
    case 0xc5:
      return inMap(1, code[at + 2] ?? 0, at + 3);
    case 0xc4:
      return inMap((code[at + 1] ?? 0) & 0x1f, code[at + 3] ?? 0, at + 4);
    case 0x62:
      return inMap((code[at + 1] ?? 0) & 7, code[at + 4] ?? 0, at + 5);
    case 0x8f:
      // XOP, unless it is pop, whose ModRM has 0 there.
      if (((code[at + 1] ?? 0) & 0x1f) >= 8) return { opcode: xop((code[at + 1] ?? 0) & 0x1f), end: at + 4 };
      break;
    case 0xf6:
    case 0xf7:
      return { opcode: modrm, end: at + 1, group: first };
  }
  const opcode = oneByte[first];
  return opcode === undefined ? undefined : { opcode, end: at + 1 };
}

function escaped(second: number, end: number, code: Uint8Array): FoundOpcode | undefined {
  if (second === 0x38) return { opcode: modrm, end: end + 1 };
  if (second === 0x3a) return end < code.length ? { opcode: modrm8, end: end + 1 } : undefined;
  const opcode = twoByte[second];
  return opcode === undefined ? undefined : { opcode, end };
}

/** Maps of VEX and EVEX: 1 is 0f, 2 is 0f 38, 3 is 0f 3a, 5 and 6 are those of half precision. */
function inMap(map: number, opcode: number, end: number): FoundOpcode | undefined {
  if (map === 1) {
    const known = twoByte[opcode];
    return known === undefined ? undefined : { opcode: known, end };
  }
  if (map === 2 || map === 5 || map === 6) return { opcode: modrm, end };
  return map === 3 ? { opcode: modrm8, end } : undefined;
}

const xop = (map: number): Opcode => (map === 8 ? modrm8 : map === 10 ? { form: "modrm", immediate: 4 } : modrm);

/** test (/0 and /1) has an immediate, not, neg, mul and div have none. */
const groupImmediate = (code: Uint8Array, at: number, size: number): number =>
  (((code[at] ?? 0) >> 3) & 7) < 2 ? size : 0;

/** Behind ModRM, SIB and displacement. */
function modrmEnd(code: Uint8Array, at: number): number | undefined {
  const byte = code[at];
  if (byte === undefined) return undefined;
  const mode = byte >> 6;
  const memory = byte & 7;
  if (mode === 3) return at + 1;
  const sib = memory === 4 ? code[at + 1] : undefined;
  if (memory === 4 && sib === undefined) return undefined;
  const end = at + (sib === undefined ? 1 : 2);
  if (mode === 1) return end + 1;
  if (mode === 2) return end + 4;
  const displaced = sib === undefined ? memory === 5 : (sib & 7) === 5;
  return displaced ? end + 4 : end;
}

/** Whether an instruction begins at `offset`, `code` beginning with one; undefined if one in front of it is unknown. */
export function beginsInstruction(code: Uint8Array, offset: number): boolean | undefined {
  let at = 0;
  while (at < offset) {
    const length = instructionLength(code, at);
    if (length === undefined) return undefined;
    at += length;
  }
  return at === offset;
}
