import type { Frame, MapSnapshot, Value } from "../wire/value.js";
import type { FrameKind } from "./frame-kind.js";
import { numberOf } from "./value-number.js";
import { keyText, valueText } from "./value-text.js";
import { visibleBytes, visibleValue } from "./visible-bytes.js";

/** Kinds of values that have a number to show. */
const weightKinds = ["int", "count", "sum", "min", "max", "avg", "stats", "hist", "lhist"] as const;
export type WeightKind = (typeof weightKinds)[number];

/** One function of a stack, as pictures and profiles show it; the texts are valid UTF-8 (visible-bytes.ts). */
export interface SampleFrame {
  /** Without its offset; `[libc.so.6]` or `[unknown]` for an address without a name. */
  readonly name: string;
  readonly kind: FrameKind;
  readonly file?: string;
  readonly line?: number;
  /** Program, library or kernel module. */
  readonly module?: string;
  /** Why there is no name, in words. */
  readonly reason?: string;
}

export interface StackSample {
  /** Outermost first: parts of the key that are no stacks, the program's frames, the kernel's. */
  readonly frames: readonly SampleFrame[];
  readonly value: bigint;
}

/** A map keyed by stacks. */
export interface StackSamples {
  /** Of the map, with its `@`. */
  readonly name: string;
  /** What the map's values are; see `weightOf`. */
  readonly weight: WeightKind;
  /** Of equal stacks there is one. */
  readonly samples: readonly StackSample[];
  /** Entries that have no number to show, or none above 0. */
  readonly skipped: number;
}

/** What a map keyed by stacks holds; undefined for a map of another kind. */
export function stackSamples(map: MapSnapshot): StackSamples | undefined {
  if (!map.entries.some(({ key }) => key.some(hasStack))) return undefined;
  const merged = new Map<string, { frames: readonly SampleFrame[]; value: bigint }>();
  let skipped = 0;
  let kind: WeightKind = "int";
  for (const { key, value } of map.entries) {
    const weight = weightOf(value);
    if (weight === undefined || weight.value <= 0n) {
      skipped++;
      continue;
    }
    kind = weight.kind;
    const frames = framesOf(key);
    const id = frames.map(({ name, kind, module = "", line = 0 }) => `${kind} ${module} ${line} ${name}`).join("\n");
    const known = merged.get(id);
    if (known === undefined) merged.set(id, { frames, value: weight.value });
    else known.value += weight.value;
  }
  return { name: map.name, weight: kind, samples: [...merged.values()], skipped };
}

const hasStack = (value: Value): boolean =>
  value.kind === "stack" || (value.kind === "tuple" && value.items.some(hasStack));

/** How much a stack counts: of a histogram or an average, how often. */
function weightOf(value: Value): { readonly kind: WeightKind; readonly value: bigint } | undefined {
  const kind = weightKinds.find((each) => each === value.kind);
  const number = numberOf(value, "total");
  return kind === undefined || number === undefined ? undefined : { kind, value: number };
}

function framesOf(key: readonly Value[]): readonly SampleFrame[] {
  const [labels, user, kernel]: SampleFrame[][] = [[], [], []];
  const visit = (value: Value): void => {
    if (value.kind === "tuple" && hasStack(value)) for (const item of value.items) visit(item);
    else if (value.kind === "stack") (value.user ? user : kernel)?.push(...stackFrames(value));
    else labels?.push({ name: labelText(value), kind: "label" });
  };
  for (const value of key) visit(value);
  return [...(labels ?? []), ...(user ?? []), ...(kernel ?? [])];
}

/** A key as it is printed, on one line. */
function labelText(value: Value): string {
  const shown = visibleValue(value);
  return (shown.kind === "tuple" ? keyText([shown]) : valueText(shown)).trim();
}

function stackFrames(stack: Extract<Value, { kind: "stack" }>): readonly SampleFrame[] {
  const frames: SampleFrame[] = [];
  const found = stack.frames;
  for (const frame of [...found].reverse()) {
    frames.push(ownFrame(frame, stack.user));
    for (const { symbol, source } of [...(frame.inlined ?? [])].reverse())
      frames.push({ name: visibleBytes(symbol), kind: "inlined", ...place(source), ...module(frame) });
  }
  if (found.length === 0 && stack.missing !== undefined)
    frames.push({ name: "[missing]", kind: "unknown", reason: `no stack: ${stack.missing}` });
  return frames;
}

function ownFrame(frame: Frame, isUser: boolean): SampleFrame {
  const { symbol } = frame;
  if (symbol === undefined) {
    const file = frame.module?.slice(frame.module.lastIndexOf("/") + 1).replace(/^\[(.*)\]$/, "$1");
    return { name: `[${visibleBytes(file ?? "unknown")}]`, kind: "unknown", ...module(frame), ...reasonOf(frame) };
  }
  const kind = !isUser ? "kernel" : frame.module === "[jit]" ? "jit" : "user";
  return { name: visibleBytes(symbol), kind, ...place(frame.source), ...module(frame) };
}

/** What symbols/symbolized.ts calls the reasons, for readers who do not know its words. */
const reasons: Readonly<Record<string, string>> = {
  unmapped: "nothing is mapped there",
  anonymous: "code that is in no file, of which the process tells no names",
  stripped: "the file has no symbol for it",
  unreadable: "the file cannot be read",
  "process-gone": "the process had ended before it was looked at",
  "untrusted-map": "the file with the names belongs to another user",
  "map-too-large": "the file with the names is longer than what is read of it",
  hidden: "the kernel hides its addresses (kptr_restrict)",
};

const reasonOf = ({ reason }: Frame): { readonly reason?: string } =>
  reason === undefined ? {} : { reason: reasons[reason] ?? reason };

const module = (frame: Frame): { readonly module?: string } =>
  frame.module === undefined ? {} : { module: visibleBytes(frame.module) };

/** `file:line` taken apart; a file's name may have colons. */
function place(source: string | undefined): { readonly file?: string; readonly line?: number } {
  const parts = source === undefined ? null : /^(.*):(\d+)$/s.exec(source);
  return parts === null ? {} : { file: visibleBytes(parts[1] ?? ""), line: Number(parts[2]) };
}
