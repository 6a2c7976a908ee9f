import { FormatError } from "../base/errors.js";
import { DW_AT } from "./dwarf-constants.js";
import { DwarfCursor } from "./dwarf-cursor.js";
import type { Die } from "./dwarf-unit.js";

/** Addresses as the linker gave them; `end` is behind the last. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** No entry of a program has more pieces than this; a damaged file might say so. */
const maxRanges = 1 << 16;

/** Where the code of an entry lies: DW_AT_low_pc with DW_AT_high_pc, or DW_AT_ranges (DWARF 5, 2.17). */
export function rangesOf(die: Die): readonly AddressRange[] {
  const start = die.address(DW_AT.lowPc);
  const list = die.value(DW_AT.ranges);
  if (list !== undefined) return listed(die, list.kind === "list-index" ? list.index : undefined);
  const high = die.value(DW_AT.highPc);
  if (start === undefined || high === undefined) return [];
  // An address, or since DWARF 4 the length.
  const end = die.unit.address(high) ?? start + (die.wide(DW_AT.highPc) ?? 0n);
  return end > start ? [{ start, end }] : [];
}

function listed(die: Die, index: number | undefined): readonly AddressRange[] {
  const { unit } = die;
  const base = unit.root()?.address(DW_AT.lowPc) ?? unit.skeleton?.lowPc ?? 0n;
  if (unit.header.sizes.version < 5) return pairs(die, base);
  const what = `${unit.file.what}: .debug_rnglists`;
  const section = unit.file.section("rnglists");
  let at = die.number(DW_AT.ranges);
  if (index !== undefined) {
    // A split unit's own table begins behind its header (DWARF 5, 7.28).
    const { offset } = unit.header.sizes;
    const table = unit.root()?.number(DW_AT.rnglistsBase) ?? (offset === 4 ? 12 : 20);
    at = table + new DwarfCursor(section, what, table + index * offset).offset(offset);
  }
  return at === undefined ? [] : entries(die, new DwarfCursor(section, what, at), base);
}

/** .debug_rnglists: DWARF 5, 2.17.3 and 7.25. */
function entries(die: Die, cursor: DwarfCursor, from: bigint): readonly AddressRange[] {
  const { unit } = die;
  const width = unit.header.sizes.address;
  const address = (): bigint => (width === 8 ? cursor.u64() : BigInt(cursor.u32()));
  const indexed = (): bigint => unit.address({ kind: "address-index", index: cursor.uleb() }) ?? 0n;
  const length = (): bigint => BigInt(cursor.uleb());
  const found: AddressRange[] = [];
  let base = from;
  const add = (start: bigint, end: bigint): void => {
    if (end > start) found.push({ start, end });
  };
  while (found.length < maxRanges) {
    const kind = cursor.u8();
    switch (kind) {
      case 0: // end_of_list
        return found;
      case 1: // base_addressx
        base = indexed();
        break;
      case 2: // startx_endx
        add(indexed(), indexed());
        break;
      case 3: {
        const start = indexed();
        add(start, start + length());
        break;
      }
      case 4: // offset_pair
        add(base + length(), base + length());
        break;
      case 5: // base_address
        base = address();
        break;
      case 6: // start_end
        add(address(), address());
        break;
      case 7: {
        const start = address();
        add(start, start + length());
        break;
      }
      default:
        throw new FormatError(`${cursor.what}: there is no entry of kind ${kind}`);
    }
  }
  return found;
}

/** .debug_ranges of DWARF 3 and 4: pairs of addresses; the first of a pair may say that the second is a new base. */
function pairs(die: Die, from: bigint): readonly AddressRange[] {
  const place = die.number(DW_AT.ranges);
  if (place === undefined) return [];
  const { unit } = die;
  const at = place + (unit.skeleton?.rangesBase ?? 0);
  const cursor = new DwarfCursor(unit.file.section("ranges"), `${unit.file.what}: .debug_ranges`, at);
  const wide = unit.header.sizes.address === 8;
  const selects = wide ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  const next = (): bigint => (wide ? cursor.u64() : BigInt(cursor.u32()));
  const found: AddressRange[] = [];
  let base = from;
  while (found.length < maxRanges) {
    const [first, second] = [next(), next()];
    if (first === 0n && second === 0n) break;
    if (first === selects) base = second;
    else if (second > first) found.push({ start: base + first, end: base + second });
  }
  return found;
}
