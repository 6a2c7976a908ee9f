import { FormatError } from "../base/errors.js";
import type { DwarfCursor } from "./dwarf-cursor.js";

/** What decides how many bytes some forms take: fields of the unit's header. */
export interface FormSizes {
  readonly version: number;
  readonly address: number;
  readonly offset: 4 | 8;
}

/** The value of an attribute, before sections other than .debug_info have been looked into. */
export type FormValue =
  | { readonly kind: "number"; readonly value: bigint }
  | { readonly kind: "address"; readonly value: bigint }
  | { readonly kind: "text"; readonly value: string }
  /** A place in .debug_info; `local`: from the start of the unit. */
  | { readonly kind: "reference"; readonly offset: number; readonly local: boolean }
  | { readonly kind: "signature"; readonly value: bigint }
  | { readonly kind: "text-at"; readonly section: "str" | "lineStr"; readonly offset: number }
  | { readonly kind: "text-index"; readonly index: number }
  | { readonly kind: "address-index"; readonly index: number }
  /** Of the unit's table in .debug_rnglists. */
  | { readonly kind: "list-index"; readonly index: number }
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  /** Into a file that is shared by several (dwz), or a list that nobody asks for. */
  | { readonly kind: "elsewhere" };

/** Bytes that a form takes in every DIE; undefined if the DIE says. DWARF 5, 7.5.6 and table 7.6. */
export function fixedFormSize(form: number, sizes: FormSizes): number | undefined {
  switch (form) {
    case 0x19: // flag_present
    case 0x21: // implicit_const
      return 0;
    case 0x0b: // data1
    case 0x0c: // flag
    case 0x11: // ref1
    case 0x25: // strx1
    case 0x29: // addrx1
      return 1;
    case 0x05: // data2
    case 0x12: // ref2
    case 0x26: // strx2
    case 0x2a: // addrx2
      return 2;
    case 0x27: // strx3
    case 0x2b: // addrx3
      return 3;
    case 0x06: // data4
    case 0x13: // ref4
    case 0x1c: // ref_sup4
    case 0x28: // strx4
    case 0x2c: // addrx4
      return 4;
    case 0x07: // data8
    case 0x14: // ref8
    case 0x20: // ref_sig8
    case 0x24: // ref_sup8
      return 8;
    case 0x1e: // data16
      return 16;
    case 0x01: // addr
      return sizes.address;
    case 0x10: // ref_addr: DWARF 2 had it as wide as an address
      return sizes.version <= 2 ? sizes.address : sizes.offset;
    case 0x0e: // strp
    case 0x17: // sec_offset
    case 0x1d: // strp_sup
    case 0x1f: // line_strp
    case 0x1f20: // GNU_ref_alt
    case 0x1f21: // GNU_strp_alt
      return sizes.offset;
    default:
      return undefined;
  }
}

/** Goes past a value. */
export function skipForm(cursor: DwarfCursor, form: number, sizes: FormSizes): void {
  const fixed = fixedFormSize(form, sizes);
  if (fixed !== undefined) {
    cursor.skip(fixed);
    return;
  }
  switch (form) {
    case 0x03: // block2
      cursor.skip(cursor.u16());
      return;
    case 0x04: // block4
      cursor.skip(cursor.u32());
      return;
    case 0x0a: // block1
      cursor.skip(cursor.u8());
      return;
    case 0x09: // block
    case 0x18: // exprloc
      cursor.skip(cursor.uleb());
      return;
    case 0x08: // string
      cursor.skipText();
      return;
    case 0x0d: // sdata
    case 0x0f: // udata
    case 0x15: // ref_udata
    case 0x1a: // strx
    case 0x1b: // addrx
    case 0x22: // loclistx
    case 0x23: // rnglistx
    case 0x1f01: // GNU_addr_index
    case 0x1f02: // GNU_str_index
      cursor.skipLeb();
      return;
    case 0x16: // indirect
      skipForm(cursor, realForm(cursor), sizes);
      return;
    default:
      throw new FormatError(`${cursor.what}: there is no form 0x${form.toString(16)}`);
  }
}

