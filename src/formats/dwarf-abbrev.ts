import { DW_AT } from "./dwarf-constants.js";
import type { DwarfCursor } from "./dwarf-cursor.js";
import { type FormSizes, fixedFormSize } from "./dwarf-form.js";

/** What an entry of .debug_abbrev says of one attribute. */
export interface AttributeSpec {
  readonly name: number;
  readonly form: number;
  /** Of DW_FORM_implicit_const. */
  readonly implicit: bigint;
}

/** The shape of the DIEs with one code (DWARF 5, 7.5.3). */
export interface Abbrev {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly AttributeSpec[];
  /** Bytes of all the attributes, if that is the same for every DIE. */
  readonly size: number | undefined;
  readonly hasSibling: boolean;
}

/** The table at the cursor, by codes. */
export function parseAbbrevs(cursor: DwarfCursor, sizes: FormSizes): ReadonlyMap<number, Abbrev> {
  const table = new Map<number, Abbrev>();
  // A table ends with a 0; one that ends with its section is taken, too.
  while (cursor.at < cursor.length) {
    const code = cursor.uleb();
    if (code === 0) break;
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: AttributeSpec[] = [];
    let size: number | undefined = 0;
    for (;;) {
      const name = cursor.uleb();
      const form = cursor.uleb();
      const implicit = form === 0x21 ? cursor.sleb() : 0n;
      if (name === 0 && form === 0) break;
      attributes.push({ name, form, implicit });
      const fixed = fixedFormSize(form, sizes);
      size = size === undefined || fixed === undefined ? undefined : size + fixed;
    }
    const hasSibling = attributes.some((each) => each.name === DW_AT.sibling);
    // The first entry of a code counts.
    if (!table.has(code)) table.set(code, { tag, hasChildren, attributes, size, hasSibling });
  }
  return table;
}
