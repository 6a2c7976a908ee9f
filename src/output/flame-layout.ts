import type { FlameTree } from "./flame-tree.js";

/** Measures of the picture, in pixels. */
export const rowHeight = 17;
export const fontSize = 11;
/** Of a fixed-width font of that size, a little more than most are wide. */
export const columnWidth = 6.7;
/** Between the picture and the frames. */
export const margin = 10;

/** A box of the picture: a frame, or what stands side by side and is too narrow to be drawn one by one. */
export interface FlameBox {
  /** Of several the first. */
  readonly node: number;
  /** How many siblings it stands for. */
  readonly count: number;
  readonly depth: number;
  /** In the unit of the picture's width. */
  readonly x: number;
  readonly width: number;
  /** It leads to the frame that fills the picture. */
  readonly above: boolean;
}

/**
 * The boxes of the picture in which `zoomed` is `width` wide: it, what leads to it, and what stands on it. Siblings narrower
 * than `least` become one box together, which is left out where it is narrower than that, too.
 */
export function flameBoxes(tree: FlameTree, zoomed: number, width: number, least: number): readonly FlameBox[] {
  const { depth, parent, end, start, total } = tree;
  const boxes: FlameBox[] = [];
  for (let node = zoomed; node > 0; ) {
    node = parent[node] ?? 0;
    boxes.push({ node, count: 1, depth: depth[node] ?? 0, x: 0, width, above: true });
  }
  boxes.reverse();
  const whole = total[zoomed] ?? 0;
  const left = start[zoomed] ?? 0;
  const scale = whole > 0 ? width / whole : 0;
  const boxOf = (node: number, count: number, weight: number): FlameBox => ({
    node,
    count,
    depth: depth[node] ?? 0,
    x: ((start[node] ?? 0) - left) * scale,
    width: node === zoomed ? width : weight * scale,
    above: false,
  });
  let run: { node: number; count: number; weight: number } | undefined;
  const endRun = (): void => {
    if (run !== undefined && run.weight * scale >= least) boxes.push(boxOf(run.node, run.count, run.weight));
    run = undefined;
  };
  const last = end[zoomed] ?? 0;
  for (let node = zoomed; node < last; ) {
    const weight = total[node] ?? 0;
    if (weight * scale >= least || node === zoomed) {
      endRun();
      boxes.push(boxOf(node, 1, weight));
      node++;
      continue;
    }
    if (run !== undefined && parent[run.node] === parent[node]) {
      run.count++;
      run.weight += weight;
    } else {
      endRun();
      run = { node, count: 1, weight };
    }
    node = end[node] ?? last;
  }
  endRun();
  return boxes;
}

/** The number of levels of the boxes, the root's included. */
export const levelsOf = (boxes: readonly FlameBox[]): number =>
  boxes.reduce((most, { depth }) => Math.max(most, depth + 1), 0);

/** A name in at most so many columns of a fixed-width font; empty where nothing of it would be legible. */
export function shortened(name: string, columns: number): string {
  if (columns < 3) return "";
  let used = 0;
  let kept = "";
  for (const character of name) {
    used += columnsOf(character);
    // What has been kept has room for the dots.
    if (used > columns) return `${kept}…`;
    if (used < columns) kept += character;
  }
  return name;
}

/** East Asian characters and symbols beyond the first plane are two columns wide (Unicode, UAX 11); close enough. */
const columnsOf = (character: string): number => ((character.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1);

/** Weight of the parts below `node`, itself included, whose frames match; what stands on a match is counted once. */
export function matchedWeight(tree: FlameTree, node: number, matches: Uint8Array): number {
  const { frame, end, total } = tree;
  const last = end[node] ?? 0;
  let sum = 0;
  for (let at = node; at < last; ) {
    if (matches[frame[at] ?? 0] === 1) {
      sum += total[at] ?? 0;
      at = end[at] ?? last;
    } else at++;
  }
  return sum;
}

/** Of each frame, whether its name has the text, in whatever case; `/.../` is a regular expression. Undefined if that is wrong. */
export function matchingFrames(tree: FlameTree, text: string): Uint8Array | undefined {
  const pattern = /^\/(.*)\/$/s.exec(text)?.[1];
  let matches: (name: string) => boolean;
  if (pattern === undefined) {
    const wanted = text.toLowerCase();
    matches = (name) => name.toLowerCase().includes(wanted);
  } else {
    try {
      const regex = new RegExp(pattern, "i");
      matches = (name) => regex.test(name);
    } catch {
      return undefined;
    }
  }
  return Uint8Array.from(tree.frames, ({ name }, i) => (i > 0 && matches(name) ? 1 : 0));
}

/** Percent with so many digits that the smallest are not 0; `<0.01%` below that. */
export function percentText(part: number, whole: number): string {
  if (whole <= 0 || part <= 0) return "0%";
  const percent = (100 * part) / whole;
  if (percent < 0.01) return "<0.01%";
  const text = percent.toFixed(percent < 1 ? 2 : 1);
  return `${text === "100.0" ? (part < whole ? ">99.9" : "100") : text}%`;
}

/** With commas between thousands; above 2^53 it says that it is rounded. */
export const weightText = (weight: number): string =>
  `${weight > Number.MAX_SAFE_INTEGER ? "≈ " : ""}${groupedText(BigInt(Math.round(weight)))}`;

/** A number with what it counts: `1 sample`, `2 samples`; only the number where `noun` is empty. */
export const amountText = (number: string, noun: string): string =>
  `${number}${number === "1" ? noun.replace(/s$/, "") : noun}`;

export const groupedText = (value: bigint): string => value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
