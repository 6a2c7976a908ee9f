import { FormatError } from "../base/errors.js";
import { countUpTo } from "../base/ordered.js";
import { DW_TAG } from "./dwarf-constants.js";
import { rangesOf } from "./dwarf-ranges.js";
import { type Die, type DwarfUnit, readDie, skipAttributes } from "./dwarf-unit.js";

/** Deeper than any compiler nests; keeps damaged files from overflowing our own stack. */
const maxDepth = 100;

/** No unit has more; a damaged one might say so. */
const maxPieces = 1 << 21;

/** Code of a function, and where its entry is. */
interface Piece {
  readonly start: bigint;
  readonly end: bigint;
  readonly offset: number;
}

/** Code of functions in the order of the addresses, 24 bytes a piece. Programs have none that a double has not exactly. */
export class FunctionPieces {
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  private readonly offsets: Float64Array;

  constructor(pieces: Iterable<Piece>) {
    const [starts, ends, offsets]: [number[], number[], number[]] = [[], [], []];
    for (const { start, end, offset } of pieces) {
      starts.push(Number(start));
      ends.push(Number(end));
      offsets.push(offset);
      if (offsets.length > maxPieces) throw new FormatError(`a unit of more than ${maxPieces} functions`);
    }
    const order = Uint32Array.from(starts.keys()).sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0));
    const sorted = (column: readonly number[]) => Float64Array.from(order, (i) => column[i] ?? 0);
    [this.starts, this.ends, this.offsets] = [sorted(starts), sorted(ends), sorted(offsets)];
  }

  get memory(): number {
    return 24 * this.starts.length;
  }

  /** Where the entry of the function with an address is. */
  at(address: number): number | undefined {
    const { starts, ends } = this;
    const i = countUpTo(starts.length, (each) => (starts[each] as number) <= address) - 1;
    return i < 0 || address >= (ends[i] as number) ? undefined : this.offsets[i];
  }
}

const scopes: ReadonlySet<number> = new Set([
  DW_TAG.namespace,
  DW_TAG.structureType,
  DW_TAG.classType,
  DW_TAG.unionType,
]);

/** Functions with code that are in no other function. */
export function* functionsIn(scope: Die, depth: number): Generator<Piece> {
  if (depth > maxDepth) return;
  for (const die of scope.children()) {
    if (die.tag === DW_TAG.subprogram) yield* piecesOf(die);
    else if (scopes.has(die.tag)) yield* functionsIn(die, depth + 1);
  }
}

/** All functions with code, whatever they are in: methods of classes that a function defines (lambdas) are in that function. */
export function* nestedFunctions(unit: DwarfUnit): Generator<Piece> {
  const cursor = unit.cursor(unit.header.start);
  while (cursor.at < unit.header.end) {
    const { at } = cursor;
    const code = cursor.uleb();
    if (code === 0) continue;
    const abbrev = unit.abbrevOf(code);
    skipAttributes(cursor, abbrev, unit.header.sizes);
    if (abbrev.tag !== DW_TAG.subprogram) continue;
    const die = readDie(unit, unit.cursor(at));
    if (die !== undefined) yield* piecesOf(die);
  }
}

function* piecesOf(die: Die): Generator<Piece> {
  // 0: the linker has dropped the code.
  for (const { start, end } of rangesOf(die)) if (start !== 0n) yield { start, end, offset: die.offset };
}
