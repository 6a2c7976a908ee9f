import type { Span } from "../base/span.js";
import type { lossCounters, MapLoss } from "./map-storage.js";
import type { MapSnapshot, Value } from "./value.js";

/** Something was not recorded; `count` times since the start. */
export interface Loss {
  readonly reason:
    | (typeof lossCounters)[number]
    | MapLoss
    | "missed"
    | "missed-calls"
    | "unhandled"
    | "mappings-lost"
    | "mappings-dropped";
  /** The map, for `map-full`, `map-memory` and `map-busy`; the program, for `missed` and `missed-calls`. */
  readonly subject?: string;
  /** Of the map: what a declaration calls its kind, and for how many keys it has room, by a declaration or not. */
  readonly room?: { readonly kind: string; readonly keys: number; readonly declared: boolean };
  readonly count: bigint;
}

/** What a running trace says, in the order in which it happened in the kernel. */
export type TraceEvent =
  | { readonly kind: "attached"; readonly probes: number }
  | { readonly kind: "printf"; readonly text: string }
  /** An iterator is in this file of the bpf file system, to be read there. */
  | { readonly kind: "pinned"; readonly path: string }
  /** print(value) of anything that is not a map. */
  | { readonly kind: "value"; readonly value: Value }
  /** print(@x[key]): one entry of a map. */
  | { readonly kind: "entry"; readonly name: string; readonly key: readonly Value[]; readonly value: Value }
  | { readonly kind: "map"; readonly map: MapSnapshot }
  /** errorf() and warnf(); `span` is the call. */
  | { readonly kind: "errorf" | "warnf"; readonly text: string; readonly span: Span }
  | { readonly kind: "time"; readonly text: string }
  | { readonly kind: "join"; readonly text: string }
  | { readonly kind: "cat"; readonly text: string }
  /** Output of a command started by system(). */
  | { readonly kind: "system"; readonly text: string }
  | { readonly kind: "lost"; readonly losses: readonly Loss[] }
  /** The script asked for what cannot be done, e.g. cat() of a missing file; the trace goes on. */
  | { readonly kind: "error"; readonly message: string }
  /** Something that the script did in the kernel was wrong, e.g. an index beyond the end of an array. */
  /** A BPF helper failed in the kernel; `retcode` is what it returned, `helper` its name without `bpf_`. */
  | { readonly kind: "helper-error"; readonly helper: string; readonly retcode: number; readonly span: Span }
  | { readonly kind: "runtime-error"; readonly message: string; readonly span: Span }
  /** Something went wrong that does not end the trace. */
  | { readonly kind: "warning"; readonly message: string }
  /** The last probe has run: what follows are the maps and what was lost. */
  | { readonly kind: "end" }
  | { readonly kind: "exit"; readonly code: number };
