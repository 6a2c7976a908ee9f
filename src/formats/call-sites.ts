import { EM_386, EM_AARCH64, EM_X86_64 } from "./elf.js";

/** Bytes that a call takes at most. */
export const longestCall = 7;

/**
 * Whether code of a machine (e_machine) ends with a call, so that what stands behind it can be where a call returns to;
 * undefined for a machine that is not known. `code` has `longestCall` bytes, or fewer at the beginning of a file.
 */
export function endsWithCall(code: Uint8Array, machine: number): boolean | undefined {
  switch (machine) {
    case EM_386:
    case EM_X86_64:
      return endsWithX86Call(code);
    case EM_AARCH64:
      return endsWithArm64Call(code);
    default:
      return undefined;
  }
}

/** CALL rel32 (E8), or CALL r/m (FF /2) of any length: Intel SDM volume 2, CALL, and table 2-2 for the operand's. */
function endsWithX86Call(code: Uint8Array): boolean {
  if (code.at(-5) === 0xe8) return true;
  for (let length = 2; length <= longestCall; length++) {
    const modRm = code.at(1 - length);
    if (code.at(-length) !== 0xff || modRm === undefined || ((modRm >> 3) & 7) !== 2) continue;
    if (length === 2 + operandBytes(modRm, length > 2 ? code.at(2 - length) : undefined)) return true;
  }
  return false;
}

/** SIB and displacement behind a ModR/M byte. */
function operandBytes(modRm: number, sib: number | undefined): number {
  const [mode, register] = [modRm >> 6, modRm & 7];
  if (mode === 3) return 0;
  const sibBytes = register === 4 ? 1 : 0;
  if (mode === 1) return sibBytes + 1;
  if (mode === 2) return sibBytes + 4;
  const hasNoBase = register === 5 || (sibBytes === 1 && sib !== undefined && (sib & 7) === 5);
  return sibBytes + (hasNoBase ? 4 : 0);
}

/** BL, BLR, and BLRAA and its like: Arm ARM (DDI 0487), C6.2. */
function endsWithArm64Call(code: Uint8Array): boolean {
  const [a, b, c, d] = [code.at(-4), code.at(-3), code.at(-2), code.at(-1)];
  if (a === undefined || b === undefined || c === undefined || d === undefined) return false;
  const word = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  return word >>> 26 === 0x25 || (word & 0xfffffc1f) >>> 0 === 0xd63f0000 || (word & 0xfefff800) >>> 0 === 0xd63f0800;
}
