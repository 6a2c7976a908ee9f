import { type FrameKind, frameKinds } from "./frame-kind.js";

/** A function as a flame graph shows it, wherever in it the address was. */
export interface FlameFrame {
  readonly name: string;
  readonly kind: FrameKind;
  /** Program, library or kernel module. */
  readonly module?: string;
  /** Of the source, where all that was seen of the function is in one. */
  readonly file?: string;
  /** Why there is no name. */
  readonly reason?: string;
}

/** Nodes in preorder: the root is 0, a node's descendants follow it up to `end`. Weights above 2^53 are rounded. */
export interface FlameTree {
  /** The root's is the first. */
  readonly frames: readonly FlameFrame[];
  /** Of each node its place in `frames`. */
  readonly frame: Uint32Array;
  /** 0 for the root. */
  readonly depth: Uint32Array;
  /** 0 for the root, too. */
  readonly parent: Uint32Array;
  /** One behind the last descendant. */
  readonly end: Uint32Array;
  /** Weight of all that stands left of the node, where its box begins. */
  readonly start: Float64Array;
  /** Weight of the node with its descendants: how wide it is. */
  readonly total: Float64Array;
  /** Weight of the stacks that end in the node. */
  readonly self: Float64Array;
}

/** Stacks to put together, outermost frame first. */
export interface WeightedStack {
  readonly frames: readonly (FlameFrame & { readonly line?: number })[];
  readonly value: bigint;
}

const rootFrame: FlameFrame = { name: "all", kind: "label" };

/** Puts stacks on one another. The work grows with the number of frames in all stacks; siblings are ordered by name. */
export function flameTree(stacks: readonly WeightedStack[]): FlameTree {
  const { frames, paths } = numberFrames(stacks);
  const [frame, depth, self]: [number[], number[], number[]] = [[], [], []];
  const add = (id: number, level: number, weight: number): void => {
    frame.push(id);
    depth.push(level);
    self.push(weight);
  };
  const weightOf = (stack: number): number => Number(stacks[stack]?.value ?? 0n);
  // What is still to be drawn, the next one last: a frame, and the stacks that go through it.
  const open = [{ id: 0, level: 0, members: Array.from(paths.keys()) }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { id, level, members } = next;
    const [first] = members;
    if (members.length === 1 && first !== undefined) {
      const path = paths[first] ?? new Uint32Array(0);
      const weight = weightOf(first);
      add(id, level, level === path.length ? weight : 0);
      for (let at = level; at < path.length; at++) add(path[at] ?? 0, at + 1, at + 1 === path.length ? weight : 0);
      continue;
    }
    let own = 0;
    const children = new Map<number, number[]>();
    for (const member of members) {
      const child = paths[member]?.[level];
      if (child === undefined) {
        own += weightOf(member);
        continue;
      }
      const known = children.get(child);
      if (known === undefined) children.set(child, [member]);
      else known.push(member);
    }
    add(id, level, own);
    const ordered = [...children].sort(([a], [b]) => b - a);
    for (const [child, below] of ordered) open.push({ id: child, level: level + 1, members: below });
  }
  return treeOf(frames, Uint32Array.from(frame), Uint32Array.from(depth), Float64Array.from(self));
}

/** The tree of nodes in preorder, of which these are the frames, the depths and the weights of the stacks that end there. */
export function treeOf(
  frames: readonly FlameFrame[],
  frame: Uint32Array,
  depth: Uint32Array,
  self: Float64Array,
): FlameTree {
  const count = frame.length;
  const parent = new Uint32Array(count);
  const end = new Uint32Array(count).fill(count);
  const total = self.slice();
  const path: number[] = [];
  for (let node = 0; node < count; node++) {
    const level = depth[node] ?? 0;
    for (const closed of path.splice(level)) end[closed] = node;
    parent[node] = path.at(-1) ?? 0;
    path.push(node);
  }
  for (let node = count - 1; node > 0; node--) add(total, parent[node], total[node]);
  const start = new Float64Array(count);
  // Where the next child of a node begins.
  const cursor = new Float64Array(count);
  for (let node = 1; node < count; node++) {
    const above = parent[node] ?? 0;
    start[node] = cursor[node] = cursor[above] ?? 0;
    add(cursor, above, total[node]);
  }
  return { frames, frame, depth, parent, end, start, total, self };
}

function add(weights: Float64Array, at: number | undefined, weight: number | undefined): void {
  if (at !== undefined) weights[at] = (weights[at] ?? 0) + (weight ?? 0);
}

/** The frames in order, the root's in front, and each stack as their numbers. */
function numberFrames(stacks: readonly WeightedStack[]): {
  readonly frames: readonly FlameFrame[];
  readonly paths: readonly Uint32Array[];
} {
  const all: { frame: FlameFrame; readonly number: number }[] = [];
  const byName = new Map<string, (typeof all)[number][]>();
  const numberOf = ({ name, kind, module, file, reason }: FlameFrame): number => {
    let sameName = byName.get(name);
    if (sameName === undefined) {
      sameName = [];
      byName.set(name, sameName);
    }
    const known = sameName.find(({ frame }) => frame.kind === kind && frame.module === module);
    if (known === undefined) {
      const added = { frame: withoutAbsent({ name, kind, module, file, reason }), number: all.length };
      all.push(added);
      sameName.push(added);
      return added.number;
    }
    if (known.frame.file !== undefined && known.frame.file !== file)
      known.frame = withoutAbsent({ ...known.frame, file: undefined });
    return known.number;
  };
  const raw = stacks.map(({ frames }) => {
    const path = new Uint32Array(frames.length);
    for (const [i, frame] of frames.entries()) path[i] = numberOf(frame);
    return path;
  });
  const ordered = all.toSorted(
    ({ frame: a }, { frame: b }) =>
      compare(a.name, b.name) || compare(a.kind, b.kind) || compare(a.module ?? "", b.module ?? ""),
  );
  const place = new Uint32Array(all.length);
  for (const [i, { number }] of ordered.entries()) place[number] = i + 1;
  return {
    frames: [rootFrame, ...ordered.map(({ frame }) => frame)],
    paths: raw.map((path) => path.map((number) => place[number] ?? 0)),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Without the fields that are undefined. */
export function withoutAbsent(frame: {
  readonly name: string;
  readonly kind: FrameKind;
  readonly module?: string | undefined;
  readonly file?: string | undefined;
  readonly reason?: string | undefined;
}): FlameFrame {
  const { name, kind, module, file, reason } = frame;
  return {
    name,
    kind,
    ...(module === undefined ? {} : { module }),
    ...(file === undefined ? {} : { file }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The kinds that the tree has, in the order of a legend. */
export function presentKinds({ frames }: FlameTree): readonly FrameKind[] {
  const found = new Set(frames.slice(1).map(({ kind }) => kind));
  return frameKinds.filter((kind) => found.has(kind));
}
