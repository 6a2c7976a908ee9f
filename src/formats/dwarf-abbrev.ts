import { FormatError } from "../base/errors.js";
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

/** Attributes of all entries of a table; no compiler says more, but a damaged file might. */
const maxAttributes = 1 << 18;

/** Codes count from 1: those below are found by an index. */
const maxIndexed = 4096;

/** The table at the cursor, read as far as it is asked for: of most units only the first entry is wanted. */
export class AbbrevTable {
  private readonly cursor: DwarfCursor;
  private readonly sizes: FormSizes;
  private readonly indexed: (Abbrev | undefined)[] = [];
  private readonly others = new Map<number, Abbrev>();
  private left = maxAttributes;
  private isWhole = false;

  constructor(cursor: DwarfCursor, sizes: FormSizes) {
    this.cursor = cursor;
    this.sizes = sizes;
  }

  /** The first entry of a code counts. */
  get(code: number): Abbrev | undefined {
    for (;;) {
      const found = code < maxIndexed ? this.indexed[code] : this.others.get(code);
      if (found !== undefined || this.isWhole) return found;
      this.readNext();
      this.cursor.release();
    }
  }

  private readNext(): void {
    const { cursor, sizes } = this;
    // A table ends with a 0; one that ends with its section is taken, too.
    const code = cursor.at < cursor.length ? cursor.uleb() : 0;
    if (code === 0) {
      this.isWhole = true;
      return;
    }
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: AttributeSpec[] = [];
    let size: number | undefined = 0;
    for (;;) {
      if (--this.left < 0) throw new FormatError(`${cursor.what}: a table of more than ${maxAttributes} attributes`);
      const name = cursor.uleb();
      const form = cursor.uleb();
      const implicit = form === 0x21 ? cursor.sleb() : 0n;
      if (name === 0 && form === 0) break;
      attributes.push({ name, form, implicit });
      const fixed = fixedFormSize(form, sizes);
      size = size === undefined || fixed === undefined ? undefined : size + fixed;
    }
    const hasSibling = attributes.some((each) => each.name === DW_AT.sibling);
    const abbrev: Abbrev = { tag, hasChildren, attributes, size, hasSibling };
    if (code >= maxIndexed) {
      if (!this.others.has(code)) this.others.set(code, abbrev);
      return;
    }
    // Without holes, which would make it slow.
    while (this.indexed.length <= code) this.indexed.push(undefined);
    this.indexed[code] ??= abbrev;
  }
}
