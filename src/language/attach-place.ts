// Where probes are attached, as data: one kind for each way to the kernel. What attaches them is language/attach-port.ts.

import type {
  IteratorTarget,
  KprobeTarget,
  PerfEventTarget,
  TracedFunction,
  UprobePlace,
  WatchpointTarget,
} from "./attach-port.js";

/** A function of the kernel. */
export interface KernelPlace extends Omit<KprobeTarget, "ret"> {
  /** The function's name, if ftrace knows one by it, which is what links for many functions take. */
  readonly inFtrace?: string | undefined;
}

/** An instruction of a program or library. */
export interface UserPlace extends UprobePlace {
  readonly path: string;
  readonly pid: number | undefined;
}

export type AttachPlace =
  /** What user space runs itself, by a name where there are several: test, bench. */
  | { readonly kind: "run"; readonly name: string | undefined }
  | ({ readonly kind: "kernel" } & KernelPlace)
  | { readonly kind: "trampoline"; readonly fn: TracedFunction }
  | { readonly kind: "user"; readonly place: UserPlace }
  /** By the keys of the variants of the program: locations that have the arguments in the same places share one. */
  | { readonly kind: "usdt"; readonly places: Readonly<Record<string, readonly UserPlace[]>> }
  | { readonly kind: "tracepoint"; readonly category: string; readonly event: string; readonly id: number }
  | { readonly kind: "raw-tracepoint"; readonly event: string }
  /** One event for all system calls; by its record of `raw_syscalls`, if that has an id here. */
  | { readonly kind: "syscall"; readonly event: "sys_enter" | "sys_exit"; readonly recordId: number | undefined }
  | { readonly kind: "perf-event"; readonly event: PerfEventTarget }
  | { readonly kind: "watchpoint"; readonly watched: WatchpointTarget }
  | { readonly kind: "iterator"; readonly iterator: IteratorTarget };

type Of<K extends AttachPlace["kind"]> = Extract<AttachPlace, { readonly kind: K }>;

/** The place as what its probe type has made it. */
export function placeAs<K extends AttachPlace["kind"]>(place: AttachPlace, kind: K): Of<K> {
  if (place.kind !== kind) throw new Error(`internal: a place of kind ${place.kind}, not ${kind}`);
  return place as Of<K>;
}

/** Whether it is limited to one process. */
export const isOfOneProcess = (place: AttachPlace): boolean =>
  place.kind === "user"
    ? place.place.pid !== undefined
    : place.kind === "usdt" &&
      Object.values(place.places).some((places) => places.some(({ pid }) => pid !== undefined));
