import { FormatError } from "../base/errors.js";
import type { DwarfCursor } from "./dwarf-cursor.js";
import { type FormSizes, type FormValue, readForm } from "./dwarf-form.js";

/** A row of the table: the first instruction of a piece of a line. Programs have no addresses that a double has not exactly. */
export interface LineRow {
  readonly address: number;
  /** Index into the files. */
  readonly file: number;
  readonly line: number;
  /** 0: not said. */
  readonly column: number;
  /** A debugger would put a breakpoint here. */
  readonly isStatement: boolean;
  /** The address is behind the last instruction of a run of rows; the rest means nothing. */
  readonly endsSequence: boolean;
  /** Where in .debug_line the instructions go on. */
  readonly next: number;
}

/** What a row leaves to the next one: enough to go on from there, but for columns and statements. */
export interface RowPlace {
  readonly address: number;
  readonly file: number;
  readonly line: number;
  /** Where in .debug_line the instructions go on. */
  readonly next: number;
}

/** One unit's part of .debug_line (DWARF 5, 6.2). */
export interface LineTable {
  /** Paths as the compiler knew them, by the numbers that rows have. */
  readonly files: readonly string[];
  /** One after the other in the same object; all, or those behind a row. */
  rows(behind?: RowPlace): Generator<LineRow>;
}

const DW_LNCT_path = 1;
const DW_LNCT_directory_index = 2;
/** No unit has more; a damaged one might say so. */
const maxFiles = 1 << 17;

/** Reads the table at the cursor; `text` looks up what stands in other sections. */
export function parseLineTable(
  cursor: DwarfCursor,
  folder: string,
  addressSize: number,
  text: (value: FormValue) => string | undefined,
): LineTable {
  const { what } = cursor;
  let length = cursor.u32();
  let width: 4 | 8 = 4;
  if (length === 0xffffffff) {
    width = 8;
    length = cursor.offset(8);
  }
  const end = cursor.at + length;
  if (end > cursor.length) throw new FormatError(`${what}: a line table ends behind the section`);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new FormatError(`${what}: a line table of version ${version}`);
  let address = addressSize;
  if (version === 5) {
    address = cursor.u8();
    cursor.u8(); // segment selectors
  }
  const headerLength = cursor.offset(width);
  const program = cursor.at + headerLength;
  const minimum = cursor.u8();
  // Of VLIW machines only.
  if (version >= 4) cursor.u8();
  const defaultIsStatement = cursor.u8() !== 0;
  const lineBase = (cursor.u8() << 24) >> 24;
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  const operands = [0];
  for (let i = 1; i < opcodeBase; i++) operands.push(cursor.u8());
  const sizes: FormSizes = { version, address, offset: width };
  const files = version === 5 ? readFiles5(cursor, sizes, folder, text) : readFiles(cursor, folder);
  if (program > end) throw new FormatError(`${what}: a line table's program begins behind its end`);
  cursor.release();
  const settings = { minimum, defaultIsStatement, lineBase, lineRange, opcodeBase, operands, address };
  return { files, rows: (behind) => run(cursor.copy(behind?.next ?? program), end, settings, behind) };
}

/** A path below a folder, as far as it is not complete itself. */
const below = (folder: string, name: string): string =>
  name.startsWith("/") || folder === "" ? name : `${folder}/${name}`;

/** Versions 2 to 4: texts one after the other, an empty one ends the list. Folder 0 is the compiler's; files count from 1. */
function readFiles(cursor: DwarfCursor, folder: string): readonly string[] {
  const folders = [folder];
  for (let name = cursor.text(); name !== ""; name = cursor.text()) {
    folders.push(below(folder, name));
    if (folders.length > maxFiles)
      throw new FormatError(`${cursor.what}: a line table of more than ${maxFiles} folders`);
  }
  const files = [""];
  for (let name = cursor.text(); name !== ""; name = cursor.text()) {
    files.push(below(folders[cursor.uleb()] ?? "", name));
    cursor.skipLeb();
    cursor.skipLeb();
    if (files.length > maxFiles) throw new FormatError(`${cursor.what}: a line table of more than ${maxFiles} files`);
  }
  return files;
}

/** Version 5: tables that say of what their entries consist; folder 0 and file 0 are the compiler's. */
function readFiles5(
  cursor: DwarfCursor,
  sizes: FormSizes,
  folder: string,
  text: (value: FormValue) => string | undefined,
): readonly string[] {
  const folders = readEntries(cursor, sizes, text).map(({ path }) => below(folder, path));
  return readEntries(cursor, sizes, text).map(({ path, directory }) => below(folders[directory] ?? "", path));
}

function readEntries(
  cursor: DwarfCursor,
  sizes: FormSizes,
  text: (value: FormValue) => string | undefined,
): readonly { readonly path: string; readonly directory: number }[] {
  const format = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
  const count = cursor.uleb();
  if (count > maxFiles) throw new FormatError(`${cursor.what}: a line table of ${count} files`);
  const entries: { path: string; directory: number }[] = [];
  for (let i = 0; i < count; i++) {
    let [path, directory] = ["", 0];
    for (const { content, form } of format) {
      const value = readForm(cursor, form, 0n, sizes);
      if (content === DW_LNCT_path) path = text(value) ?? "";
      else if (content === DW_LNCT_directory_index && value.kind === "number") directory = Number(value.value);
    }
    entries.push({ path, directory });
  }
  return entries;
}

interface Program {
  readonly minimum: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** How many each standard opcode has. */
  readonly operands: readonly number[];
  readonly address: number;
}

/** The state machine of DWARF 5, 6.2.2 and 6.2.5. */
function* run(cursor: DwarfCursor, end: number, program: Program, behind: RowPlace | undefined): Generator<LineRow> {
  const { minimum, lineBase, opcodeBase } = program;
  const lineRange = Math.max(1, program.lineRange);
  const start = (): { -readonly [K in keyof LineRow]: LineRow[K] } => ({
    address: 0,
    file: 1,
    line: 1,
    column: 0,
    isStatement: program.defaultIsStatement,
    endsSequence: false,
    next: 0,
  });
  let state = { ...start(), ...behind };
  const advance = (by: number): void => {
    state.address += by * minimum;
  };
  while (cursor.at < end) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      state.line += lineBase + (adjusted % lineRange);
      state.next = cursor.at;
      yield state;
      continue;
    }
    switch (opcode) {
      case 0: {
        const size = cursor.uleb();
        const next = cursor.at + size;
        const extended = size === 0 ? 0 : cursor.u8();
        if (extended === 1) {
          state.endsSequence = true;
          yield state;
          state = start();
        } else if (extended === 2) state.address = program.address === 8 ? Number(cursor.u64()) : cursor.u32();
        if (next > end) return;
        cursor.at = next;
        break;
      }
      case 1: // copy
        state.next = cursor.at;
        yield state;
        break;
      case 2: // advance_pc
        advance(cursor.uleb());
        break;
      case 3: // advance_line
        state.line += Number(BigInt.asIntN(32, cursor.sleb()));
        break;
      case 4:
        state.file = cursor.uleb();
        break;
      case 5:
        state.column = cursor.uleb();
        break;
      case 6:
        state.isStatement = !state.isStatement;
        break;
      case 8: // const_add_pc
        advance(Math.floor((255 - opcodeBase) / lineRange));
        break;
      case 9: // fixed_advance_pc
        state.address += cursor.u16();
        break;
      default:
        for (let i = program.operands[opcode] ?? 0; i > 0; i--) cursor.skipLeb();
    }
  }
}
