import { type FlameFrame, type FlameTree, treeOf, withoutAbsent } from "./flame-tree.js";
import { type FrameKind, frameKinds } from "./frame-kind.js";

/** A tree as it is embedded in a page: plain JSON, a few bytes for each node. */
export interface FlameData {
  /** Every text once. */
  readonly texts: readonly string[];
  /**
   * Five numbers for each frame: name, kind (its place in `frameKinds`), module, file, reason; -1 for what is absent. Those
   * that many nodes have stand in front, where their numbers are short; the root's is the first.
   */
  readonly frames: readonly number[];
  /**
   * Numbers for each node in preorder, as base64 of LEB128: twice by how many levels it lies above a child of the node
   * before it, plus 1 if stacks end in it; its frame; in that case their weight.
   */
  readonly nodes: string;
}

/** A graph in a page, as the script there reads it; see `FlameGraph`. */
export interface EmbeddedGraph {
  readonly name: string;
  readonly summary: string;
  readonly noun: string;
  readonly notes: readonly string[];
  readonly data: FlameData;
}

/** All graphs of a file. */
export interface EmbeddedFile {
  readonly title: string;
  readonly graphs: readonly EmbeddedGraph[];
}

const numbersPerFrame = 5;

export function encodeTree(tree: FlameTree): FlameData {
  const places = new Map<string, number>();
  const place = (text: string | undefined): number => {
    if (text === undefined) return -1;
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, places.size);
    return places.size - 1;
  };
  const { ordered, numbers } = byUse(tree);
  const frames = ordered.flatMap(({ name, kind, module, file, reason }) => [
    place(name),
    frameKinds.indexOf(kind),
    place(module),
    place(file),
    place(reason),
  ]);
  const bytes: number[] = [];
  let above = -1;
  for (const [node, depth] of tree.depth.entries()) {
    const self = tree.self[node] ?? 0;
    pushNumber(bytes, 2 * (above + 1 - depth) + (self > 0 ? 1 : 0));
    pushNumber(bytes, numbers[tree.frame[node] ?? 0] ?? 0);
    if (self > 0) pushNumber(bytes, self);
    above = depth;
  }
  return { texts: [...places.keys()], frames, nodes: base64(bytes) };
}

/** The frames by how many nodes have them, and the new number of each. */
function byUse({ frames, frame }: FlameTree): {
  readonly ordered: readonly FlameFrame[];
  readonly numbers: Uint32Array;
} {
  const uses = new Float64Array(frames.length);
  for (const number of frame) uses[number] = (uses[number] ?? 0) + 1;
  uses[0] = Number.POSITIVE_INFINITY;
  const order = Array.from(frames.keys()).sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0));
  const numbers = new Uint32Array(frames.length);
  for (const [at, number] of order.entries()) numbers[number] = at;
  return { ordered: order.flatMap((number) => frames[number] ?? []), numbers };
}

/** The tree again; the data is our own. */
export function decodeTree({ texts, frames: numbers, nodes }: FlameData): FlameTree {
  const text = (at: number): string | undefined => texts[numbers[at] ?? -1];
  const frames = Array.from({ length: numbers.length / numbersPerFrame }, (_, i) => {
    const at = i * numbersPerFrame;
    const kind: FrameKind = frameKinds[numbers[at + 1] ?? 0] ?? "unknown";
    return withoutAbsent({
      name: text(at) ?? "",
      kind,
      module: text(at + 2),
      file: text(at + 3),
      reason: text(at + 4),
    });
  });
  const bytes = atob(nodes);
  let at = 0;
  const next = (): number => {
    let value = 0;
    // Not by shifts, which end at 32 bits.
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes.charCodeAt(at++);
      value += (byte & 0x7f) * factor;
      if (!(byte & 0x80)) return value;
    }
  };
  const [frame, depth, self]: [number[], number[], number[]] = [[], [], []];
  let above = -1;
  while (at < bytes.length) {
    const head = next();
    above += 1 - Math.floor(head / 2);
    depth.push(above);
    frame.push(next());
    self.push(head % 2 === 1 ? next() : 0);
  }
  return treeOf(frames, Uint32Array.from(frame), Uint32Array.from(depth), Float64Array.from(self));
}

/** LEB128 of a whole number from 0 on, which may be larger than 2^32. */
function pushNumber(bytes: number[], number: number): void {
  let rest = number;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
}

/** Bytes whose characters are put together at once: arguments of a call, of which there cannot be any number. */
const piece = 0x3000;

function base64(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += piece) text += btoa(String.fromCharCode(...bytes.slice(at, at + piece)));
  return text;
}
