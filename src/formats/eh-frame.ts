import { FormatError } from "../base/errors.js";
import { type CallFrameState, ruleOf } from "./call-frame.js";
import { EhFrame, type EntryPlace } from "./eh-frame-entries.js";
import { cfaKinds } from "./unwind-rule.js";

/** A file's rules of unwinding, in the order of their addresses. */
export interface UnwindTable {
  /** Address, as the file has it, of the first row. */
  readonly start: number;
  /** Pairs: bytes from `start`, and the rule (unwind-rule.ts) from there to the next row's. The last one is `none`. */
  readonly rows: Uint32Array;
}

/** Code that one table covers: rows count from its start in 32 bits. */
const mostCode = 2 ** 32 - 1;

/**
 * Parses a section `.eh_frame` (LSB Core 5.0, 10.6.1) that is loaded at `address` into one table. Where functions overlap
 * the one that begins first counts; between functions nothing is known.
 */
export function parseEhFrame(bytes: Uint8Array, address: number, what: string): UnwindTable {
  return finished(parsingEhFrame(bytes, address, what));
}

/** Work that can be left between its steps: the table of Chromium takes seconds. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All steps at once. */
export function finished<T>(steps: Steps<T>): T {
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}

/** Functions of a step, a millisecond or less. */
const functionsOfStep = 256;

/** {@link parseEhFrame} step by step. */
export function* parsingEhFrame(bytes: Uint8Array, address: number, what: string): Steps<UnwindTable> {
  const frame = new EhFrame(bytes, address, what);
  const places = yield* inOrder(frame, frame.places());
  const [first] = places;
  const start = (first === undefined ? undefined : frame.read(first)?.start) ?? 0;
  const rows = new Rows(start, what);
  let covered = start;
  for (const [i, place] of places.entries()) {
    if (i % functionsOfStep === 0) yield;
    const fde = frame.read(place);
    if (fde === undefined) continue;
    const end = fde.start + fde.size;
    if (end <= covered) continue;
    if (fde.start > covered) rows.add(covered, cfaKinds.none);
    let from = fde.start;
    const add = (until: number, state: CallFrameState): void => {
      const [first, last] = [Math.max(from, covered), Math.min(until, end)];
      if (first < last) rows.add(first, ruleOf(state));
      from = until;
    };
    const state = frame.run(fde, add);
    add(end, state);
    covered = end;
  }
  rows.add(covered, cfaKinds.none);
  return { start, rows: rows.finish() };
}

/** The entries by the addresses of their functions. These are read once more later: a file may have 100,000. */
function* inOrder(frame: EhFrame, places: readonly EntryPlace[]): Steps<readonly EntryPlace[]> {
  const starts = new Float64Array(places.length);
  let isSorted = true;
  for (const [i, place] of places.entries()) {
    if (i % functionsOfStep === 0) yield;
    // What is about no code goes to the end.
    starts[i] = frame.read(place)?.start ?? Number.POSITIVE_INFINITY;
    isSorted &&= i === 0 || (starts[i - 1] as number) <= (starts[i] as number);
  }
  if (isSorted) return places;
  const order = Uint32Array.from(places.keys()).sort((a, b) => {
    const [first, second] = [starts[a] as number, starts[b] as number];
    return first < second ? -1 : first > second ? 1 : a - b;
  });
  return Array.from(order, (i) => places[i] as EntryPlace);
}

/** The rule for an address of the file; that of `none` if the table has nothing of it. */
export function ruleAt({ start, rows }: UnwindTable, address: number): number {
  const wanted = address - start;
  let from = 0;
  let to = rows.length / 2;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((rows[2 * middle] ?? 0) <= wanted) from = middle + 1;
    else to = middle;
  }
  return from === 0 ? cfaKinds.none : (rows[2 * from - 1] ?? cfaKinds.none);
}

/** Rows that grow; one that says what the one before says is left out. */
class Rows {
  private readonly start: number;
  private readonly what: string;
  private rows = new Uint32Array(1024);
  private length = 0;

  constructor(start: number, what: string) {
    this.start = start;
    this.what = what;
  }

  add(pc: number, rule: number): void {
    if (this.length > 0 && this.rows[this.length - 1] === rule) return;
    if (pc - this.start > mostCode) throw new FormatError(`${this.what}: it has code in more than 4 GiB`);
    if (this.length + 2 > this.rows.length) {
      const grown = new Uint32Array(2 * this.rows.length);
      grown.set(this.rows);
      this.rows = grown;
    }
    this.rows[this.length++] = pc - this.start;
    this.rows[this.length++] = rule;
  }

  finish(): Uint32Array {
    return this.rows.subarray(0, this.length);
  }
}
