import { countUpTo } from "../base/ordered.js";
import type { Dwarf } from "./dwarf.js";
import { DW_AT, DW_TAG } from "./dwarf-constants.js";
import { rangesOf } from "./dwarf-ranges.js";
import type { Die, DwarfUnit } from "./dwarf-unit.js";

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
  private readonly units = new Map<DwarfUnit, UnitPlaces>();
  private bytes = 0;

  constructor(dwarf: Dwarf) {
    this.dwarf = dwarf;
  }

  /** Bytes of what was worked out, about; those of the sections are the reader's. */
  get memory(): number {
    return this.bytes;
  }

  /** `address` is one that the linker gave. Throws FormatError. */
  at(address: bigint): CodePlace | undefined {
    const unit = this.dwarf.unitAt(address);
    if (unit === undefined) return undefined;
    let places = this.units.get(unit);
    if (places === undefined) {
      places = new UnitPlaces(this.dwarf, unit);
      this.units.set(unit, places);
      this.bytes += places.memory;
    }
    return places.at(address);
  }
}

/** Rows of a line table without gaps: row i is about the addresses up to that of row i + 1. */
interface Sequence {
  readonly start: bigint;
  readonly end: bigint;
  /** Distances of the rows from `start`; exact, as no sequence has 2^53 bytes. */
  readonly offsets: Float64Array;
  readonly files: Uint32Array;
  readonly lines: Uint32Array;
}

interface Row {
  readonly address: bigint;
  readonly file: number;
  readonly line: number;
}

const sequenceOf = (start: bigint, end: bigint, rows: readonly Row[]): Sequence => ({
  start,
  end,
  offsets: Float64Array.from(rows, ({ address }) => Number(address - start)),
  files: Uint32Array.from(rows, ({ file }) => file),
  lines: Uint32Array.from(rows, ({ line }) => line),
});

/** Bytes of a function in memory: where it is, and its entry. */
const functionBytes = 300;

class UnitPlaces {
  private readonly files: readonly string[];
  private readonly sequences: readonly Sequence[];
  private readonly functions: readonly { readonly start: bigint; readonly end: bigint; readonly die: Die }[];

  constructor(dwarf: Dwarf, unit: DwarfUnit) {
    const table = dwarf.lineTable(unit);
    const sequences: Sequence[] = [];
    let rows: Row[] = [];
    for (const { address, file, line, endsSequence } of table?.rows() ?? []) {
      if (!endsSequence) {
        rows.push({ address, file, line });
        continue;
      }
      const [first] = rows;
      // 0: the linker has dropped the code.
      if (first !== undefined && first.address !== 0n) sequences.push(sequenceOf(first.address, address, rows));
      rows = [];
    }
    this.files = table?.files ?? [];
    this.sequences = sequences.sort((a, b) => compare(a.start, b.start));
    const root = unit.root();
    this.functions = root === undefined ? [] : [...functionsIn(root, 0)].sort((a, b) => compare(a.start, b.start));
  }

  get memory(): number {
    const rows = this.sequences.reduce((sum, { offsets }) => sum + offsets.length, 0);
    return 16 * rows + 200 * this.sequences.length + functionBytes * this.functions.length;
  }

  at(address: bigint): CodePlace | undefined {
    const sequence = lastUpTo(this.sequences, address, ({ start }) => start);
    const row = sequence === undefined || address >= sequence.end ? undefined : rowAt(sequence, address);
    const fn = lastUpTo(this.functions, address, ({ start }) => start);
    const calls = fn === undefined || address >= fn.end ? [] : inlinedAt(fn.die, address, 0);
    if (row === undefined && calls.length === 0) return undefined;
    // From the outside in: each call stands in the function around it, the line in the innermost.
    const places = [...calls.map((call) => this.place(...callPlace(call))), this.place(row?.file, row?.line)];
    const inlined = calls.map((call, i) => ({
      name: call.linkageName() ?? call.name() ?? "(anonymous)",
      place: places[i + 1],
    }));
    return { place: places[0], inlined: inlined.reverse() };
  }

  private place(file: number | undefined, line: number | undefined): SourcePlace | undefined {
    const path = file === undefined ? undefined : this.files[file];
    // Line 0: the compiler knows none.
    return path === undefined || path === "" || line === undefined || line === 0 ? undefined : { file: path, line };
  }
}

function rowAt({ start, offsets, files, lines }: Sequence, address: bigint): Omit<Row, "address"> {
  const wanted = Number(address - start);
  const row = countUpTo(offsets.length, (i) => (offsets[i] as number) <= wanted) - 1;
  return { file: files[row] ?? 0, line: lines[row] ?? 0 };
}

const callPlace = (call: Die): [number | undefined, number | undefined] => [
  call.number(DW_AT.callFile),
  call.number(DW_AT.callLine),
];

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** The last item that does not begin behind `address`; items are in order. */
function lastUpTo<T>(items: readonly T[], address: bigint, startOf: (item: T) => bigint): T | undefined {
  return items[countUpTo(items.length, (i) => startOf(items[i] as T) <= address) - 1];
}

const scopes: ReadonlySet<number> = new Set([
  DW_TAG.namespace,
  DW_TAG.structureType,
  DW_TAG.classType,
  DW_TAG.unionType,
]);

/** Functions with code, each piece by itself. */
function* functionsIn(
  scope: Die,
  depth: number,
): Generator<{ readonly start: bigint; readonly end: bigint; readonly die: Die }> {
  if (depth > maxDepth) return;
  for (const die of scope.children()) {
    if (die.tag === DW_TAG.subprogram) for (const range of rangesOf(die)) yield { ...range, die };
    else if (scopes.has(die.tag)) yield* functionsIn(die, depth + 1);
  }
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
