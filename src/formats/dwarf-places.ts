import { FormatError } from "../base/errors.js";
import { Dwarf } from "./dwarf.js";
import { DW_AT, DW_TAG } from "./dwarf-constants.js";
import { FunctionPieces, functionsIn, nestedFunctions } from "./dwarf-functions.js";
import { rangesOf } from "./dwarf-ranges.js";
import { type Die, type DwarfUnit, readDie } from "./dwarf-unit.js";
import { LineRows } from "./line-rows.js";

export interface SourcePlace {
  /** As the compiler knew it: complete, unless it was told otherwise. */
  readonly file: string;
  readonly line: number;
}

/** A function that the compiler has put into another one, and where in it the code is. */
export interface InlinedFunction {
  /** As the linker would know it, if it has such a name. */
  readonly name: string;
  readonly place: SourcePlace | undefined;
}

/** What the source says of an instruction. */
export interface CodePlace {
  /** In the function that is no inlined one: the line itself, or that of the call of the outermost inlined function. */
  readonly place: SourcePlace | undefined;
  /** Innermost first. */
  readonly inlined: readonly InlinedFunction[];
}

/** Deeper than any compiler nests; keeps damaged files from overflowing our own stack. */
const maxDepth = 100;

/**
 * Which lines of the source instructions belong to, by the line tables and inlined functions of debugging information.
 * Each unit is looked through when an address of its own is asked for, and once.
 */
export class CodePlaces {
  private readonly dwarf: Dwarf;
  private readonly units = new Map<DwarfUnit, UnitPlaces | "damaged">();
  private bytes = 0;

  constructor(dwarf: Dwarf) {
    this.dwarf = dwarf;
  }

  /** Bytes of what was worked out, about; those of the sections are the reader's. */
  get memory(): number {
    return this.bytes;
  }

  /** `address` is one that the linker gave. Throws FormatError if it cannot be told what belongs to which unit. */
  at(address: bigint): CodePlace | undefined {
    const unit = this.dwarf.unitAt(address);
    if (unit === undefined) return undefined;
    const known = this.units.get(unit);
    if (known === "damaged") return undefined;
    try {
      const places = known ?? new UnitPlaces(this.dwarf, unit);
      const before = known?.memory ?? 0;
      this.units.set(unit, places);
      const found = places.at(address);
      this.bytes += places.memory - before;
      return found;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      this.bytes -= known?.memory ?? 0;
      this.units.set(unit, "damaged");
      return undefined;
    }
  }
}

class UnitPlaces {
  /** The one with the entries: the unit, or its other half. */
  private readonly unit: DwarfUnit;
  private readonly rows: LineRows | undefined;
  private readonly files: readonly string[];
  /** What the numbers in calls mean: the other half of a unit may have files of its own. */
  private readonly callFiles: readonly string[];
  private readonly functions: FunctionPieces;
  private nested: FunctionPieces | undefined;
  /** The function that was asked for last. */
  private last: Die | undefined;

  constructor(dwarf: Dwarf, unit: DwarfUnit) {
    const split = dwarf.split(unit);
    this.unit = split ?? unit;
    const table = dwarf.lineTable(unit);
    this.rows = table === undefined ? undefined : new LineRows(table);
    this.files = table?.files ?? [];
    this.callFiles = (split?.file instanceof Dwarf ? split.file.lineTable(split)?.files : undefined) ?? this.files;
    const root = this.unit.root();
    this.functions = new FunctionPieces(root === undefined ? [] : functionsIn(root, 0));
  }

  get memory(): number {
    return (this.rows?.memory ?? 0) + this.functions.memory + (this.nested?.memory ?? 0);
  }

  at(address: bigint): CodePlace | undefined {
    const row = this.rows?.at(Number(address));
    const fn = this.functionAt(Number(address), row !== undefined);
    const calls = fn === undefined ? [] : inlinedAt(fn, address, 0);
    if (row === undefined && calls.length === 0) return undefined;
    // From the outside in: each call stands in the function around it, the line in the innermost.
    const places = [
      ...calls.map((call) => placeIn(this.callFiles, call.number(DW_AT.callFile), call.number(DW_AT.callLine))),
      placeIn(this.files, row?.file, row?.line),
    ];
    const inlined = calls.map((call, i) => ({
      name: call.linkageName() ?? call.name() ?? "(anonymous)",
      place: places[i + 1],
    }));
    return { place: places[0], inlined: inlined.reverse() };
  }

  /** The entry of the function with an address. What is inside of other functions is looked for only if it must be there. */
  private functionAt(address: number, isCode: boolean): Die | undefined {
    let offset = this.functions.at(address);
    if (offset === undefined && isCode) {
      this.nested ??= new FunctionPieces(nestedFunctions(this.unit));
      offset = this.nested.at(address);
    }
    if (offset === undefined) return undefined;
    if (this.last?.offset !== offset) this.last = readDie(this.unit, this.unit.cursor(offset));
    return this.last;
  }
}

function placeIn(
  files: readonly string[],
  file: number | undefined,
  line: number | undefined,
): SourcePlace | undefined {
  const path = file === undefined ? undefined : files[file];
  // Line 0: the compiler knows none.
  return path === undefined || path === "" || line === undefined || line === 0 ? undefined : { file: path, line };
}

/** The inlined functions that an address of a function belongs to, outermost first. */
function inlinedAt(scope: Die, address: bigint, depth: number): readonly Die[] {
  if (depth > maxDepth) return [];
  for (const die of scope.children()) {
    const isInlined = die.tag === DW_TAG.inlinedSubroutine;
    if (!isInlined && die.tag !== DW_TAG.lexicalBlock) continue;
    const ranges = rangesOf(die);
    // A block without code of its own may still hold some.
    if (ranges.length === 0 ? isInlined : !ranges.some(({ start, end }) => address >= start && address < end)) continue;
    const deeper = inlinedAt(die, address, depth + 1);
    if (isInlined) return [die, ...deeper];
    if (deeper.length > 0) return deeper;
  }
  return [];
}