/** Behind DW_FORM_indirect stands the form itself, which is not another indirect one. */
function realForm(cursor: DwarfCursor): number {
  const form = cursor.uleb();
  if (form === 0x16 || form === 0x21) throw new FormatError(`${cursor.what}: a form that leads nowhere`);
  return form;
}

const number = (value: bigint | number): FormValue => ({ kind: "number", value: BigInt(value) });
const local = (offset: number): FormValue => ({ kind: "reference", offset, local: true });

/** Reads a value. */
export function readForm(cursor: DwarfCursor, form: number, implicit: bigint, sizes: FormSizes): FormValue {
  switch (form) {
    case 0x01:
      return { kind: "address", value: sizes.address === 8 ? cursor.u64() : BigInt(cursor.offset(4)) };
    case 0x0b:
    case 0x0c:
      return number(cursor.u8());
    case 0x05:
      return number(cursor.u16());
    case 0x06:
      return number(cursor.u32());
    case 0x07:
      return number(cursor.u64());
    case 0x0d:
      return number(cursor.sleb());
    case 0x0f:
      return number(cursor.ulebWide());
    case 0x17:
      return number(cursor.offset(sizes.offset));
    case 0x19:
      return number(1);
    case 0x21:
      return number(implicit);
    case 0x08:
      return { kind: "text", value: cursor.text() };
    case 0x0e:
      return { kind: "text-at", section: "str", offset: cursor.offset(sizes.offset) };
    case 0x1f:
      return { kind: "text-at", section: "lineStr", offset: cursor.offset(sizes.offset) };
    case 0x1a:
    case 0x1f02:
      return { kind: "text-index", index: cursor.uleb() };
    case 0x25:
      return { kind: "text-index", index: cursor.u8() };
    case 0x26:
      return { kind: "text-index", index: cursor.u16() };
    case 0x27:
      return { kind: "text-index", index: cursor.u24() };
    case 0x28:
      return { kind: "text-index", index: cursor.u32() };
    case 0x1b:
    case 0x1f01:
      return { kind: "address-index", index: cursor.uleb() };
    case 0x29:
      return { kind: "address-index", index: cursor.u8() };
    case 0x2a:
      return { kind: "address-index", index: cursor.u16() };
    case 0x2b:
      return { kind: "address-index", index: cursor.u24() };
    case 0x2c:
      return { kind: "address-index", index: cursor.u32() };
    case 0x23:
      return { kind: "list-index", index: cursor.uleb() };
    case 0x10: {
      const wide = sizes.version <= 2 ? sizes.address === 8 : sizes.offset === 8;
      return { kind: "reference", offset: cursor.offset(wide ? 8 : 4), local: false };
    }
    case 0x11:
      return local(cursor.u8());
    case 0x12:
      return local(cursor.u16());
    case 0x13:
      return local(cursor.u32());
    case 0x14:
      return local(cursor.offset(8));
    case 0x15:
      return local(cursor.uleb());
    case 0x20:
      return { kind: "signature", value: cursor.u64() };
    case 0x03:
      return { kind: "block", bytes: cursor.bytes(cursor.u16()) };
    case 0x04:
      return { kind: "block", bytes: cursor.bytes(cursor.u32()) };
    case 0x0a:
      return { kind: "block", bytes: cursor.bytes(cursor.u8()) };
    case 0x09:
    case 0x18:
      return { kind: "block", bytes: cursor.bytes(cursor.uleb()) };
    case 0x1e:
      return { kind: "block", bytes: cursor.bytes(16) };
    case 0x16:
      return readForm(cursor, realForm(cursor), 0n, sizes);
    default:
      skipForm(cursor, form, sizes);
      return { kind: "elsewhere" };
  }
}
